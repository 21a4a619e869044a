// What later protocols brought, as programs of earlier ones are told it.
#include <gtest/gtest.h>

#include "measure/wire.h"

namespace hone::wire {
namespace {

template <class Kind>
Kind as_of(uint32_t protocol, Kind message) {
  return std::get<Kind>(for_protocol(std::move(message), protocol));
}

TEST(Versions, AnImplausibleTimeIsAWrongAnswerToThoseWhoDoNotKnowIt) {
  const auto late = MeasureStatus::implausible_time, early = MeasureStatus::wrong_answer;
  Measured measured;
  measured.measurement.status = late;
  measured.measurement.message = "too fast";
  Record record;
  record.measurement.status = late;
  JobEvent event;
  event.failed.push_back({late, 1, "too fast"});
  for (const auto& [protocol, expected] : {std::pair(3u, early), {4u, late}}) {
    EXPECT_EQ(as_of(protocol, measured).measurement.status, expected);
    EXPECT_EQ(as_of(protocol, measured).measurement.message, "too fast");
    EXPECT_EQ(as_of(protocol, Records{{record}}).records[0].measurement.status, expected);
    EXPECT_EQ(as_of(protocol, LogChunk{{record}, 1, 1}).records[0].measurement.status, expected);
    EXPECT_EQ(as_of(protocol, event).failed[0].status, expected);
  }
}

TEST(Versions, WhatIsKnownStays) {
  Measured measured;
  measured.measurement.status = MeasureStatus::crashed;
  EXPECT_EQ(as_of(1, measured).measurement.status, MeasureStatus::crashed);
}

}  // namespace
}  // namespace hone::wire
