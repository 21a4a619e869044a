// The end of a result's path: its work is built and leased, the board sends one message with ten raw samples,
// the scheduler journals it and acknowledges. Boards first gather leases, then all answer at once, and only
// that is timed; then they gather again.
#include <algorithm>
#include <deque>
#include <unordered_map>

#include "tests/performance/load_parts.h"

namespace hone::load {
namespace {

/// N boards with a connection each, played by one thread.
class Boards {
 public:
  Boards(const std::string& endpoint, int count, uint32_t leases) {
    TransportOptions options;
    auto shared = SharedTransport::create(static_cast<size_t>(count));
    if (!shared) give_up(shared.error().text());
    options.shared = *shared;
    options.queue_messages = 100000;
    Board board = probe_board();
    board.model = "load";
    for (int i = 0; i < count; ++i) {
      auto peer = Peer::connect(endpoint, options);
      if (!peer) give_up(peer.error().text());
      boards_.push_back({std::make_unique<Peer>(std::move(*peer)), {}});
      wire::Hello hello;
      hello.role = wire::Role::runner;
      hello.name = "load" + std::to_string(i);
      board.id = digest_of(hello.name).hex();
      hello.board = to_text(board);
      hello.capacity = leases;
      (void)boards_.back().peer->send(hello);
    }
    for (const Place& place : boards_) peers_.push_back(place.peer.get());
  }
  ~Boards() { boards_.clear(); }

  size_t gathered() const {
    size_t sum = 0;
    for (const Place& place : boards_) sum += place.held.size();
    return sum;
  }
  uint64_t committed() const { return committed_; }
  uint64_t sent() const { return sent_; }

  /// Reads what lies there, until `deadline` if nothing does.
  void read(TimePoint deadline) {
    for (const size_t i : Peer::wait_for_any(peers_, deadline).peers)
      while (auto received = boards_[i].peer->receive()) {
        if (!received->message) continue;
        if (auto* want = std::get_if<wire::Want>(&*received->message))
          std::move(want->measurements.begin(), want->measurements.end(),
                    std::back_inserter(boards_[i].held));
        if (const auto* done = std::get_if<wire::Committed>(&*received->message)) {
          const TimePoint now = Clock::now();
          committed_ += done->ids.size();
          for (const Digest& id : done->ids)
            if (const auto place = sent_at_.find(id); place != sent_at_.end()) {
              latencies_.push_back(std::chrono::duration<double, std::milli>(now - place->second).count());
              sent_at_.erase(place);
            }
        }
      }
  }

  /// One result of the next board that has one; false: none has.
  bool send_one() {
    for (size_t tried = 0; tried < boards_.size(); ++tried) {
      Place& place = boards_[next_++ % boards_.size()];
      if (place.held.empty()) continue;
      const wire::MeasureRequest request = std::move(place.held.front());
      place.held.pop_front();
      wire::Measured measured;
      measured.lease = request.lease;
      measured.id = request.id;
      for (int i = 0; i < 10; ++i)
        measured.measurement.samples_ns.push_back(
            1e5 + static_cast<double>((sent_ * 7 + static_cast<uint64_t>(i) * 131) % 5000));
      measured.check_ms = measured.run_ms = 1;
      sent_at_.emplace(request.id, Clock::now());
      while (!place.peer->send(measured)) std::this_thread::yield();
      ++sent_;
      return true;
    }
    return false;
  }
  /// Of results since the last call, sorted, ms.
  std::vector<double> take_latencies() {
    std::sort(latencies_.begin(), latencies_.end());
    return std::exchange(latencies_, {});
  }

