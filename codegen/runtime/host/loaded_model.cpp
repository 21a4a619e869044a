// A compiled model in this process: the file is inspected, loaded, and given memory and threads.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

Status inspect_file(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(std::string("cannot open the model: ") + std::strerror(errno), file);
  struct stat info{};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
    close(fd);
    return fail("no compiled model: not a file with content", file, "make one with 'hone build'");
  }
  const size_t bytes = static_cast<size_t>(info.st_size);
  void* map = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (map == MAP_FAILED) return fail(std::string("cannot map the model: ") + std::strerror(errno), file);
  Status status = inspect_shared_object({static_cast<const std::byte*>(map), bytes});
  munmap(map, bytes);
  if (!status) {
    status.error().where = file;
    if (status.error().hint.empty()) status.error().hint = "make one with 'hone build'";
  }
  return status;
}

}  // namespace

struct LoadedModel::State {
  void* handle = nullptr;
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
    if (handle != nullptr) dlclose(handle);
  }

  template <class Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
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

Result<LoadedModel> LoadedModel::load(const std::string& file, int threads) {
  HONE_RETURN_IF_ERROR(inspect_file(file));
  auto state = std::make_unique<State>();
  // A name without a slash would be searched for in the library path.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  state->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (state->handle == nullptr) return fail(std::string("the loader refused it: ") + dlerror(), file);
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
