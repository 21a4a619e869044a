// The tuner worker: joins the scheduler's messages, the rounds held and the builder processes in one loop.
#pragma once

#include <string>

#include "codegen/base/result.h"
#include "measure/transport.h"
#include "tuner/worker/builder_pool.h"

namespace hone {

struct TunerOptions {
  std::string scheduler;  ///< endpoint
  std::string name;       ///< as it shows in records
  int rounds = 2;         ///< leases to hold at once: one is proposed while the other builds
  BuilderOptions builders;
  TransportOptions transport = {};
};

/// Works until the scheduler says `stopping` or SIGTERM or SIGINT comes. A scheduler that dies is waited for:
/// a new socket and a new hello. Errors: a malformed endpoint, or the scheduler refuses.
Status run_tuner(const TunerOptions& options);

}  // namespace hone
