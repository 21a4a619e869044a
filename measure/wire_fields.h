// Private to measure: between the plain structs of wire.h and the Cap'n Proto builders and readers of the
// schema. `put` and `get` throw Malformed (or kj::Exception); encode and decode turn both into Errors.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "measure/wire.h"
#include "messages.capnp.h"

namespace hone::wire {

struct Malformed {
  std::string what;
};

/// Refuses `count` entries of `what` if the limit is lower; comes before every loop.
inline void cap(const char* what, size_t count, size_t limit) {
  if (count > limit)
    throw Malformed{std::string(what) + " has " + std::to_string(count) + " entries, at most " +
                    std::to_string(limit) + " are allowed"};
}

inline capnp::Text::Reader text(const char* what, const std::string& value) {
  cap(what, value.size(), Limits::text_bytes);
  return capnp::Text::Reader(value.c_str(), value.size());
}
inline std::string text(const char* what, capnp::Text::Reader value) {
  cap(what, value.size(), Limits::text_bytes);
  return std::string(value.begin(), value.size());
}

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw Malformed{result.error().what};
  return std::move(*result);
}
inline MeasureStatus status_of(capnp::Text::Reader value) {
  return value_or_throw(parse_measure_status(text("status", value)));
}
inline TimingMode mode_of(capnp::Text::Reader value) {
  return value_or_throw(parse_timing_mode(text("mode", value)));
}
/// A literal or to_text(): these views end with a zero.
inline capnp::Text::Reader literal(std::string_view value) { return {value.data(), value.size()}; }

/// A digest's field, the empty text for an empty digest. What is no digest names the field: "artifact: 'x' is
/// no digest".
inline Digest digest(const char* what, capnp::Text::Reader value) {
  auto digest = parse_digest({value.begin(), value.size()});
  if (!digest) throw Malformed{std::string(what) + ": " + digest.error().what};
  return *digest;
}
inline std::vector<Digest> get_digests(const char* what, capnp::List<capnp::Text>::Reader reader) {
  cap(what, reader.size(), Limits::texts);
  std::vector<Digest> values;
  values.reserve(reader.size());
  for (auto value : reader) values.push_back(digest(what, value));
  return values;
}
inline void put_digests(const std::vector<Digest>& values, capnp::List<capnp::Text>::Builder builder) {
  for (size_t i = 0; i < values.size(); ++i) builder.set(static_cast<unsigned>(i), values[i].hex().c_str());
}

template <class Number, class Builder>
void put_numbers(const char* what, const std::vector<Number>& values, size_t limit, Builder builder) {
  cap(what, values.size(), limit);
  for (size_t i = 0; i < values.size(); ++i) builder.set(static_cast<unsigned>(i), values[i]);
}
template <class Number, class Reader>
std::vector<Number> get_numbers(const char* what, Reader reader, size_t limit) {
  cap(what, reader.size(), limit);
  std::vector<Number> values;
  values.reserve(reader.size());
  for (auto value : reader) values.push_back(value);
  return values;
}

/// A whole number that is none, or does not fit, is malformed.
template <class Number>
Number number_of(double value) {
  if constexpr (std::is_integral_v<Number>) {
    constexpr double most = static_cast<double>(uint64_t{1} << 53);
    const double lowest =
        std::is_signed_v<Number> ? std::max(-most, double(std::numeric_limits<Number>::lowest())) : 0;
    const double highest = std::min(most, static_cast<double>(std::numeric_limits<Number>::max()));
    if (!(value >= lowest && value <= highest)) throw Malformed{"a quantity is out of range"};
  }
  return static_cast<Number>(value);
}

inline void put_texts(const char* what, const std::vector<std::string>& values,
                      capnp::List<capnp::Text>::Builder builder) {
  for (size_t i = 0; i < values.size(); ++i) builder.set(static_cast<unsigned>(i), text(what, values[i]));
}
inline std::vector<std::string> get_texts(const char* what, capnp::List<capnp::Text>::Reader reader,
                                          size_t limit = Limits::texts) {
  cap(what, reader.size(), limit);
  std::vector<std::string> values;
  values.reserve(reader.size());
  for (auto value : reader) values.push_back(text(what, value));
  return values;
}

/// A capped size for an init...() call.
inline unsigned sized(const char* what, size_t count, size_t limit) {
  cap(what, count, limit);
  return static_cast<unsigned>(count);
}

/// Whether a value can travel as a Quantity.
template <class Value>
constexpr bool is_quantity = std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>;

