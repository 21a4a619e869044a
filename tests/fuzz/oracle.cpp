// Any text as a task for the interpreter, and any text as a signature of it: an Error, or elements that are
// worked out from elements that there are, within what was said to be their cost.
#include <cstdlib>
#include <string_view>

#include "codegen/oracle/oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('{', text.find("output"));  // what follows the task is a signature
  const auto oracle = Oracle::create(text.substr(0, cut));
  if (!oracle) return 0;
  if (cut != std::string_view::npos)
    if (const auto signature = parse_signature(text.substr(cut))) (void)matches(*oracle, *signature);
  (void)loosest_bound(*oracle);
  double asked = 0;
  const Oracle::Source source = [&](size_t tensor, int64_t first, int64_t stride, std::span<float> out) {
    const int64_t count = element_count(oracle->inputs().at(tensor).type.shape);
    const int64_t last = first + stride * (static_cast<int64_t>(out.size()) - 1);
    if (first < 0 || first >= count || last < 0 || last >= count) std::abort();
    asked += static_cast<double>(out.size());
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>((first + static_cast<int64_t>(i) * stride) % 7 - 3);
  };
  const bool affordable = oracle->cost() < 1e5;
  for (const int64_t index :
       {int64_t{0}, oracle->elements() - 1, oracle->elements() / 2, oracle->elements(), int64_t{-1}}) {
    if (!affordable && oracle->cost() <= Oracle::most_cost) continue;  // would only take time
    asked = 0;
    (void)oracle->element(index, source);
    if (asked > oracle->cost()) std::abort();
  }
  return 0;
}
