// CRC-32C (Castagnoli), the check sum of journal records. Reflected polynomial 0x82F63B78, as in RFC 3720,
// appendix B.4.
#pragma once

#include <cstdint>
#include <string_view>

namespace hone {

/// The check sum of `bytes`; `seed` is the check sum of what came before them.
uint32_t crc32c(std::string_view bytes, uint32_t seed = 0);

}  // namespace hone