/// The columns of `for_each` that came after the schema's fields, but for those whose value is that of an
/// empty row. `for_each`: for_each_column or for_each_measurement_column.
template <class Row, class ForEach, class Message>
void put_more(ForEach for_each, const Row& row, Message message) {
  static const Row empty;
  std::vector<std::pair<const char*, double>> more;
  for_each([&](const Column& column, auto member) {
    if constexpr (is_quantity<std::decay_t<decltype(member(row))>>) {
      if (column.by_name && member(row) != member(empty))
        more.emplace_back(column.name, static_cast<double>(member(row)));
    }
  });
  if (more.empty()) return;
  auto list = message.initMore(static_cast<unsigned>(more.size()));
  for (unsigned i = 0; i < more.size(); ++i) {
    list[i].setName(more[i].first);
    list[i].setValue(more[i].second);
  }
}
template <class Row, class ForEach, class Message>
void get_more(ForEach for_each, Message message, Row& row) {
  cap("quantities", message.getMore().size(), Limits::quantities);
  for (auto quantity : message.getMore()) {
    const std::string name = text("a quantity's name", quantity.getName());
    for_each([&](const Column& column, auto member) {
      using Value = std::decay_t<decltype(member(row))>;
      if constexpr (is_quantity<Value>) {
        if (column.by_name && column.name == name) member(row) = number_of<Value>(quantity.getValue());
      }
    });
  }
}

/// What a board says of a measurement: the same fields in a message and in a record.
template <class Message>
void put_measurement(const Measurement& from, Message to) {
  to.setStatus(literal(to_text(from.status)));
  to.setMessage(text("message", from.message));
  put_numbers("samples", from.samples_ns, Limits::samples,
              to.initSamplesNs(sized("samples", from.samples_ns.size(), Limits::samples)));
  to.setRelativeL2(from.relative_l2);
  to.setWorstFactor(from.worst_factor);
  to.setReferenceBeforeNs(from.health.reference_before_ns);
  to.setReferenceAfterNs(from.health.reference_after_ns);
  to.setTemperatureCelsius(from.health.temperature_celsius);
  to.setFrequencyMhz(from.health.frequency_mhz);
}
template <class Message>
void get_measurement(Message from, Measurement& to) {
  to.status = status_of(from.getStatus());
  to.message = text("message", from.getMessage());
  to.samples_ns = get_numbers<double>("samples", from.getSamplesNs(), Limits::samples);
  to.relative_l2 = from.getRelativeL2();
  to.worst_factor = from.getWorstFactor();
  to.health.reference_before_ns = from.getReferenceBeforeNs();
  to.health.reference_after_ns = from.getReferenceAfterNs();
  to.health.temperature_celsius = from.getTemperatureCelsius();
  to.health.frequency_mhz = from.getFrequencyMhz();
}

void put(const LeaseRef&, schema::LeaseRef::Builder);
void get(schema::LeaseRef::Reader, LeaseRef&);
void put(const CandidateText&, schema::Candidate::Builder);
void get(schema::Candidate::Reader, CandidateText&);
void put(const Record&, schema::Record::Builder);
void get(schema::Record::Reader, Record&);
void put(const Hello&, schema::Hello::Builder);
void get(schema::Hello::Reader, Hello&);
void put(const WorkerState&, schema::WorkerState::Builder);
void get(schema::WorkerState::Reader, WorkerState&);
void put(const Built&, schema::Built::Builder);
void get(schema::Built::Reader, Built&);
void put(const Featurised&, schema::Built::Builder);
void put(const RoundDone&, schema::RoundDone::Builder);
void get(schema::RoundDone::Reader, RoundDone&);
void put(const Measured&, schema::Measured::Builder);
void get(schema::Measured::Reader, Measured&);
void put(const Round&, schema::Round::Builder);
void get(schema::Round::Reader, Round&);
void put(const MeasureRequest&, schema::Measurement::Builder);
void get(schema::Measurement::Reader, MeasureRequest&);
void put(const Want&, schema::Want::Builder);
void get(schema::Want::Reader, Want&);
void put(const JobRequest&, schema::JobRequest::Builder);
void get(schema::JobRequest::Reader, JobRequest&);
void put(const Query&, schema::Query::Builder);
void get(schema::Query::Reader, Query&);
void put(const JobEvent&, schema::JobEvent::Builder);
void get(schema::JobEvent::Reader, JobEvent&);
void put(const JobSummary&, schema::JobSummary::Builder);
void get(schema::JobSummary::Reader, JobSummary&);
void put(const BoardSummary&, schema::BoardSummary::Builder);
void get(schema::BoardSummary::Reader, BoardSummary&);
void put(const SchedulerStatus&, schema::SchedulerStatus::Builder);
void get(schema::SchedulerStatus::Reader, SchedulerStatus&);
void put(const LogChunk&, schema::LogChunk::Builder);
void get(schema::LogChunk::Reader, LogChunk&);
void put(const PullLog&, schema::PullLog::Builder);
void get(schema::PullLog::Reader, PullLog&);
void put(const BoardRequest&, schema::BoardRequest::Builder);
void get(schema::BoardRequest::Reader, BoardRequest&);
void put(const HealthReport&, schema::HealthReport::Builder);
void get(schema::HealthReport::Reader, HealthReport&);

template <class T, class Builder>
void put_list(const std::vector<T>& values, Builder builder) {
  for (size_t i = 0; i < values.size(); ++i) put(values[i], builder[static_cast<unsigned>(i)]);
}
template <class T, class Reader>
std::vector<T> get_list(const char* what, Reader reader, size_t limit) {
  cap(what, reader.size(), limit);
  std::vector<T> values(reader.size());
  for (size_t i = 0; i < values.size(); ++i) get(reader[static_cast<unsigned>(i)], values[i]);
  return values;
}

}  // namespace hone::wire
