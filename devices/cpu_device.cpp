#include "devices/cpu_device.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "devices/sandbox.h"

extern char** environ;

namespace hone {
namespace {

constexpr int server_fd = 3;  ///< where the child server finds its socket

/// The last core this process may use, -1 if it cannot be told.
int last_core() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  for (int core = CPU_SETSIZE - 1; core >= 0; --core)
    if (CPU_ISSET(static_cast<size_t>(core), &set)) return core;
  return -1;
}

/// Keeps the calling thread, and all it starts, off a core, if it may use another one.
void leave_core(int core) {
  cpu_set_t set;
  if (core < 0 || ::sched_getaffinity(0, sizeof set, &set) != 0) return;
  CPU_CLR(static_cast<size_t>(core), &set);
  if (CPU_COUNT(&set) > 0) (void)::sched_setaffinity(0, sizeof set, &set);
}

/// -1 if the file does not hold a number.
double number_in(const std::string& path) {
  std::ifstream file(path);
  double value;
  return file >> value ? value : -1;
}

template <size_t N>
void copy_text(char (&to)[N], const std::string& from) {
  size_t bytes = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), bytes);
  to[bytes] = 0;
}

Result<int> memory_file(std::span<const std::byte> bytes) {
  int file = ::memfd_create("hone-artifact", MFD_CLOEXEC);
  if (file < 0) return fail(std::string("no memory file: ") + std::strerror(errno));
  for (size_t done = 0; done < bytes.size();) {
    ssize_t written = ::write(file, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      ::close(file);
      return fail(std::string("a memory file cannot be written: ") + std::strerror(errno));
    }
    done += static_cast<size_t>(written);
  }
  return file;
}

/// MemAvailable, -1 if it cannot be told.
int64_t free_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("MemAvailable:")) return std::strtoll(line.c_str() + 13, nullptr, 10) * 1024;
  return -1;
}

std::string os_name() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=\"")) return line.substr(13, line.rfind('"') - 13);
  return "unknown";
}

/// What children may know of this process's environment: where programs and libraries lie, no user's secrets.
std::vector<char*> harmless_environment() {
  std::vector<char*> kept;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry), name = text.substr(0, text.find('='));
    if (name == "PATH" || name == "TMPDIR" || name.starts_with("LD_") || name.starts_with("QEMU_") ||
        name.starts_with("HONE_") || name.ends_with("SAN_OPTIONS"))
      kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

DeviceResult board_trouble(MeasureStatus status, std::string message) {
  DeviceResult result;
  result.measurement.status = status;
  result.measurement.message = std::move(message);
  return result;
}

}  // namespace

CpuDevice::CpuDevice(CpuDeviceOptions options) : options_(std::move(options)), board_(probe_board()) {
  if (options_.core < 0) options_.core = last_core();
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    static_assert(sizeof set == sizeof cores_);
    std::memcpy(cores_, &set, sizeof set);
    usable_ = CPU_COUNT(&set);
  }
  if (options_.memory_bytes == 0)
    options_.memory_bytes =
        static_cast<uint64_t>(std::max<int64_t>(board_.memory_bytes / 2, int64_t{1} << 30));
}

Result<std::unique_ptr<CpuDevice>> CpuDevice::create(CpuDeviceOptions options) {
  std::unique_ptr<CpuDevice> device(new CpuDevice(std::move(options)));
  const int core = device->options_.core;
  if (core >= 1024 || (core >= 0 && !(device->cores_[core / 64] >> (core % 64) & 1)))
    return fail("core " + std::to_string(core) + " is not one that this process may use", "--core");
  HONE_RETURN_IF_ERROR(device->start_server());
  device->facts_.os = os_name();
  device->facts_.emulated = device->board_.model.ends_with(" (emulated)");
  const double khz = number_in("/sys/devices/system/cpu/cpu" + std::to_string(std::max(core, 0)) +
                               "/cpufreq/cpuinfo_max_freq");
  if (khz > 0) device->facts_.max_frequency_mhz = khz / 1000;
  // What this board can do for artifacts is said in the hello.
  const wire::HealthReport health = device->check(std::chrono::milliseconds(0));
  if (!health.ok)
    return fail("a known kernel in a child failed: " + health.message, device->options_.server_program);
  leave_core(device->options_.core);
  return device;
}

CpuDevice::~CpuDevice() { stop_server(); }

