// The server's own look at a candidate's speed: it times runs in the child by its own clock, over inputs that
// the child has never seen, and compares what they wrote. A candidate's samples are claims; this is what they
// are held to.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "codegen/base/signature.h"
#include "codegen/oracle/oracle.h"
#include "codegen/runtime/host/elements.h"
#include "devices/child_process.h"
#include "devices/workspace.h"

namespace hone {

/// How much is timed.
struct BatchParameters {
  double least_ns = 2e6;       ///< of runs in all, handshakes not counted
  double round_ns = 250e3;     ///< of runs between two handshakes, as far as places reach
  int least_rounds = 3, most_rounds = 64;
  double enough_ns = 4e6;      ///< two rounds do if they took as long
  double patience_ns = 80e6;   ///< of rounds, before a claim is called implausible
  int threads = 1;             ///< of the candidate
  int64_t settle_ns = 0;       ///< see ChildProcess::go: for candidates of several threads
  double handshake_ns = 0;     ///< that a round without runs takes on this board
  double least_part = 0.8;     ///< of what a run takes here: a sample that says less is implausible
};

class Batch {
 public:
  /// `workspace` is filled with `seed`'s data and has run. Places are filled anew here. `work`: as of
  /// Workspace::fill.
  Batch(const Signature& signature, Workspace& workspace, const Oracle& oracle, const std::string& seed,
        std::span<float> work, const BatchParameters& parameters);

  struct Result {
    ChildProcess::Woke woke = ChildProcess::Woke::rang;  ///< else: how the child failed
    std::string wrong;      ///< what an output should have been; empty: all that were looked at are right
    /// Of one run in the fastest round, without what others had of its processors. What else a board does makes
    /// rounds slower, never faster, and a round that was not worked through does not pass its spot checks.
    double call_ns = 0;
    int64_t calls = 0;
    bool plausible = true;  ///< the claim is not below what runs take
  };
  /// The child stands still before and after. `least_sample_ns`: the fastest that it claims.
  Result time(ChildProcess& child, ChildOrders& orders, double least_sample_ns, int64_t deadline_ns);

 private:
  void refresh(int place);
  std::string spot_check(int place) const;
  double around_ns(int places) const;
  bool is_plausible(double least_sample_ns, double call_ns) const;

  struct Input {
    size_t buffer = 0, tensor = 0;  ///< its index in the signature and in the oracle
    BufferElements elements;
  };
  const Signature& signature_;
  Workspace& workspace_;
  const Oracle& oracle_;
  std::span<float> work_;
  BatchParameters parameters_;
  Oracle::Source constants_;
  std::vector<Input> inputs_;
  size_t output_ = 0;
  BufferElements output_elements_;
  double moved_bytes_ = 0;  ///< inputs and outputs of one run
  /// Of each place and input: the generator's name hash of what lies there.
  std::vector<std::vector<uint64_t>> hashes_;
};

}  // namespace hone
