// `hone run`: a compiled model on pictures or tensors, once.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <sstream>

#include "codegen/base/input_file.h"
#include "tuner/cli/built_model.h"
#include "tuner/cli/picture.h"
#include "tuner/cli/tensor_file.h"

namespace hone::cli {
namespace {

struct RunFlags {
  BuiltModelFlags built;
  std::string labels;
  std::vector<std::string> inputs, outputs;
  int threads = 1, top_k = 0;
};

Shape shape_of(const hone_model_tensor& tensor) { return Shape(tensor.shape, tensor.shape + tensor.rank); }

Result<std::vector<float>> read_input(const std::string& file, const hone_model_tensor& wanted,
                                      const Preprocessing& preprocessing) {
  const std::string ending = std::filesystem::path(file).extension().string();
  if (ending != ".npy" && ending != ".pb") return picture_tensor(file, shape_of(wanted), preprocessing);
  HONE_TRY(PlainTensor tensor, read_tensor(file));
  // One sample without the dimension of the batch is fine.
  Shape shape = tensor.shape, need = shape_of(wanted);
  if (shape.size() + 1 == need.size() && need[0] == 1) shape.insert(shape.begin(), 1);
  if (shape != need)
    return fail("the tensor's shape is " + to_text(tensor.shape) + ", input '" + wanted.name + "' is " +
                    to_text(need),
                file);
  return std::move(tensor.values);
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

/// "n02123045 tabby, tabby cat" is printed without its synset number.
std::string without_synset(const std::string& label) {
  const bool synset =
      label.size() > 10 && label[0] == 'n' && label[9] == ' ' &&
      std::all_of(label.begin() + 1, label.begin() + 9, [](char c) { return c >= '0' && c <= '9'; });
  return synset ? label.substr(10) : label;
}

void print_top(const std::vector<float>& values, int k, const std::vector<std::string>& labels,
               const Output& output) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto count = static_cast<ptrdiff_t>(std::min<size_t>(static_cast<size_t>(k), order.size()));
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](size_t a, size_t b) { return values[a] > values[b]; });
  for (ptrdiff_t i = 0; i < count; ++i) {
    const size_t at = order[static_cast<size_t>(i)];
    output.data(fmt::format("{:.2f}  {}", values[at],
                            labels.empty() ? std::to_string(at) : without_synset(labels[at])));
  }
}

Status run_model(const RunFlags& flags, const Output& output) {
  HONE_TRY(LoadedModel model, load_built_model(flags.built, flags.threads, output));
  HONE_TRY(const std::optional<Preprocessing> said, described_preprocessing(model.description()));
  const std::vector<hone_model_tensor> inputs = model.inputs(), outputs = model.outputs();
  if (flags.inputs.size() != inputs.size())
    return fail(fmt::format("the model has {} input{}, {} given", inputs.size(),
                            inputs.size() == 1 ? "" : "s", flags.inputs.size()),
                flags.built.model, "repeat --input, in the model's order");
  if (flags.outputs.size() > outputs.size())
    return fail(
        fmt::format("the model has {} outputs, {} files to write", outputs.size(), flags.outputs.size()),
        flags.built.model);
  std::vector<std::string> labels;
  if (!flags.labels.empty()) {
    HONE_TRY(labels, read_labels(flags.labels, element_count(shape_of(outputs[0]))));
  }
  std::vector<std::vector<float>> in;
  std::vector<const void*> in_pointers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    HONE_TRY(std::vector<float> values,
             read_input(flags.inputs[i], inputs[i], said.value_or(Preprocessing{})));
    in.push_back(std::move(values));
  }
  for (const auto& values : in) in_pointers.push_back(values.data());
  std::vector<PlainTensor> out;
  std::vector<void*> out_pointers;
  for (const hone_model_tensor& tensor : outputs) {
    const Shape shape = shape_of(tensor);
    out.push_back({shape, std::vector<float>(static_cast<size_t>(element_count(shape)))});
  }
  for (PlainTensor& tensor : out) out_pointers.push_back(tensor.values.data());
  HONE_RETURN_IF_ERROR(model.run(in_pointers, out_pointers));
  for (size_t i = 0; i < flags.outputs.size(); ++i) HONE_RETURN_IF_ERROR(write_npy(flags.outputs[i], out[i]));
  const int k = flags.top_k > 0 ? flags.top_k : flags.outputs.empty() || !labels.empty() ? 5 : 0;
  if (k > 0) print_top(out[0].values, k, labels, output);
  return {};
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", "Run a built model on a picture or a tensor");
  add_built_model_flags(*command, flags->built);
  command->add_option("--input", flags->inputs, "a .npy, .pb, .jpg or .png file; once per input")->required();
  command->add_option("--output", flags->outputs, "write the output as .npy; once per output");
  command->add_option("--top-k", flags->top_k, "print the largest elements of the first output (default 5)")
      ->check(CLI::PositiveNumber);
  command->add_option("--labels", flags->labels, "names of the elements, one a line");
  command->add_option("--threads", flags->threads, "that take part")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->callback([flags, &context] {
    const Status status = run_model(*flags, context.output);
    if (status) return;
    context.output.error(status.error());
    context.exit_code = kFailure;
  });
}

}  // namespace hone::cli
