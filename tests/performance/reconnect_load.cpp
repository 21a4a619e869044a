// A lab whose scheduler is killed and started anew: all boards connect again at once. Prints how many results
// a second it took before and after, when so many boards were back, and what memory it has then.
#include "measure/keys.h"
#include "tests/performance/load_parts.h"

namespace hone::load {
namespace {

struct Lab {
  Lab(const Options& options, std::string where) : folder(std::move(where)) {
    const std::string port = std::to_string(20000 + ::getpid() % 20000);
    endpoint = options.tcp || options.keys ? "tcp://127.0.0.1:" + port : "ipc://" + folder + "/socket";
    arguments = {"--listen", endpoint,       "--log", folder + "/log.h5", "--settle-trials",
                 "1000000",  "--round-size", "64",    "--worker-wait-ms", "60000"};
    if (!options.keys) return;
    for (const char* role : {"scheduler", "client", "tuner", "runner"}) {
      const KeyPair keys = make_key_pair();
      AllowedKey allowed;
      if (!write_key_pair(folder + "/" + role, keys)) give_up("no keys");
      if (!set_role(allowed, role)) continue;
      allowed.public_key = keys.public_key;
      allowed.name = role;
      if (!add_to_key_list(folder + "/list", allowed)) give_up("no list of keys");
    }
    arguments.insert(arguments.end(), {"--key", folder + "/scheduler.key", "--keys", folder + "/list"});
    is_keyed = true;
  }
  std::vector<std::string> key(const std::string& role) const {
    if (!is_keyed) return {};
    return {"--key", folder + "/" + role + ".key", "--server-key", folder + "/scheduler.pub"};
  }
  TransportOptions transport(const std::string& role) const {
    TransportOptions out;
    if (is_keyed) out.keys = *peer_keys(folder + "/" + role + ".key", folder + "/scheduler.pub");
    return out;
  }
  std::string folder, endpoint;
  std::vector<std::string> arguments;
  bool is_keyed = false;
};

double rate(Client& client, double seconds) {
  const TimePoint began = Clock::now();
  const uint64_t before = client.results(began);
  const uint64_t after = client.results(began + milliseconds(static_cast<int64_t>(seconds * 1000)));
  return static_cast<double>(after - before) / std::chrono::duration<double>(Clock::now() - began).count();
}

}  // namespace

void measure_reconnects(const Options& options, int boards) {
  std::string folder = options.folder + "/hone-load-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) give_up("no temporary folder");
  const Lab lab(options, folder);
  std::ofstream(folder + "/script") << "seed 1\nnoise 0.01\nsamples 10\nspeed 0.8 1.2\npace 1\n"
                                    << "time_ns 100000000 200000000\n";
  {
    const std::string program = options.programs + "/hone-scheduler";
    auto scheduler = std::make_unique<Program>(program, lab.arguments, folder + "/scheduler.out");
    std::vector<std::string> rack = {"--scheduler", lab.endpoint,       "--name",   "runner",
                                     "--simulate",  folder + "/script", "--boards", std::to_string(boards)};
    for (const std::string& word : lab.key("runner")) rack.push_back(word);
    Program simulator(options.programs + "/hone-runner", rack, folder + "/boards.out");
    auto tuner = std::make_unique<Tuner>(lab.endpoint, 8, lab.transport("tuner"));
    auto client = std::make_unique<Client>(lab.endpoint, lab.transport("client"));
    client->submit(options.tasks);
    const auto patience = Clock::now() + std::chrono::seconds(120);
    if (client->results(patience, static_cast<uint64_t>(3 * boards)) == 0)
      give_up("no result within two minutes: see " + folder);
    const double before = rate(*client, options.seconds), memory = scheduler->memory_mb();
    const uint64_t job = client->job();

    scheduler.reset();  // killed
    tuner.reset();
    const TimePoint began = Clock::now();
    scheduler = std::make_unique<Program>(program, lab.arguments, folder + "/scheduler.2.out");
    client = std::make_unique<Client>(lab.endpoint, lab.transport("client"));
    const auto since = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
    double first = 0, half = 0, all = 0;
    uint32_t back = 0;
    while (back < static_cast<uint32_t>(boards) && since() < 120) {
      back = client->status().boards;
      if (first == 0 && back > 0) first = since();
      if (half == 0 && 2 * back >= static_cast<uint32_t>(boards)) half = since();
      std::this_thread::sleep_for(milliseconds(20));
    }
    all = since();
    const double cpu = scheduler->cpu_seconds();
    tuner = std::make_unique<Tuner>(lab.endpoint, 8, lab.transport("tuner"));
    client->follow(job);
    (void)client->results(Clock::now() + std::chrono::seconds(5));
    const double after = rate(*client, options.seconds);
    const wire::SchedulerStatus status = client->status();
    std::printf(
        "%d boards%s: back %u, the first after %.2f s, half after %.2f, all after %.2f (%.2f s of the "
        "scheduler's "
        "processors); results/s %.0f before, %.0f after; scheduler MB %.0f before, %.0f after; refused %llu, "
        "lost %llu\n",
        boards, lab.is_keyed ? " with keys" : "", back, first, half, all, cpu, before, after, memory,
        scheduler->memory_mb(), static_cast<unsigned long long>(status.refused),
        static_cast<unsigned long long>(status.lost_workers));
    std::fflush(stdout);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace hone::load
