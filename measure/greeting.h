// Private to measure: which security a ZeroMQ socket uses, by its greeting (ZMTP 3.1, RFC 37). Of two sides
// that differ in it, whoever reads the other's greeting first closes the connection, so that the other may
// never learn why: it can ask.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace hone {

/// The mechanism that the socket at `endpoint` (tcp://ADDRESS:PORT or ipc://PATH) greets with: "NULL",
/// "CURVE". Opens a connection of its own and closes it. Nothing: none could be had within `patience`, or
/// what came was no greeting.
std::optional<std::string> greeted_mechanism(const std::string& endpoint, std::chrono::milliseconds patience);

}  // namespace hone
