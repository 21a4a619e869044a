// Ctrl-C and SIGTERM as the interrupts that tuner/session takes.
#pragma once

#include "measure/transport.h"
#include "tuner/session/interrupt.h"

namespace hone::cli {

/// As long as `signals` lives.
inline session::Interrupt interrupt_of(TerminationSignals& signals) {
  return {signals.fd(), [&signals] { return signals.take() != 0; }};
}

}  // namespace hone::cli
