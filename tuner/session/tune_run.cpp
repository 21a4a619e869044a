// Starts the three programs, waits for events, interrupts and deaths in one place.
#include "tuner/session/tune_run.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "codegen/base/temporary_folder.h"
#include "tuner/session/job_client.h"
#include "tuner/session/processes.h"

namespace hone::session {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A program that dies this often within the window is not started again.
constexpr size_t deaths_allowed = 5;
constexpr seconds death_window{20};

/// One of the three programs, and when it died lately.
struct Program {
  std::string name;
  Child child;
  std::vector<Clock::time_point> deaths;

  Result<bool> restart_if_dead(const TellNews& tell) {
    if (!child.ended()) return false;
    const auto now = Clock::now();
    std::erase_if(deaths, [&](Clock::time_point at) { return now - at > death_window; });
    deaths.push_back(now);
    if (deaths.size() > deaths_allowed) return fail(name + " keeps dying: " + child.how_it_ended());
    if (tell) tell(ProgramDied{name, child.how_it_ended()});
    HONE_RETURN_IF_ERROR(child.restart());
    return true;
  }
};

class LocalRun {
 public:
  static Result<TuneOutcome> perform(const TuneRun& run, const TellNews& tell, const Interrupt& interrupt) {
    constexpr size_t most_characters = 59;  // a socket's path may have about 100
    HONE_TRY(const TemporaryFolder folder, TemporaryFolder::make("tune", 0700, most_characters));
    HONE_TRY(LocalRun local, start(run, folder.path()));
    return local.follow(tell, interrupt);
  }

 private:
  LocalRun(JobClient client, std::vector<Program> programs)
      : client_(std::move(client)), programs_(std::move(programs)) {}

  static Result<LocalRun> start(const TuneRun& run, const std::filesystem::path& folder) {
    std::error_code ignored;
    const std::filesystem::path here =
        run.programs.empty() ? std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path()
                             : run.programs;
    const std::string endpoint = "ipc://" + (folder / "scheduler").string();
    const CoreShare cores = share_cores(usable_cores(), static_cast<int>(run.request.threads));
    std::vector<std::string> measure = {"--scheduler", endpoint};
    if (run.request.threads == 1 && !cores.measuring.empty()) {
      measure.insert(measure.end(), {"--core", std::to_string(cores.measuring.back())});
    }
    std::vector<std::string> schedule = {"--listen", endpoint, "--log", run.log, "--abandon-ms", "10000"};
    for (const std::string& log : run.transfer) schedule.insert(schedule.end(), {"--transfer", log});
    std::vector<std::string> tune = {"--scheduler", endpoint};
    if (run.request.threads == 1) {  // several threads wait for each other: nothing may be in their way
      for (const int core : cores.idle()) tune.insert(tune.end(), {"--idle-cores", std::to_string(core)});
    }
    struct Start {
      const char* name;
      std::vector<std::string> arguments;
      std::vector<int> cores;
    };
    const std::array<Start, 3> starts = {
        // A job that an earlier, killed run left in the log's journal has nobody who waits for it.
        Start{"hone-scheduler", schedule, cores.building}, Start{"hone-tuner", tune, cores.building},
        // A runner that was given a core pins its measurements to it and itself stays off it.
        Start{"hone-runner", measure, measure.size() > 2 ? std::vector<int>() : cores.measuring}};
    std::vector<Program> programs;
    for (const Start& start : starts) {
      HONE_TRY(Child child, Child::start({here / start.name, start.arguments, start.cores,
                                          folder / (std::string(start.name) + ".txt")}));
      programs.push_back({start.name, std::move(child), {}});
    }
    HONE_TRY(JobClient client, JobClient::connect(endpoint, run.request));
    return LocalRun(std::move(client), std::move(programs));
  }

  Result<TuneOutcome> follow(const TellNews& tell, const Interrupt& interrupt) {
    TuneOutcome outcome;
    const Status watched = watch(tell, interrupt, outcome);
    end();
    if (!watched) return pass(watched.error());
    if (outcome.last.state == "Failed") return fail("the job failed: " + outcome.last.reason);
    return outcome;
  }

  /// Until the job is over, or was interrupted and does not end. Error: a program keeps dying, the scheduler
  /// refuses.
  Status watch(const TellNews& tell, const Interrupt& interrupt, TuneOutcome& outcome) {
    auto give_up = Clock::time_point::max();
    while (!is_over(outcome.last.state) && Clock::now() < give_up) {
      std::vector<int> descriptors;
      if (interrupt.fd() >= 0) descriptors.push_back(interrupt.fd());
      for (const Program& program : programs_) descriptors.push_back(program.child.fd());
      const Waited waited = client_.wait(give_up, descriptors);
      if (std::ranges::find(waited.ready, interrupt.fd()) != waited.ready.end() && interrupt.take()) {
        if (outcome.interrupted) break;  // asked twice: the journal is durable, leave at once
        outcome.interrupted = true;
        give_up = Clock::now() + seconds(10);
        client_.stop();
        if (tell) tell(Stopping{});
      }
      for (Program& program : programs_) {
        HONE_TRY(const bool restarted, program.restart_if_dead(tell));
        if (restarted && &program == &programs_.front()) HONE_RETURN_IF_ERROR(client_.reconnect());
      }
      HONE_TRY(std::optional<wire::JobEvent> event, client_.take());
      if (event) {
        outcome.last = std::move(*event);
        if (tell) tell(outcome.last);
      }
    }
    return {};
  }

  /// Runner and tuner first, then the scheduler, which compacts the log when it ends.
  void end() {
    for (size_t i = programs_.size(); i-- > 1;) programs_[i].child.signal(SIGTERM);
    for (size_t i = programs_.size(); i-- > 1;) programs_[i].child.stop(seconds(2));
    programs_.front().child.stop(seconds(30));
  }

  JobClient client_;
  std::vector<Program> programs_;
};

}  // namespace

Result<TuneOutcome> run_tuning(const TuneRun& run, const TellNews& tell, const Interrupt& interrupt) {
  return LocalRun::perform(run, tell, interrupt);
}

}  // namespace hone::session
