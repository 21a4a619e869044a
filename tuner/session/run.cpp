// Files in, one run, files out.
#include "tuner/session/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <sstream>

#include "codegen/base/input_file.h"
#include "codegen/import/import.h"
#include "codegen/runtime/data/picture.h"
#include "codegen/runtime/data/preprocessing.h"

namespace hone::session {
namespace {

template <class T>
std::vector<float> converted(const std::vector<std::byte>& bytes, size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<float>(value);
  }
  return values;
}

Result<PlainTensor> parse_pb(const std::string& bytes, const std::filesystem::path& folder) {
  HONE_TRY(const ImportedTensor decoded, import_tensor(bytes, folder));
  const auto count = static_cast<size_t>(element_count(decoded.type.shape));
  return PlainTensor{decoded.type.shape, decoded.type.dtype == DType::f32
                                             ? converted<float>(decoded.data.bytes, count)
                                             : converted<int64_t>(decoded.data.bytes, count)};
}

/// One for each of the `wanted` elements.
Result<std::vector<std::string>> read_labels(const std::string& file, int64_t wanted) {
  constexpr uint64_t most_bytes = 64 << 20;
  HONE_TRY(const std::string text, read_regular_file(file, most_bytes));
  std::istringstream lines(text);
  std::vector<std::string> labels;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    labels.push_back(line);
  }
  if (static_cast<int64_t>(labels.size()) == wanted) return labels;
  return fail(fmt::format("{} labels, but the first output has {} elements", labels.size(), wanted), file);
}

}  // namespace

Shape shape_of(const hone_model_tensor& tensor) { return Shape(tensor.shape, tensor.shape + tensor.rank); }

Result<PlainTensor> read_tensor(const std::filesystem::path& file) {
  if (file.extension() != ".pb") return read_npy_tensor(file);
  HONE_TRY(const std::string bytes, read_regular_file(file, kMostTensorBytes));
  auto tensor = parse_pb(bytes, file.parent_path());
  if (!tensor && tensor.error().where.empty()) tensor.error().where = file.string();
  return tensor;
}

Result<std::vector<float>> read_input(const std::string& file, const hone_model_tensor& wanted,
                                      const Preprocessing& preprocessing) {
  const std::string ending = std::filesystem::path(file).extension().string();
  if (ending != ".npy" && ending != ".pb") return picture_tensor(file, shape_of(wanted), preprocessing);
  HONE_TRY(PlainTensor tensor, read_tensor(file));
  Shape shape = tensor.shape, need = shape_of(wanted);
  if (shape.size() + 1 == need.size() && need[0] == 1) shape.insert(shape.begin(), 1);
  if (shape != need)
    return fail("the tensor's shape is " + to_text(tensor.shape) + ", input '" + wanted.name + "' is " +
                    to_text(need),
                file);
  return std::move(tensor.values);
}

Result<RunOutcome> run(LoadedModel& model, const RunRequest& request) {
  HONE_TRY(const std::optional<Preprocessing> said, described_preprocessing(model.description()));
  const std::vector<hone_model_tensor> inputs = model.inputs(), outputs = model.outputs();
  if (request.inputs.size() != inputs.size())
    return fail(fmt::format("the model has {} input{}, {} given", inputs.size(),
                            inputs.size() == 1 ? "" : "s", request.inputs.size()),
                request.model, "repeat --input, in the model's order");
  if (request.outputs.size() > outputs.size())
    return fail(
        fmt::format("the model has {} outputs, {} files to write", outputs.size(), request.outputs.size()),
        request.model);
  RunOutcome outcome;
  if (!request.labels.empty()) {
    HONE_TRY(outcome.labels, read_labels(request.labels, element_count(shape_of(outputs[0]))));
  }
  std::vector<std::vector<float>> in;
  std::vector<const void*> in_pointers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    HONE_TRY(std::vector<float> values,
             read_input(request.inputs[i], inputs[i], said.value_or(Preprocessing{})));
    in.push_back(std::move(values));
  }
  for (const auto& values : in) in_pointers.push_back(values.data());
  std::vector<void*> out_pointers;
  for (const hone_model_tensor& tensor : outputs) {
    const Shape shape = shape_of(tensor);
    outcome.outputs.push_back({shape, std::vector<float>(static_cast<size_t>(element_count(shape)))});
  }
  for (PlainTensor& tensor : outcome.outputs) out_pointers.push_back(tensor.values.data());
  HONE_RETURN_IF_ERROR(model.run(in_pointers, out_pointers));
  for (size_t i = 0; i < request.outputs.size(); ++i)
    HONE_RETURN_IF_ERROR(write_npy(request.outputs[i], outcome.outputs[i]));
  return outcome;
}

std::vector<size_t> largest(const std::vector<float>& values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t taken = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(taken), order.end(),
                    [&](size_t a, size_t b) { return values[a] > values[b]; });
  order.resize(taken);
  return order;
}

}  // namespace hone::session
