#include "tests/models/compiled.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "codegen/base/generator.h"
#include "codegen/model/model.h"
#include "codegen/runtime/host/host.h"

namespace hone::testing_models {

namespace fs = std::filesystem;

fs::path data() {
  const char* given = std::getenv("HONE_SHARED");
  const fs::path folder = fs::path(given ? given : HONE_SOURCE_DIR "/../shared") / "data";
  return fs::exists(folder / "MANIFEST.md") ? folder : fs::path();
}

Result<Compiled> Compiled::make(const Graph& graph) {
  static std::atomic<int> number{0};
  Compiled compiled;
  compiled.file_ = (fs::temp_directory_path() /
                    ("hone-test-" + std::to_string(getpid()) + "-" + std::to_string(number++) + ".so"))
                       .string();
  HONE_TRY(const Target target, resolve_target("host"));
  HONE_TRY(const Plan planned, plan(graph, target, {}));
  BuildOptions options;
  options.check = false;  // the test compares with what is expected
  options.threads = 2;
  HONE_TRY(const BuildReport report, build(planned, compiled.file_, options));
  return compiled;
}

Compiled::Compiled(Compiled&& other) noexcept : file_(std::exchange(other.file_, {})) {}

Compiled::~Compiled() {
  if (!file_.empty()) unlink(file_.c_str());
}

namespace {

std::vector<std::vector<float>> outputs_of(const LoadedModel& model) {
  std::vector<std::vector<float>> outputs;
  for (const hone_model_tensor& t : model.outputs())
    outputs.emplace_back(static_cast<size_t>(element_count(Shape(t.shape, t.shape + t.rank))), std::nanf(""));
  return outputs;
}

Status run_once(LoadedModel& model, const std::vector<std::vector<float>>& inputs,
                std::vector<std::vector<float>>& outputs) {
  const auto tensors = model.inputs();
  if (tensors.size() != inputs.size()) return fail("another number of inputs");
  for (size_t i = 0; i < inputs.size(); ++i)
    if (static_cast<int64_t>(inputs[i].size()) !=
        element_count(Shape(tensors[i].shape, tensors[i].shape + tensors[i].rank)))
      return fail("an input of another size");
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const auto& input : inputs) in.push_back(input.data());
  for (auto& output : outputs) out.push_back(output.data());
  return model.run(in, out);
}

}  // namespace

Result<std::vector<std::vector<float>>> Compiled::run(const std::vector<std::vector<float>>& inputs,
                                                      int threads) const {
  HONE_TRY(LoadedModel model, LoadedModel::load(file_, threads));
  auto outputs = outputs_of(model);
  HONE_RETURN_IF_ERROR(run_once(model, inputs, outputs));
  return outputs;
}

Result<std::vector<std::vector<float>>> Compiled::run_all(
    const std::vector<std::vector<float>>& samples) const {
  HONE_TRY(LoadedModel model, LoadedModel::load(file_, 1));
  std::vector<std::vector<float>> results;
  for (const auto& sample : samples) {
    auto outputs = outputs_of(model);
    HONE_RETURN_IF_ERROR(run_once(model, {sample}, outputs));
    results.push_back(std::move(outputs[0]));
  }
  return results;
}

Array read_npy(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  Array array;
  if (bytes.size() < 10) return array;
  const size_t start = 10 + static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  const size_t open = bytes.find('(') + 1, close = bytes.find(')');
  for (size_t at = open; at < close;) {
    int64_t extent = 0;
    const auto [end, problem] = std::from_chars(bytes.data() + at, bytes.data() + close, extent);
    if (problem == std::errc()) array.shape.push_back(extent);
    at = static_cast<size_t>(std::max(end, bytes.data() + at + 1) - bytes.data());
    while (at < close && (bytes[at] == ',' || bytes[at] == ' ')) ++at;
  }
  array.values.resize((bytes.size() - start) / sizeof(float));
  std::memcpy(array.values.data(), bytes.data() + start, array.values.size() * sizeof(float));
  return array;
}

std::vector<float> generated(const std::string& name, const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(element_count(shape)));
  generate(name, -1, 1, values);
  return values;
}

}  // namespace hone::testing_models
