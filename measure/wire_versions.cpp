// What programs of earlier protocols do not know, said in words that they do.
#include "measure/wire.h"

namespace hone::wire {
namespace {

constexpr uint32_t first_with_implausible_time = 4;

void translate(MeasureStatus& status) {
  if (status == MeasureStatus::implausible_time) status = MeasureStatus::wrong_answer;
}

void translate(std::vector<Record>& records) {
  for (Record& record : records) translate(record.measurement.status);
}

}  // namespace

Message for_protocol(Message message, uint32_t protocol) {
  if (protocol >= first_with_implausible_time) return message;
  if (auto* measured = std::get_if<Measured>(&message)) translate(measured->measurement.status);
  if (auto* records = std::get_if<Records>(&message)) translate(records->records);
  if (auto* chunk = std::get_if<LogChunk>(&message)) translate(chunk->records);
  if (auto* event = std::get_if<JobEvent>(&message))
    for (Failure& failure : event->failed) translate(failure.status);
  return message;
}

}  // namespace hone::wire
