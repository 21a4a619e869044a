// The checker: whether what an artifact wrote is right, and whether it wrote only where it may (see
// codegen/CONTRACTS.md, checks).
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "codegen/runtime/host/host.h"
#include "codegen/runtime/host/offsets.h"
#include "codegen/runtime/host/test_data.h"

namespace hone {
namespace {

constexpr uint32_t kPoison = 0x7fffdead;

std::string index_text(const Shape& shape, int64_t flat) {
  std::vector<int64_t> index(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    index[d] = flat % shape[d];
    flat /= shape[d];
  }
  std::string text = "[";
  for (size_t d = 0; d < index.size(); ++d) text += (d ? "," : "") + std::to_string(index[d]);
  return text + "]";
}

/// Every element of an output buffer is a value, a padding lane, or must keep its poison.
enum class Kind : uint8_t { untouched, value, lane };

std::vector<Kind> classify(const OffsetTables& tables, int64_t whole) {
  std::vector<Kind> kinds(static_cast<size_t>(whole), Kind::untouched);
  const std::vector<int64_t> zero(tables.shape.size(), 0);
  if (tables.padded != tables.shape)
    for_each_offset(tables, zero, tables.padded,
                    [&](int64_t o) { kinds[static_cast<size_t>(o)] = Kind::lane; });
  for_each_offset(tables, zero, tables.shape,
                  [&](int64_t o) { kinds[static_cast<size_t>(o)] = Kind::value; });
  return kinds;
}

void check_margins(const BufferSpec& spec, const std::byte* buffer, CheckReport& report) {
  const OffsetTables tables(spec);
  const int64_t whole = spec.bytes / 4;
  // Where every element of the buffer is a value, only the slack is left to look at.
  const bool values_only = tables.elements == element_count(tables.shape);
  const int64_t first = values_only ? tables.elements : 0;
  const std::vector<Kind> kinds = values_only ? std::vector<Kind>() : classify(tables, whole);
  for (int64_t i = first; i < whole; ++i) {
    const Kind kind = values_only ? Kind::untouched : kinds[static_cast<size_t>(i)];
    if (kind == Kind::value) continue;
    uint32_t bits;
    std::memcpy(&bits, buffer + 4 * i, 4);
    float value;
    std::memcpy(&value, &bits, 4);
    if (kind == Kind::untouched && bits != kPoison) {
      report.reason =
          fmt::format("output '{}': element {} of the buffer, in the {}, was overwritten with {}", spec.name,
                      i, i >= tables.elements ? "slack" : "halo or another tensor's channels", value);
      return;
    }
    if (kind == Kind::lane && !std::isfinite(value)) {
      report.reason = fmt::format("output '{}': padding lane at element {} of the buffer is {}{}", spec.name,
                                  i, value, bits == kPoison ? " (never written)" : ", not finite");
      return;
    }
  }
}

// Below the smallest normal number float32 has no relative precision (and denormals are flushed).
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
constexpr double kTiny = 64.0 * std::numeric_limits<float>::min();

double relative_l2_of(double error2, double norm2) {
  return error2 == 0 ? 0 : norm2 == 0 ? std::sqrt(error2 / kTiny) : std::sqrt(error2 / norm2);
}

/// The errors of an output that is right, in one pass without branches, since a runner makes it before each
/// measurement. False if anything is wrong or not finite: then the slow pass says what.
bool right_values(std::span<const float> y, const ReferenceView& reference, const ErrorBound& bound,
                  CheckReport& report) {
  constexpr size_t kLanes = 8;
  constexpr double kLeast = std::numeric_limits<double>::min();
  double error2[kLanes] = {}, norm2[kLanes] = {}, worst[kLanes] = {};
  auto take = [&](size_t lane, double value, double r, double m) {
    const double error = std::abs(value - r);
    const double factor =
        (error - kTiny) / (kEpsilon * (m > kLeast ? m : kLeast));  // a NaN of m counts as none
    error2[lane] += error * error;  // infinite or NaN from here on if anything is
    norm2[lane] += r * r;
    worst[lane] = factor > worst[lane] ? factor : worst[lane];
  };
  const size_t whole = y.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane)
      take(lane, y[i + lane], reference.value[i + lane], reference.magnitude[i + lane]);
  for (size_t i = whole; i < y.size(); ++i) take(0, y[i], reference.value[i], reference.magnitude[i]);
  double error = 0, norm = 0, factor = 0;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    error += error2[lane];
    norm += norm2[lane];
    factor = std::max(factor, worst[lane]);
  }
  if (!std::isfinite(error) || !std::isfinite(norm)) return false;
  report.relative_l2 = relative_l2_of(error, norm);
  report.worst_factor = factor;
  return factor <= bound.element_factor && report.relative_l2 <= bound.relative_l2;
}

