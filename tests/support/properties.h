// Properties checked with rapidcheck, with a fixed seed unless RC_PARAMS in the environment says otherwise.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace hone::test {

/// Fails the current test if the property does not hold; says the counterexample and how to replay it.
template <class Property>
void check_property(const std::string& name, Property&& property) {
  setenv("RC_PARAMS", "seed=20240601 max_success=200", 0);
  EXPECT_TRUE(rc::check(name, std::forward<Property>(property)));
}

}  // namespace hone::test
