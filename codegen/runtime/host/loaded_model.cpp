// A compiled model in this process: the file is read, verified, mapped, and given memory and threads.
#include <utility>

#include "codegen/runtime/host/host.h"
#include "codegen/runtime/host/model_file.h"

namespace hone {
namespace {

tl::unexpected<Error> located(Error error, const std::string& file) {
  error.where = file;
  if (error.hint.empty()) error.hint = "make one with 'hone build'";
  return pass(std::move(error));
}

Status check_notes(const ModelNotes& notes, bool digests_required) {
  if (digests_required) HONE_RETURN_IF_ERROR(require_digests(notes));
  if (notes.target.empty()) return {};
  HONE_TRY(const Target target, parse_target(notes.target));
  return check_processor(target);
}

}  // namespace

struct LoadedModel::State {
  explicit State(LoadedImage loaded) : image(std::move(loaded)) {}
  LoadedImage image;
  bool has_digests = false;
  std::vector<GuardedBuffer> memory;
  hone_model_instance* instance = nullptr;

  decltype(&hone_model_description) description = nullptr;
  decltype(&hone_model_abi_version) abi_version = nullptr;
  decltype(&hone_model_input_count) input_count = nullptr;
  decltype(&hone_model_output_count) output_count = nullptr;
  decltype(&hone_model_input) input = nullptr;
  decltype(&hone_model_output) output = nullptr;
  decltype(&hone_model_memory_bytes) memory_bytes = nullptr;
  decltype(&hone_model_create) create = nullptr;
  decltype(&hone_model_destroy) destroy = nullptr;
  decltype(&hone_model_run) run = nullptr;
  decltype(&hone_model_run_timed) run_timed = nullptr;
  decltype(&hone_model_operator_count) operator_count = nullptr;

  ~State() {
    if (instance != nullptr) destroy(instance);
  }

  template <class Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(image.function(name));
    return function != nullptr;
  }
  bool find_all() {
    return find(description, "hone_model_description") && find(abi_version, "hone_model_abi_version") &&
           find(input_count, "hone_model_input_count") && find(output_count, "hone_model_output_count") &&
           find(input, "hone_model_input") && find(output, "hone_model_output") &&
           find(memory_bytes, "hone_model_memory_bytes") && find(create, "hone_model_create") &&
           find(destroy, "hone_model_destroy") && find(run, "hone_model_run") &&
           find(run_timed, "hone_model_run_timed") && find(operator_count, "hone_model_operator_count");
  }
};

Result<LoadedModel> LoadedModel::load(const std::string& file, int threads, bool digests_required) {
  HONE_TRY(FileBytes bytes, FileBytes::read(file));
  const auto image = ElfImage::parse(bytes.bytes(), kMostModelBytes);
  if (!image) return located(image.error(), file);
  const auto notes = verify_model(*image);
  if (!notes) return located(notes.error(), file);
  if (const Status fit = check_notes(*notes, digests_required); !fit) return located(fit.error(), file);
  auto loaded = LoadedImage::map(*image, std::move(bytes));
  if (!loaded) return located(loaded.error(), file);
  auto state = std::make_unique<State>(std::move(*loaded));
  state->has_digests = notes->has_digests;
  if (!state->find_all())
    return fail("no compiled model: it lacks hone_model functions", file, "make one with 'hone build'");
  if (state->abi_version() != HONE_ABI_VERSION)
    return fail("the model has ABI version " + std::to_string(state->abi_version()) +
                    ", this program reads " + std::to_string(HONE_ABI_VERSION),
                file, "build the model again");
  HONE_TRY(GuardedBuffer memory, GuardedBuffer::allocate(static_cast<int64_t>(state->memory_bytes())));
  state->memory.push_back(std::move(memory));
  state->instance = state->create(state->memory[0].data(), threads);
  if (state->instance == nullptr)
    return fail("the model could not start its threads", file, "use fewer threads");
  return LoadedModel(std::move(state));
}

LoadedModel::LoadedModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
LoadedModel::LoadedModel(LoadedModel&&) noexcept = default;
LoadedModel& LoadedModel::operator=(LoadedModel&&) noexcept = default;
LoadedModel::~LoadedModel() = default;

bool LoadedModel::has_digests() const { return state_->has_digests; }
std::string LoadedModel::description() const { return state_->description(); }

std::vector<hone_model_tensor> LoadedModel::inputs() const {
  std::vector<hone_model_tensor> tensors;
  for (int32_t i = 0; i < state_->input_count(); ++i) {
    hone_model_tensor tensor{};
    if (state_->input(i, &tensor) == 0) tensors.push_back(tensor);
  }
  return tensors;
}

std::vector<hone_model_tensor> LoadedModel::outputs() const {
  std::vector<hone_model_tensor> tensors;
  for (int32_t i = 0; i < state_->output_count(); ++i) {
    hone_model_tensor tensor{};
    if (state_->output(i, &tensor) == 0) tensors.push_back(tensor);
  }
  return tensors;
}

int LoadedModel::operator_count() const { return state_->operator_count(); }

Status LoadedModel::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) {
  HONE_CHECK(inputs.size() == static_cast<size_t>(state_->input_count()));
  HONE_CHECK(outputs.size() == static_cast<size_t>(state_->output_count()));
  if (state_->run(state_->instance, inputs.data(), outputs.data()) != 0)
    return fail("the model refused a null pointer");
  return {};
}

Status LoadedModel::run_timed(const std::vector<const void*>& inputs, const std::vector<void*>& outputs,
                              std::vector<int64_t>& ns) {
  ns.assign(static_cast<size_t>(operator_count()), 0);
  if (state_->run_timed(state_->instance, inputs.data(), outputs.data(), ns.data()) != 0)
    return fail("the model refused a null pointer");
  return {};
}

}  // namespace hone
