// What the core lets in of a message: texts have the length of what they are for. Names that are longer are
// an Error; what a peer says for people is cut off. A pure function; the numbers are in wire::Limits.
#pragma once

#include <optional>
#include <string>

#include "measure/wire.h"

namespace hone::scheduler {

/// Why a message is not taken: "the name of the job has 300 bytes, at most 256 are taken".
std::optional<std::string> too_long(const wire::Message& message);
/// The message with what it says for people cut off; nothing: there is nothing to cut off.
std::optional<wire::Message> clipped(const wire::Message& message);
/// What a job's texts take, in bytes.
size_t bytes_of(const wire::JobRequest& request);

}  // namespace hone::scheduler