void check_values(const BufferSpec& spec, const std::byte* buffer, const ReferenceView& reference,
                  const ErrorBound& bound, std::span<float> work, CheckReport& report) {
  const auto elements = static_cast<size_t>(element_count(spec.type.shape));
  std::vector<float> owned(work.size() < elements ? elements : 0);
  const std::span<float> y = owned.empty() ? work.first(elements) : std::span(owned);
  unpack(spec, buffer, y);
  if (y.size() != reference.value.size() || y.size() != reference.magnitude.size()) {
    report.reason = fmt::format("output '{}' has {} elements, the reference {}", spec.name, y.size(),
                                reference.value.size());
    return;
  }
  if (right_values(y, reference, bound, report)) return;
  double error2 = 0, norm2 = 0, worst_excess = 0;
  int64_t worst = -1;
  for (size_t i = 0; i < y.size(); ++i) {
    const double r = reference.value[i], m = reference.magnitude[i], value = y[i];
    if (std::isnan(value) || std::isnan(m) || (std::isinf(value) && value != r)) {
      report.reason = fmt::format("element {} is {}, reference {:.6g}",
                                  index_text(spec.type.shape, static_cast<int64_t>(i)), value, r);
      return;
    }
    if (value == r) {  // infinities included
      if (std::isfinite(r)) norm2 += r * r;
      continue;
    }
    const double error = std::abs(value - r);
    error2 += error * error;
    norm2 += r * r;
    const double excess =
        bound.is_exact() ? std::numeric_limits<double>::infinity() : error_factor(value, r, m);
    if (worst < 0 || excess > worst_excess) {
      worst_excess = excess;
      worst = static_cast<int64_t>(i);
    }
  }
  report.relative_l2 = relative_l2_of(error2, norm2);
  report.worst_factor = worst_excess;
  if (!(worst_excess <= bound.element_factor)) {
    report.reason =
        fmt::format("element {} is {:.9g}, reference {:.9g}: {:.4g} x epsilon x magnitude, bound {:.4g}",
                    index_text(spec.type.shape, worst), y[static_cast<size_t>(worst)],
                    reference.value[static_cast<size_t>(worst)], worst_excess, bound.element_factor);
  } else if (!(report.relative_l2 <= bound.relative_l2)) {
    report.reason =
        fmt::format("relative L2 error {:.3g}, bound {:.3g}", report.relative_l2, bound.relative_l2);
  }
}

}  // namespace

CheckReport check(const Signature& signature, const ArtifactBuffers& buffers, ReferenceView reference) {
  return check(signature, std::span<void* const>(buffers.pointers), reference);
}

CheckReport check(const Signature& signature, std::span<void* const> buffers, ReferenceView reference,
                  std::span<float> work) {
  CheckReport report;
  bool found = false;
  for (size_t i = 0; i < signature.buffers.size() && report.reason.empty(); ++i) {
    const BufferSpec& spec = signature.buffers[i];
    if (spec.role != Role::output) continue;
    if (spec.type.dtype != DType::f32) {
      report.reason =
          fmt::format("output '{}' is {}, only f32 can be checked", spec.name, to_text(spec.type.dtype));
      break;
    }
    found = true;
    const auto* buffer = static_cast<const std::byte*>(buffers[i]);
    check_values(spec, buffer, reference, signature.bound, work, report);
    if (report.reason.empty()) check_margins(spec, buffer, report);
  }
  if (!found && report.reason.empty()) report.reason = "the artifact has no output";
  report.ok = report.reason.empty();
  return report;
}

}  // namespace hone
