#include "devices/references.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "devices/secrets.h"

namespace hone {
namespace {

constexpr int spot_checks = 32;
constexpr double most_spot_cost = 2e7;  ///< operations of the oracle: a tenth of a second

bool near(double a, double b, double scale) {
  return a == b || std::abs(a - b) <= 1e-8 * scale + 1e-36;  // the order of float64 sums, no more
}

}  // namespace

Status spot_check(const Oracle& oracle, const std::string& seed, ReferenceView reference) {
  const Oracle::Source data = test_data(oracle, seed);
  const auto elements = static_cast<int64_t>(reference.value.size());
  if (elements != oracle.elements())
    return fail(fmt::format("the reference has {} elements, its task {}", elements, oracle.elements()));
  const int checks = static_cast<int>(std::clamp(most_spot_cost / std::max(1.0, oracle.cost()), 1.0,
                                                 static_cast<double>(spot_checks)));
  for (int check = 0; check < checks; ++check) {
    const auto index = static_cast<int64_t>(random_bits() % static_cast<uint64_t>(elements));
    HONE_TRY(const Oracle::Element right, oracle.element(index, data));
    const auto i = static_cast<size_t>(index);
    const double value = reference.value[i], magnitude = reference.magnitude[i];
    if (!near(value, right.value, right.magnitude) && !(std::isnan(value) && std::isnan(right.value)))
      return fail(fmt::format("the reference is not its task's: element {} is {:.9g}, by the task's text {:.9g}",
                              index, value, right.value));
    if (!near(magnitude, right.magnitude, right.magnitude))
      return fail(fmt::format("the reference is not its task's: the magnitude of element {} is {:.9g}, by the "
                              "task's text {:.9g}",
                              index, magnitude, right.magnitude));
  }
  return {};
}

ReferenceView References::Reference::view() const {
  const std::span<const double> all = pages.as<const double>(2 * elements);
  return {all.first(elements), all.subspan(elements)};
}

const References::Reference* References::find(const std::string& key) {
  const auto it = std::find_if(references_.begin(), references_.end(),
                               [&](const Reference& r) { return r.key == key; });
  if (it == references_.end()) return nullptr;
  references_.splice(references_.begin(), references_, it);
  return &references_.front();
}

Result<const References::Reference*> References::keep(const std::string& key, const Signature& signature,
                                                      std::span<void* const> buffers, const Oracle& oracle,
                                                      const std::string& seed) {
  const BufferSpec* value = nullptr;
  const BufferSpec* magnitude = nullptr;
  const void *values = nullptr, *magnitudes = nullptr;
  for (size_t i = 0; i < signature.buffers.size(); ++i) {
    const BufferSpec& spec = signature.buffers[i];
    if (spec.role != Role::output) continue;
    const bool is_magnitude = spec.name.ends_with(".magnitude");
    (is_magnitude ? magnitude : value) = &spec;
    (is_magnitude ? magnitudes : values) = buffers[i];
  }
  if (value == nullptr || magnitude == nullptr || value->type != magnitude->type ||
      value->type.dtype != DType::f64)
    return fail("the reference has no pair of float64 outputs y and y.magnitude");
  const auto elements = static_cast<size_t>(element_count(value->type.shape));
  const size_t bytes = 2 * elements * sizeof(double);
  if (bytes > most_bytes) return fail(fmt::format("the reference has {} elements: too many", elements));
  Reference reference{key, elements, Pages(Pages::Kind::hidden, bytes)};
  if (reference.pages.data() == nullptr) return fail("no memory for a reference");
  const auto all = reference.pages.as<double>(2 * elements);
  unpack(*value, static_cast<const std::byte*>(values), all.first(elements));
  unpack(*magnitude, static_cast<const std::byte*>(magnitudes), all.subspan(elements));
  HONE_RETURN_IF_ERROR(spot_check(oracle, seed, reference.view()));

  references_.push_front(std::move(reference));
  size_t held = 0, entries = 0;
  std::erase_if(references_, [&](const Reference& r) {
    held += r.pages.bytes();
    return ++entries > 1 && (held > most_bytes || entries > most_entries);
  });
  return &references_.front();
}

}  // namespace hone
