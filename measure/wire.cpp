// encode and decode: one Cap'n Proto message per frame, in memory that is aligned and bounded before it is
// looked at.
#include "measure/wire.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/io.h>

#include <array>
#include <cstring>

#include "measure/wire_fields.h"

namespace hone::wire {
namespace {

constexpr const char* where = "message";

void put_message(const Message& message, schema::Message::Builder to) {
  std::visit(
      [&to](const auto& from) {
        using T = std::decay_t<decltype(from)>;
        if constexpr (std::is_same_v<T, NotUnderstood>)
          to.setError(text("reason", from.reason));
        else if constexpr (std::is_same_v<T, Hello>)
          put(from, to.initHello());
        else if constexpr (std::is_same_v<T, WorkerState>)
          put(from, to.initState());
        else if constexpr (std::is_same_v<T, Built> || std::is_same_v<T, Featurised>)
          put(from, to.initBuilt());
        else if constexpr (std::is_same_v<T, RoundDone>)
          put(from, to.initRoundDone());
        else if constexpr (std::is_same_v<T, Fetch>)
          to.initFetch().setDigest(from.digest.hex().c_str());
        else if constexpr (std::is_same_v<T, Measured>)
          put(from, to.initMeasured());
        else if constexpr (std::is_same_v<T, JobRequest>)
          put(from, to.initSubmit());
        else if constexpr (std::is_same_v<T, Follow>)
          to.initFollow().setId(from.job);
        else if constexpr (std::is_same_v<T, Stop>)
          to.initStop().setId(from.job);
        else if constexpr (std::is_same_v<T, Query>)
          put(from, to.initQuery());
        else if constexpr (std::is_same_v<T, Welcome>) {
          auto welcome = to.initWelcome();
          welcome.setProtocol(from.protocol);
          welcome.setWorker(from.worker);
          welcome.setHeartbeatMs(from.heartbeat_ms);
          welcome.setLeaseMs(from.lease_ms);
        } else if constexpr (std::is_same_v<T, Refuse>)
          to.setRefuse(text("reason", from.reason));
        else if constexpr (std::is_same_v<T, Want>)
          put(from, to.initWant());
        else if constexpr (std::is_same_v<T, Blob>) {
          auto blob = to.initBlob();
          blob.setDigest(from.digest.hex().c_str());
          blob.setFound(from.found);
        } else if constexpr (std::is_same_v<T, Committed>)
          put_digests(from.ids, to.initCommitted().initIds(sized("ids", from.ids.size(), Limits::texts)));
        else if constexpr (std::is_same_v<T, Accepted>)
          to.initAccepted().setId(from.job);
        else if constexpr (std::is_same_v<T, JobEvent>)
          put(from, to.initJobEvent());
        else if constexpr (std::is_same_v<T, Records>)
          put_list(from.records, to.initRecords(sized("records", from.records.size(), Limits::records)));
        else if constexpr (std::is_same_v<T, ListJobs>)
          to.initListJobs().setId(from.job);
        else if constexpr (std::is_same_v<T, Jobs>)
          put_list(from.jobs, to.initJobs(sized("jobs", from.jobs.size(), Limits::tasks)));
        else if constexpr (std::is_same_v<T, ListBoards>)
          to.setListBoards();
        else if constexpr (std::is_same_v<T, Boards>)
          put_list(from.boards, to.initBoards(sized("boards", from.boards.size(), Limits::tasks)));
        else if constexpr (std::is_same_v<T, HealthReport>)
          put(from, to.initHealth());
        else if constexpr (std::is_same_v<T, BoardRequest>)
          put(from, to.initBoard());
        else if constexpr (std::is_same_v<T, Resume>)
          to.initResume().setId(from.job);
        else if constexpr (std::is_same_v<T, PullLog>)
          put(from, to.initPullLog());
        else if constexpr (std::is_same_v<T, LogChunk>)
          put(from, to.initLogChunk());
        else if constexpr (std::is_same_v<T, AskStatus>)
          to.setAskStatus();
        else {
          static_assert(std::is_same_v<T, SchedulerStatus>);
          put(from, to.initStatus());
        }
      },
      message);
}

template <class T, class Reader>
Message got(Reader reader) {
  T value;
  get(reader, value);
  return value;
}

Message get_message(schema::Message::Reader from) {
  using M = schema::Message;
  switch (from.which()) {
    case M::ERROR:
      return NotUnderstood{text("reason", from.getError())};
    case M::HELLO:
      return got<Hello>(from.getHello());
    case M::STATE:
      return got<WorkerState>(from.getState());
    case M::BUILT: {
      Built built;
      get(from.getBuilt(), built);
      if (built.candidate.task.empty() && built.candidate.formulation.empty())
        return Featurised{built.lease, built.trial, std::move(built.features), built.feature_version};
      return built;
    }
    case M::ROUND_DONE:
      return got<RoundDone>(from.getRoundDone());
    case M::FETCH:
      return Fetch{digest("digest", from.getFetch().getDigest())};
    case M::MEASURED:
      return got<Measured>(from.getMeasured());
    case M::SUBMIT:
      return got<JobRequest>(from.getSubmit());
    case M::FOLLOW:
      return Follow{from.getFollow().getId()};
    case M::STOP:
      return Stop{from.getStop().getId()};
    case M::QUERY:
      return got<Query>(from.getQuery());
    case M::WELCOME: {
      auto welcome = from.getWelcome();
      return Welcome{welcome.getProtocol(), welcome.getWorker(), welcome.getHeartbeatMs(),
                     welcome.getLeaseMs()};
    }
    case M::REFUSE:
      return Refuse{text("reason", from.getRefuse())};
    case M::WANT:
      return got<Want>(from.getWant());
    case M::BLOB:
      return Blob{digest("digest", from.getBlob().getDigest()), from.getBlob().getFound()};
    case M::COMMITTED:
      return Committed{get_digests("ids", from.getCommitted().getIds())};
    case M::ACCEPTED:
      return Accepted{from.getAccepted().getId()};
    case M::JOB_EVENT:
      return got<JobEvent>(from.getJobEvent());
    case M::RECORDS:
      return Records{get_list<Record>("records", from.getRecords(), Limits::records)};
    case M::LIST_JOBS:
      return ListJobs{from.getListJobs().getId()};
    case M::JOBS:
      return Jobs{get_list<JobSummary>("jobs", from.getJobs(), Limits::tasks)};
    case M::LIST_BOARDS:
      return ListBoards{};
    case M::BOARDS:
      return Boards{get_list<BoardSummary>("boards", from.getBoards(), Limits::tasks)};
    case M::HEALTH:
      return got<HealthReport>(from.getHealth());
    case M::BOARD:
      return got<BoardRequest>(from.getBoard());
    case M::RESUME:
      return Resume{from.getResume().getId()};
    case M::PULL_LOG:
      return got<PullLog>(from.getPullLog());
    case M::LOG_CHUNK:
      return got<LogChunk>(from.getLogChunk());
    case M::ASK_STATUS:
      return AskStatus{};
    case M::STATUS:
      return got<SchedulerStatus>(from.getStatus());
  }
  throw Malformed{"kind " + std::to_string(static_cast<int>(from.which())) + " is not known"};
}

/// Runs `body` and gives what it throws as an Error.
template <class F>
auto guarded(F body) -> Result<decltype(body())> {
  try {
    return body();
  } catch (const Malformed& malformed) {
    return fail(malformed.what, where);
  } catch (const kj::Exception& exception) {
    return fail("not a message of this protocol: " + std::string(exception.getDescription().cStr()), where,
                "is the other side a hone program of another version?");
  } catch (const std::bad_alloc&) {
    return fail("does not fit in memory", where);
  }
}

Bytes flat(capnp::MessageBuilder& builder) {
  size_t bytes = capnp::computeSerializedSizeInWords(builder) * sizeof(capnp::word);
  if (bytes > Limits::message_bytes)
    throw Malformed{std::to_string(bytes) + " bytes are too many, at most " +
                    std::to_string(Limits::message_bytes) + " are allowed"};
  Bytes out(bytes);
  kj::ArrayOutputStream stream(kj::arrayPtr(reinterpret_cast<kj::byte*>(out.data()), out.size()));
  capnp::writeMessage(stream, builder);
  return out;
}

/// Where a message begins: most fit, and nothing is allocated. Builders leave it zeroed.
struct Scratch {
  std::array<capnp::word, 512> words = {};
  kj::ArrayPtr<capnp::word> space() { return kj::arrayPtr(words.data(), words.size()); }
};

/// Frames have any alignment; Cap'n Proto needs words.
kj::Array<capnp::word> aligned(std::span<const std::byte> bytes) {
  if (bytes.empty()) throw Malformed{"is empty"};
  if (bytes.size() > Limits::message_bytes)
    throw Malformed{std::to_string(bytes.size()) + " bytes are too many, at most " +
                    std::to_string(Limits::message_bytes) + " are allowed"};
  if (bytes.size() % sizeof(capnp::word) != 0)
    throw Malformed{std::to_string(bytes.size()) + " bytes are not a whole number of words: cut off?"};
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), bytes.data(), bytes.size());
  return words;
}

