// Private header. One call: from an element of the output back to the elements of inputs and constants that
// it depends on.
#pragma once

#include <array>
#include <unordered_map>

#include "codegen/oracle/magnitudes.h"
#include "codegen/oracle/plan.h"

namespace hone::oracle {

class Evaluation {
 public:
  Evaluation(const Plan& plan, const Oracle::Source& source)
      : plan_(plan), source_(source), known_(plan.kept.size()) {}

  Element at(ValueId value, int64_t index);
  /// Calls take(element) for elements first, first + stride, ... of a value.
  template <class Take>
  void for_run(ValueId value, int64_t first, int64_t stride, int64_t count, Take take);
  /// The sum of the products of two runs.
  struct Run {
    ValueId value;
    int64_t first, stride;
  };
  Element dot(Run a, Run b, int64_t count);

 private:
  static constexpr int64_t kChunk = 256;
  static constexpr size_t kLanes = 8;

  Element work_out(const Step& step, int64_t index);
  Element elementwise(const Step& step, int64_t index);
  Element moved(const Step& step, int64_t index);
  Element gathered(const Step& step, int64_t index);
  Element convolution(const Step& step, int64_t index);
  Element product(const Step& step, int64_t index);
  Element pool(const Step& step, int64_t index);
  Element reduced(const Step& step, int64_t index);
  Element softmax(const Step& step, int64_t index);
  Element normalised(const Step& step, int64_t index);
  Element response(const Step& step, int64_t index);

  const Plan& plan_;
  const Oracle::Source& source_;
  std::vector<std::unordered_map<int64_t, Element>> known_;  ///< of values that are kept
};

template <class Take>
void Evaluation::for_run(ValueId value, int64_t first, int64_t stride, int64_t count, Take take) {
  const int leaf = plan_.leaf[value];
  if (leaf < 0) {
    for (int64_t i = 0; i < count; ++i) take(at(value, first + i * stride));
    return;
  }
  std::array<float, kChunk> chunk;
  for (int64_t done = 0; done < count; done += kChunk) {
    const auto n = static_cast<size_t>(std::min(kChunk, count - done));
    source_(static_cast<size_t>(leaf), first + done * stride, stride, {chunk.data(), n});
    for (size_t i = 0; i < n; ++i) take(exact(static_cast<double>(chunk[i])));
  }
}

/// The coordinates of element `index`.
std::vector<int64_t> coordinates(const Shape& shape, int64_t index);

}  // namespace hone::oracle