Status CpuDevice::start_server() {
  std::array<int, 2> sockets;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0)
    return fail(std::string("no socket pair for the child server: ") + std::strerror(errno));
  // Its own process group: a terminal's Ctrl-C is for the runner, which then closes the socket.
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  // dup2 of a descriptor onto itself would leave it closed on exec, so it goes by another number.
  const int inherited = ::fcntl(sockets[1], F_DUPFD_CLOEXEC, 10);
  ::posix_spawn_file_actions_adddup2(&actions, inherited, server_fd);
  std::string number = std::to_string(server_fd), flag = "--child-server";
  char* arguments[] = {options_.server_program.data(), flag.data(), number.data(), nullptr};
  pid_t process = -1;
  std::vector<char*> environment = harmless_environment();
  int error = ::posix_spawn(&process, options_.server_program.c_str(), &actions, &attributes, arguments,
                            environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(inherited);
  ::close(sockets[1]);
  if (error != 0) {
    ::close(sockets[0]);
    return fail(std::string("the child server cannot be started: ") + std::strerror(error),
                options_.server_program);
  }
  socket_ = sockets[0];
  server_ = process;
  return {};
}

void CpuDevice::stop_server() {
  if (socket_ >= 0) ::close(socket_);
  if (server_ > 0) {
    ::kill(server_, SIGKILL);  // a child of it dies with it
    while (::waitpid(server_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  socket_ = server_ = -1;
}

Status CpuDevice::send(const ChildRequest& request, std::span<const std::byte> artifact,
                       std::span<const std::byte> reference) {
  HONE_TRY(int artifact_file, memory_file(artifact));
  auto reference_file = memory_file(reference);
  if (!reference_file) {
    ::close(artifact_file);
    return pass(std::move(reference_file).error());
  }
  const std::array<int, 2> files = {artifact_file, *reference_file};
  iovec part{const_cast<ChildRequest*>(&request), sizeof request};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof files)] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof files);
  std::memcpy(CMSG_DATA(header), files.data(), sizeof files);
  ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
  const int error = errno;
  for (int file : files) ::close(file);
  if (sent != static_cast<ssize_t>(sizeof request))
    return fail(std::string("the child server is gone: ") + std::strerror(error));
  return {};
}

