#include "tests/system/old_peers.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <cstring>
#include <set>
#include <vector>
#include <zmq.hpp>

#include "protocol1/messages.capnp.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using Message = protocol1::Message;

kj::Array<capnp::word> words_of(const zmq::message_t& frame) {
  auto words = kj::heapArray<capnp::word>(frame.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), frame.data(), words.size() * sizeof(capnp::word));
  return words;
}

void copy(protocol1::LeaseRef::Reader from, protocol1::LeaseRef::Builder to) {
  to.setId(from.getId());
  to.setEpoch(from.getEpoch());
}

}  // namespace

struct OldPeer::Connection {
  zmq::context_t context{1};
  zmq::socket_t socket{context, zmq::socket_type::dealer};
  std::set<std::pair<uint64_t, uint64_t>> leases;  ///< held, for its state
  std::set<std::string> asked;

  explicit Connection(const std::string& endpoint) {
    socket.set(zmq::sockopt::linger, 0);
    socket.connect(endpoint);
  }
  void send(capnp::MessageBuilder& message, const std::vector<std::string>& blobs = {}) {
    const auto words = capnp::messageToFlatArray(message);
    const auto bytes = words.asBytes();
    auto flags = [](bool more) { return more ? zmq::send_flags::sndmore : zmq::send_flags::none; };
    socket.send(zmq::buffer(bytes.begin(), bytes.size()), flags(!blobs.empty()));
    for (size_t i = 0; i < blobs.size(); ++i) socket.send(zmq::buffer(blobs[i]), flags(i + 1 < blobs.size()));
  }
  /// One frame; what follows it is dropped.
  std::optional<zmq::message_t> receive() {
    zmq::pollitem_t item = {socket.handle(), 0, ZMQ_POLLIN, 0};
    if (zmq::poll(&item, 1, milliseconds(20)) == 0) return std::nullopt;
    zmq::message_t first, rest;
    if (!socket.recv(first)) return std::nullopt;
    for (bool more = first.more(); more; more = rest.more()) (void)!socket.recv(rest);
    return first;
  }
  void hello(wire::Role role) {
    capnp::MallocMessageBuilder message;
    auto hello = message.initRoot<Message>().initHello();
    hello.setRole(static_cast<protocol1::Role>(role));
    hello.setProtocolMin(1);
    hello.setProtocolMax(1);
    hello.setBuild("hone 0.0");
    hello.setName("old");
    if (role == wire::Role::runner) hello.setBoard(to_text(probe_board()));
    hello.setCapacity(4);
    send(message);
  }
  void state() {
    capnp::MallocMessageBuilder message;
    auto list = message.initRoot<Message>().initState().initLeases(static_cast<unsigned>(leases.size()));
    unsigned i = 0;
    for (const auto& [id, epoch] : leases) {
      list[i].setId(id);
      list[i++].setEpoch(epoch);
    }
    send(message);
  }
  void submit(uint64_t trials) {
    const wire::JobRequest wanted = request(trials);
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<Message>().initSubmit();
    job.setName("old job");
    const wire::JobPart& part = wanted.parts.front();
    job.setTarget(part.target);
    auto tasks = job.initTasks(static_cast<unsigned>(part.tasks.size()));
    for (unsigned i = 0; i < part.tasks.size(); ++i) {
      tasks[i].setTask(part.tasks[i].task);
      tasks[i].setSummary(part.tasks[i].summary);
      tasks[i].setPorts(part.tasks[i].ports);
      tasks[i].setWeight(1);
      tasks[i].setFlops(1e6);
    }
    job.setThreads(1);
    job.setMode("llc");
    job.setMaxTrials(trials);
    send(message);
  }
  void build(protocol1::Round::Reader round, uint64_t number) {
    const std::string task = round.getTask().cStr(), parameters = "p=" + std::to_string(number);
    const std::string artifact = "artifact " + task + parameters, reference = "reference " + task;
    capnp::MallocMessageBuilder message;
    auto built = message.initRoot<Message>().initBuilt();
    copy(round.getLease(), built.initLease());
    auto candidate = built.initCandidate();
    candidate.setTask(task);
    candidate.setTarget(round.getTarget());
    candidate.setFormulation("direct");
    candidate.setSpaceVersion(1);
    candidate.setPorts(round.getPorts());
    candidate.setParameters(parameters);
    candidate.setSchedule("split");
    built.setTrial(number);
    built.setStatus("ok");
    built.setArtifact(digest_of(artifact).hex());
    built.setReference(digest_of(reference).hex());
    auto features = built.initFeatures(2);
    features.set(0, static_cast<float>(number));
    features.set(1, 1);
    built.setFeatureVersion(1);
    send(message, {artifact, reference});
  }
  void done(protocol1::Round::Reader round) {
    capnp::MallocMessageBuilder message;
    auto done = message.initRoot<Message>().initRoundDone();
    copy(round.getLease(), done.initLease());
    done.setProposed(round.getCount());
    send(message);
  }
  void fetch(const std::string& digest) {
    if (!asked.insert(digest).second) return;
    capnp::MallocMessageBuilder message;
    message.initRoot<Message>().initFetch().setDigest(digest);
    send(message);
  }
  void measure(protocol1::Measurement::Reader request) {
    fetch(request.getArtifact());
    fetch(request.getReference());
    capnp::MallocMessageBuilder message;
    auto measured = message.initRoot<Message>().initMeasured();
    copy(request.getLease(), measured.initLease());
    measured.setId(request.getId());
    measured.setStatus("ok");
    auto samples = measured.initSamplesNs(5);
    for (unsigned i = 0; i < 5; ++i) samples.set(i, 1e5 + static_cast<double>(request.getId().size()));
    measured.setCheckMs(1);
    measured.setRunMs(1);
    send(message);
  }
};

OldPeer::OldPeer(std::string endpoint, wire::Role role, uint64_t trials)
    : endpoint_(std::move(endpoint)), role_(role), trials_(trials), thread_([this] { work(); }) {}

OldPeer::~OldPeer() {
  leaving_ = true;
  thread_.join();
}

void OldPeer::work() {
  Connection connection(endpoint_);
  connection.hello(role_);
  TimePoint spoke = in(milliseconds(0));
  while (!leaving_) {
    if (protocol_ != 0 && role_ != wire::Role::client && in(milliseconds(0)) - spoke > milliseconds(50)) {
      connection.state();
      spoke = in(milliseconds(0));
    }
    const auto frame = connection.receive();
    if (!frame) continue;
    try {
      const auto words = words_of(*frame);
      capnp::FlatArrayMessageReader reader(words);
      const auto message = reader.getRoot<Message>();
      if (message.isWelcome()) {
        protocol_ = message.getWelcome().getProtocol();
        if (role_ == wire::Role::client) connection.submit(trials_);
      } else if (message.isJobEvent()) {
        ++done_;
        completed_ = message.getJobEvent().getState() == "Completed";
      } else if (message.isCommitted()) {
        done_ += message.getCommitted().getIds().size();
      } else if (message.isWant()) {
        connection.leases.clear();
        for (const auto round : message.getWant().getRounds()) {
          for (uint64_t i = 0; i < round.getCount(); ++i, ++done_)
            connection.build(round, round.getFirstTrial() + i);
          connection.done(round);
        }
        for (const auto request : message.getWant().getMeasurements()) connection.measure(request);
      }
    } catch (const kj::Exception&) {
      ++malformed_;
    }
  }
}

}  // namespace hone::testing_system