 private:
  struct Place {
    std::unique_ptr<Peer> peer;
    std::deque<wire::MeasureRequest> held;
  };
  std::vector<Place> boards_;
  std::vector<Peer*> peers_;
  size_t next_ = 0;
  uint64_t committed_ = 0, sent_ = 0;
  std::unordered_map<Digest, TimePoint> sent_at_;
  std::vector<double> latencies_;
};

double own_cpu_seconds() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

void measure_results(const Options& options, int count) {
  std::string folder = options.folder + "/hone-load-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) give_up("no temporary folder");
  const std::string endpoint = options.tcp ? "tcp://127.0.0.1:" + std::to_string(20000 + ::getpid() % 20000)
                                           : "ipc://" + folder + "/socket";
  // Rounds of a third: then no more is built than the boards hold, and nothing is leased while they answer.
  const auto leases = static_cast<uint32_t>(std::clamp(40000 / count, 40, 512));
  {
    Program scheduler(
        options.programs + "/hone-scheduler",
        {"--listen", endpoint, "--log", folder + "/log.h5", "--settle-trials", "1000000", "--round-size",
         std::to_string(leases / 3), "--prefetch", std::to_string(leases), "--artifacts", "400000",
         "--loss-ms", "600000", "--lease-ms", "600000", "--run-ms", "600000"},
        folder + "/scheduler.out");
    Client client(endpoint);
    (void)client.status();
    const double empty_mb = scheduler.memory_mb();
    Boards boards(endpoint, count, leases);
    while (client.status().boards < static_cast<uint32_t>(count)) boards.read(Clock::now() + milliseconds(5));
    const double board_kb = (scheduler.memory_mb() - empty_mb) * 1024 / count;
    Tuner tuner(endpoint, 8);
    client.submit(options.tasks);
    // Trial 0 of every task is measured at once: without its time nothing else is built.
    const TimePoint patience = Clock::now() + std::chrono::seconds(60);
    while (boards.committed() < 2 * static_cast<uint64_t>(options.tasks)) {
      if (Clock::now() > patience) give_up("no results within a minute: see " + folder);
      boards.read(Clock::now() + milliseconds(10));
      while (boards.send_one()) {
      }
    }
    double seconds = 0, busy = 0, core = 0, others = 0, results = 0;
    std::vector<double> latencies;
    for (int cycle = 0; seconds < options.seconds && cycle < 400; ++cycle) {
      tuner.go_on();
      const size_t goal = static_cast<size_t>(count) * leases;
      for (size_t before = 0;;) {
        const TimePoint rest = Clock::now() + milliseconds(500);
        while (Clock::now() < rest && boards.gathered() < goal) boards.read(rest);
        if (boards.gathered() >= goal || boards.gathered() == before) break;
        before = boards.gathered();
      }
      tuner.pause();
      for (const TimePoint rest = Clock::now() + milliseconds(300); Clock::now() < rest;) boards.read(rest);
      (void)boards.take_latencies();
      const uint64_t wanted = boards.gathered(), sent = boards.sent(), committed = boards.committed();
      if (wanted == 0) give_up("no work was leased: see " + folder);
      const double cpu = scheduler.cpu_seconds(), loop = scheduler.cpu_seconds(true), own = own_cpu_seconds();
      const TimePoint began = Clock::now();
      while (boards.committed() - committed < wanted) {
        if (Clock::now() > began + std::chrono::seconds(60)) give_up("results are not acknowledged");
        const double due = options.rate > 0
                               ? options.rate * std::chrono::duration<double>(Clock::now() - began).count()
                               : 1e18;
        for (int i = 0;
             i < 64 && boards.sent() - sent < wanted && static_cast<double>(boards.sent() - sent) < due; ++i)
          boards.send_one();
        boards.read(boards.sent() - sent < wanted && options.rate <= 0 ? Clock::now()
                                                                       : Clock::now() + milliseconds(1));
      }
      seconds += std::chrono::duration<double>(Clock::now() - began).count();
      busy += scheduler.cpu_seconds() - cpu;
      core += scheduler.cpu_seconds(true) - loop;
      others += own_cpu_seconds() - own;
      results += static_cast<double>(wanted);
      const auto more = boards.take_latencies();
      latencies.insert(latencies.end(), more.begin(), more.end());
    }
    const wire::SchedulerStatus status = client.status();
    std::sort(latencies.begin(), latencies.end());
    const auto quantile = [&](double part) {
      return latencies.empty()
                 ? 0
                 : latencies[static_cast<size_t>(part * static_cast<double>(latencies.size() - 1))];
    };
    std::printf(
        "| %5d | %7.0f | %5.2f | %5.2f | %5.2f | %5.1f | %6.1f | %5.1f | %.2f ms, %.2f ms | %.2f ms, %.2f ms "
        "|\n",
        count, results / seconds, busy / seconds, core / seconds, others / seconds, busy / results * 1e6,
        scheduler.memory_mb(), board_kb, static_cast<double>(status.acknowledged_median_us) / 1000,
        static_cast<double>(status.acknowledged_high_us) / 1000, quantile(0.5), quantile(0.99));
    std::fflush(stdout);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace hone::load
