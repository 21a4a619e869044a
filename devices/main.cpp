// hone-runner: measures artifacts for a scheduler, on this machine's board or on a simulated one.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "codegen/base/console.h"
#include "codegen/base/input_file.h"
#include "devices/child_server.h"
#include "devices/cpu_device.h"
#include "devices/runner.h"
#include "devices/simulated_rack.h"

namespace hone {
namespace {

/// A file with a script, or "seed:N" for the defaults with that seed.
Result<SimulationScript> simulation(const std::string& script) {
  std::string text = "seed " + script.substr(script.find(':') + 1);
  if (!script.starts_with("seed:")) {
    constexpr uint64_t most_bytes = 1 << 20;
    auto read = read_regular_file(script, most_bytes);
    if (!read) return fail(read.error().what, script, "--simulate takes a file or seed:N");
    text = std::move(*read);
  }
  return parse_simulation_script(text);
}

int fail_with(const Error& error);

/// Many boards at once; says at the end what they did.
int run_boards(const RunnerOptions& options, const SimulationScript& script, uint64_t boards) {
  TerminationSignals signals;
  auto counts = run_simulated_boards(options, script, boards, signals.fd());
  if (!counts) return fail_with(counts.error());
  std::array<char, 256> line = {};
  std::snprintf(
      line.data(), line.size(),
      "%llu boards: %llu measured, %llu sent, %llu committed, %llu faults, acknowledged after %.2f ms "
      "(median), %.2f ms (99 %%)",
      static_cast<unsigned long long>(boards), static_cast<unsigned long long>(counts->measured),
      static_cast<unsigned long long>(counts->sent), static_cast<unsigned long long>(counts->committed),
      static_cast<unsigned long long>(counts->faults), counts->latency_ms(0.5), counts->latency_ms(0.99));
  print_line(line.data());
  return 0;
}

int fail_with(const Error& error) {
  say("hone-runner", error.text());
  return 1;
}

int run(int argc, char** argv) {
  CLI::App app("Measures artifacts for a hone-scheduler on this board.", "hone-runner");
  RunnerOptions options;
  std::string simulate, key, server_key;
  std::string child_program = "/proc/self/exe";
  int core = -1, heartbeat_ms = 0, give_up_ms = 0, boards = 0;
  app.add_option("--scheduler", options.scheduler, "Endpoint: ipc://PATH or tcp://ADDRESS:PORT")->required();
  app.add_option("--key", key, "This runner's secret key, NAME.key of hone keygen: needed off loopback");
  app.add_option("--server-key", server_key, "The scheduler's public key, NAME.pub");
  app.add_option("--core", core, "Core that measurements are pinned to; builds should not use it");
  app.add_option(
      "--name", options.name,
      "This board's name; default: the key's own. With a key it is NAME or NAME/..., as the key owns it");
  app.add_option("--label", options.labels, "KEY=VALUE that jobs may ask for; repeatable");
  app.add_option("--heartbeat-ms", heartbeat_ms, "How often to speak; 0: what the scheduler asks for");
  app.add_option("--give-up-ms", give_up_ms, "Leave when no scheduler was heard for this long; 0: never");
  app.add_option("--simulate", simulate, "Compute times instead of measuring them: a script file, or seed:N");
  app.add_option("--boards", boards, "With --simulate: so many boards at once, in this one process")
      ->check(CLI::Range(1, 10000));
  app.add_option(
      "--child-program", child_program,
      "Started for artifacts instead of this program: under qemu-user a script that starts it there");
  CLI11_PARSE(app, argc, argv);
  options.heartbeat = std::chrono::milliseconds(heartbeat_ms);
  options.give_up = std::chrono::milliseconds(give_up_ms);

  auto keys = peer_keys(key, server_key);
  if (!keys) return fail_with(keys.error());
  options.transport.keys = std::move(*keys);

  if (boards > 0 && simulate.empty())
    return fail_with({"many boards at once can only be simulated", "--boards", "give --simulate too"});
  std::optional<SimulationScript> script;
  if (!simulate.empty()) {
    auto parsed = simulation(simulate);
    if (!parsed) return fail_with(parsed.error());
    script = std::move(*parsed);
  }
  if (boards > 0) return run_boards(options, *script, static_cast<uint64_t>(boards));

  TerminationSignals signals;  // before any thread
  std::unique_ptr<Device> device;
  if (!script) {
    CpuDeviceOptions cpu;
    cpu.server_program = child_program;
    cpu.core = core;
    auto made = CpuDevice::create(cpu);
    if (!made) return fail_with(made.error());
    device = std::move(*made);
  } else {
    device = std::make_unique<SimulatedDevice>(std::move(*script));
  }
  if (auto status = run_runner(options, *device, signals.fd()); !status) return fail_with(status.error());
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--child-server") == 0)
    return hone::serve_children(std::atoi(argv[2]));
  return hone::run_program("hone-runner", hone::run, argc, argv);
}
