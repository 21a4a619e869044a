// One example of every message, with every field set: what the golden frames hold.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "measure/wire.h"

namespace hone::wire {

/// (name of the golden file, message).
std::vector<std::pair<std::string, Message>> examples();
/// Messages and fields that protocol 2 added.
std::vector<std::pair<std::string, Message>> examples_2();
/// Of protocol 3.
std::vector<std::pair<std::string, Message>> examples_3();
/// What boards' names and the limits at the door added to it.
std::vector<std::pair<std::string, Message>> examples_4();
Record example_record();

}  // namespace hone::wire