Result<std::unique_ptr<ServerReply>> CpuDevice::receive(TimePoint deadline) {
  for (;;) {
    pollfd events[] = {{socket_, POLLIN, 0}, {cancelled_.fd(), POLLIN, 0}};
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    int ready = ::poll(events, 2, static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return fail("the child server does not answer");
    if (events[1].revents) {
      cancelled_.clear();
      return fail("cancelled");
    }
    auto reply = std::make_unique<ServerReply>();
    ssize_t got = ::recv(socket_, reply.get(), sizeof *reply, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got != static_cast<ssize_t>(sizeof *reply) || reply->magic != child_magic)
      return fail("the child server died");
    return reply;
  }
}

Result<std::unique_ptr<ServerReply>> CpuDevice::ask(const ChildRequest& request,
                                                    std::span<const std::byte> artifact,
                                                    std::span<const std::byte> reference) {
  if (socket_ < 0) HONE_RETURN_IF_ERROR(start_server());
  auto sent = send(request, artifact, reference);
  auto deadline = std::chrono::steady_clock::now() +
                  std::chrono::milliseconds(request.run_ms + request.reference_ms + 10000);
  auto reply = sent ? receive(deadline) : Result<std::unique_ptr<ServerReply>>(pass(sent.error()));
  if (!reply) stop_server();
  return reply;
}

wire::HealthReport CpuDevice::check(std::chrono::milliseconds deadline) {
  wire::HealthReport health;
  const Health now = this->health();
  health.temperature_celsius = now.temperature_celsius;
  health.frequency_mhz = now.frequency_mhz;
  health.free_memory_bytes = free_memory();
  std::error_code ignored;
  if (const auto space = std::filesystem::space("/tmp", ignored); !ignored)
    health.free_disk_bytes = static_cast<int64_t>(space.available);
  ChildRequest request;
  request.check = 1;
  request.l2_bytes = l2_bytes();
  request.run_ms = deadline.count() > 0 ? deadline.count() : options_.run.count();
  request.memory_bytes = options_.memory_bytes;
  if (options_.core >= 0 && options_.core < 1024)
    request.cores[options_.core / 64] = uint64_t{1} << (options_.core % 64);
  const auto reply = ask(request, {}, {});
  if (!reply) {
    health.message = reply.error().text();
    return health;
  }
  const Measurement result = judge(**reply, request.run_ms);
  facts_.sandbox = missing_parts((*reply)->report.sandbox_partial);
  const double pulse = (*reply)->report.reference_ns;
  if (std::isfinite(pulse) && pulse > 0) health.reference_ns = pulse;
  health.ok = result.status == MeasureStatus::ok;
  health.message = result.message;
  return health;
}

DeviceResult CpuDevice::measure_once(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                                     std::span<const std::byte> reference) {
  ChildRequest child;
  child.threads = static_cast<int32_t>(std::max<uint32_t>(1, request.threads));
  if (child.threads > 1)
    std::copy(std::begin(cores_), std::end(cores_), child.cores);
  else if (options_.core >= 0 && options_.core < 1024)
    child.cores[options_.core / 64] = uint64_t{1} << (options_.core % 64);
  copy_text(child.purpose, request.seed);
  child.task_key = request.task_key;
  child.reference = request.reference;
  child.artifact_bytes = artifact.size();
  child.reference_bytes = reference.size();
  child.dram = request.mode == TimingMode::dram;
  child.min_samples = request.sampling.min_samples;
  child.max_samples = request.sampling.max_samples;
  child.target_spread = request.sampling.target_spread;
  child.race_factor = request.sampling.race_factor;
  child.out_factor = request.sampling.out_factor;
  child.best_ns = request.best_ns;
  child.budget_ms = request.sampling.budget.count();
  child.run_ms = request.run_ms ? request.run_ms : options_.run.count();
  child.reference_ms = options_.reference.count();
  child.memory_bytes = options_.memory_bytes;
  child.l2_bytes = l2_bytes();
  child.emulated = facts_.emulated;

  auto reply = ask(child, artifact, reference);
  if (!reply) {
    bool cancelled = reply.error().what == "cancelled";
    return board_trouble(cancelled ? MeasureStatus::board_lost : MeasureStatus::board_unhealthy,
                         reply.error().text());
  }
  const ServerReply& r = **reply;
  times_ = {.reference = r.reference_ms,
            .fork = r.fork_ms,
            .load = r.report.load_ms,
            .fill = r.fill_ms + r.report.fill_ms,
            .check = r.report.check_ms + r.check_ms,
            .run = r.report.run_ms,
            .batch = r.batch_ms,
            .whole = r.whole_ms};
  if (r.report.sandbox_partial && !std::exchange(said_partial_, true))
    std::fprintf(stderr, "hone-runner: the sandbox of artifacts is partial: %s\n",
                 missing_parts(r.report.sandbox_partial).c_str());
  DeviceResult result;
  result.measurement = judge(r, child.run_ms);
  result.run_ms = std::clamp(r.report.run_ms, 0.0, r.whole_ms);
  if (!std::isfinite(result.run_ms)) result.run_ms = 0;
  result.run_ms = std::min(r.whole_ms, result.run_ms + r.batch_ms);
  result.check_ms = std::max(0.0, r.whole_ms - result.run_ms);
  return result;
}

DeviceResult CpuDevice::measure(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                                std::span<const std::byte> reference) {
  DeviceResult result;
  if (request.threads > static_cast<uint32_t>(std::max(1, usable_))) {
    result = board_trouble(MeasureStatus::board_unhealthy, "this runner may use " + std::to_string(usable_) +
                                                               " cores, " + std::to_string(request.threads) +
                                                               " threads were asked for");
  } else if (artifact.empty() || reference.empty()) {
    result = board_trouble(MeasureStatus::load_error, "an empty file is no artifact");
  } else {
    auto drifted = [&](double part) {
      const Health& health = result.measurement.health;
      return drift_.drifted(health.reference_before_ns, health.reference_after_ns, part);
    };
    result = measure_once(request, artifact, reference);
    const auto once_more = [&] {
      DeviceResult first = std::move(result);
      result = measure_once(request, artifact, reference);
      result.check_ms += first.check_ms;
      result.run_ms += first.run_ms;
    };
    if (drifted(0.1)) once_more();
    // Nobody is called a liar for what others did on this board meanwhile: who tells the truth is believed at one of
    // these, who does not at none.
    constexpr int attempts = 4;
    for (int i = 0; i < attempts && result.measurement.status == MeasureStatus::implausible_time; ++i) once_more();
    Measurement& m = result.measurement;
    if (drifted(0.5)) {
      m.status = MeasureStatus::board_unhealthy;
      m.message = "the reference kernel took " + std::to_string(m.health.reference_before_ns / 1e3) +
                  " us, " + std::to_string(drift_.median_ns() / 1e3) + " us in this session so far";
    }
    drift_.add(m.health.reference_before_ns, m.health.reference_after_ns);
  }
  Measurement& m = result.measurement;
  m.mode = request.mode;
  m.threads = static_cast<int>(request.threads);
  const Health now = health();
  m.health.temperature_celsius = now.temperature_celsius;
  m.health.frequency_mhz = now.frequency_mhz;
  return result;
}

Health CpuDevice::health() const {
  Health health;
  double millidegrees = number_in("/sys/class/thermal/thermal_zone0/temp");
  if (millidegrees > 0) health.temperature_celsius = millidegrees / 1000;
  double khz = number_in("/sys/devices/system/cpu/cpu" + std::to_string(std::max(options_.core, 0)) +
                         "/cpufreq/scaling_cur_freq");
  if (khz > 0) health.frequency_mhz = khz / 1000;
  return health;
}

}  // namespace hone
