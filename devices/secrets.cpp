#include "devices/secrets.h"

#include <sys/random.h>

#include <cstring>

namespace hone {
namespace {

constexpr size_t secret_bytes = 32;

bool draw(void* to, size_t bytes) { return ::getrandom(to, bytes, 0) == static_cast<ssize_t>(bytes); }

}  // namespace

uint64_t random_bits() {
  uint64_t bits = 0;
  HONE_CHECK(draw(&bits, sizeof bits));
  return bits;
}

Seeds::Seeds() : secret_(Pages::Kind::hidden, secret_bytes) {
  if (secret_.data() != nullptr && !draw(secret_.data(), secret_bytes)) secret_ = Pages(Pages::Kind::hidden, 0);
}

std::string Seeds::next(const Digest& task_key, std::string_view purpose) {
  if (secret_.data() == nullptr) return {};
  const std::string name = task_key.hex() + "/" + std::string(purpose);
  if (series_.size() > 4096) series_.clear();  // the numbers that follow are as secret as these
  Series& series = series_[name];
  if (series.number == 0) series.number = random_bits();
  if (series.uses++ == most_uses) {
    series.uses = 1;
    ++series.number;
  }
  // A keyed digest: who knows some seeds cannot work out another (BLAKE2b takes its key as a prefix safely).
  const std::string what = name + "/" + std::to_string(series.number);
  std::string text;
  text.reserve(secret_bytes + what.size());  // so that no copy of the secret is left behind
  text.append(reinterpret_cast<const char*>(secret_.data()), secret_bytes).append(what);
  const Digest digest = digest_of(text);
  ::explicit_bzero(text.data(), text.size());
  return digest.hex(32);
}

}  // namespace hone
