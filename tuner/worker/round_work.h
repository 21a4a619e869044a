// The rounds a tuner holds: each goes from its cost model to proposals to built candidates. No sockets and no
// clock here: messages and answers go in, messages come out, so tests drive it by hand.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "measure/wire.h"
#include "tuner/worker/builder_pool.h"

namespace hone {

/// One message to the scheduler with the blobs that follow it.
struct Outgoing {
  wire::Message message;
  std::vector<wire::Bytes> blobs;
};

class RoundWork {
 public:
  /// `submit` and `cancel` as of a BuilderPool.
  RoundWork(std::function<uint64_t(PipeFrame)> submit, std::function<void(uint64_t)> cancel)
      : submit_(std::move(submit)), cancel_(std::move(cancel)) {}

  /// What the scheduler wants: drops rounds that are not wanted, begins new ones.
  void want(const wire::Want& want);
  /// A cost model that was fetched, or that nobody has any more.
  void blob(const wire::Blob& blob, const wire::Bytes& bytes);
  void answer(BuilderAnswer answer);
  /// After a reconnect: what was sent may be lost, and questions have no answers.
  void reconnected();

  std::vector<wire::LeaseRef> leases() const;
  /// Messages to send, in order; they are given once.
  std::vector<Outgoing> take_outgoing();

 private:
  enum class Phase { fetching, proposing, building };
  struct Active {
    wire::Round round;
    Phase phase = Phase::fetching;
    std::map<uint64_t, wire::Built> builds;  ///< by ticket
    std::vector<Outgoing> held;              ///< built, but the reference is not there yet
    wire::RoundDone done;
    bool reference_sent = false;
  };
  /// The reference of a (task, target): built once, kept while this process lives (a few of them).
  struct Reference {
    std::optional<uint64_t> ticket;
    bool failed = false;
    std::string message;
    Digest digest;
    wire::Bytes bytes;
  };
  using ReferenceKey = std::pair<std::string, std::string>;

  void begin(wire::Round round);
  void ask_builder(Active& active);  ///< to propose, or for features
  void rebuild(Active& active, const wire::Rebuild& lost);
  void proposed(Active& active, BuilderAnswer answer);
  void built(Active& active, wire::Built request, BuilderAnswer answer);
  void reference_built(Reference& reference, BuilderAnswer answer);
  Reference& reference_of(const wire::Round& round);
  void deliver(Active& active, Outgoing outgoing);
  void advance();  ///< delivers what waits for references, ends rounds that are through
  void drop(Active& active);

  std::function<uint64_t(PipeFrame)> submit_;
  std::function<void(uint64_t)> cancel_;
  std::map<wire::LeaseRef, Active> active_;
  std::map<uint64_t, wire::LeaseRef> proposals_;  ///< ticket of a propose request to its round
  std::map<ReferenceKey, Reference> references_;
  std::map<Digest, wire::Bytes> models_;  ///< the last few
  std::vector<Outgoing> outgoing_;
};

}  // namespace hone