capnp::ReaderOptions reader_options(size_t words) {
  // Every object is read once; twice the frame's own size leaves room for small shared ones, not for
  // amplification.
  return {.traversalLimitInWords = 2 * words + 1024, .nestingLimit = static_cast<int>(Limits::nesting)};
}

}  // namespace

Result<Bytes> encode(const Message& message) {
  return guarded([&] {
    Scratch scratch;
    capnp::MallocMessageBuilder builder(scratch.space());
    put_message(message, builder.initRoot<schema::Message>());
    return flat(builder);
  });
}

Result<Message> decode(std::span<const std::byte> bytes) {
  return guarded([&] {
    auto words = aligned(bytes);
    capnp::FlatArrayMessageReader reader(words, reader_options(words.size()));
    return get_message(reader.getRoot<schema::Message>());
  });
}

Result<Bytes> encode_record(const Record& record) {
  return guarded([&] {
    Scratch scratch;
    capnp::MallocMessageBuilder builder(scratch.space());
    put(record, builder.initRoot<schema::Record>());
    return flat(builder);
  });
}

Result<Record> decode_record(std::span<const std::byte> bytes) {
  return guarded([&] {
    auto words = aligned(bytes);
    capnp::FlatArrayMessageReader reader(words, reader_options(words.size()));
    Record record;
    get(reader.getRoot<schema::Record>(), record);
    return record;
  });
}

}  // namespace hone::wire
