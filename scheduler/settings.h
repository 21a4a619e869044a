// Every number the scheduler goes by, with its unit. Defaults suit one machine with one board.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "measure/measurement.h"
#include "measure/wire.h"

namespace hone::scheduler {

struct Settings {
  using Milliseconds = std::chrono::milliseconds;

  Milliseconds heartbeat{500};       ///< how often a worker speaks at least
  Milliseconds loss{3000};           ///< a worker that was silent for longer is lost, and with it its leases
  Milliseconds lease{5000};          ///< a lease that its holder does not name in a state for longer is lost
  Milliseconds round_limit{120000};  ///< a round that gives nothing for longer is taken away
  Milliseconds measure_slack{
      10000};  ///< added to a measurement's own deadlines before its lease is taken away
  Milliseconds upload{10000}, run{10000};  ///< deadlines of one measurement on its board
  Milliseconds event{250};                 ///< between two job events to one client
  Milliseconds worker_wait{60000};         ///< a job without a fitting board or tuner fails after this
  Milliseconds abandon{
      0};  ///< a job that no client follows gets no more rounds and is stopped after this; 0: never
  Milliseconds snapshot{5000};   ///< how often a running job's progress is journaled
  Milliseconds look_at_files{1000};  ///< how often an idle scheduler looks whether its files are there
  Milliseconds slow_disk{2000};  ///< a commit that takes longer, or half a lease, is trouble that clients see

  uint32_t round_size = 8;  ///< candidates of one round
  uint32_t lanes = 16;      ///< targets and models of boards that one job uses
  uint32_t prefetch = 3;    ///< measurements leased to one board at once: one runs, the others upload
  uint32_t queue_rounds =
      3;  ///< rounds' worth of built candidates that wait for a board before tuners get no more
  uint32_t board_attempts = 3;  ///< boards lost by one candidate before it is set aside
  uint32_t unhealthy_attempts = 3;
  uint32_t round_attempts = 2;  ///< tuners lost by one round before it is dropped
  /// Tuners that left before they said that they hold it: hardly the round's fault, but a limit all the same.
  uint32_t round_departures = 50;

  Milliseconds check{10000};                        ///< deadline of a health check on its board
  Milliseconds backoff{2000}, backoff_most{60000};  ///< first and longest time of a quarantine; it doubles
  uint32_t quarantine_after = 3;  ///< faults of a board before a passed check no longer suffices
  uint32_t forgive_after = 10;    ///< good results in a row that take back one fault
  uint32_t suspect_after = 8;     ///< failed results in a row after which a board is checked
  // What users may take at most:
  size_t open_jobs = 1024, open_jobs_of_user = 256;      ///< that have not ended
  size_t job_bytes = 32u << 20;                          ///< of one job's texts
  size_t open_job_bytes_of_user = 128u << 20;            ///< of all that have not ended
  size_t kept_jobs = 1000, kept_job_bytes = 256u << 20;  ///< that have ended: the oldest are forgotten
  size_t boards = wire::Limits::tasks;                   ///< known at once; of one key alone: `boards_of_key`
  size_t boards_of_key = 2048;
  double slow_factor = 1.5;  ///< a reference kernel that takes so many times the usual is a failed check

  /// Few: what matters about a candidate is whether it may be among the best, and those are measured again.
  SamplingParameters sampling = {.min_samples = 4, .max_samples = 10, .out_factor = 1.03};
  SamplingParameters final_sampling = {.min_samples = 8,
                                       .max_samples = 12,
                                       .target_spread = 0.02,
                                       .budget = Milliseconds(200),
                                       .race_factor = 1e6};  ///< no race (runners of old knew no 0)
  int finalists = 3;    ///< measured again with trial 0 at the end of a task
  int repetitions = 3;  ///< of the finalists, at most: they end once the same one was fastest twice running
  double final_margin =
      0.03;  ///< a finalist that is slower than the fastest by more is left out of the next repetition
  size_t hints = 12;     ///< best points of like tasks that a round carries
  int top_records = 16;  ///< best records that a round carries

  uint32_t settle_trials =
      64;  ///< a task without an improvement above `noise` for that many trials is finished
  double small_share =
      0.02;  ///< a task that takes less of the model's time needs proportionally fewer, down to a quarter
  double noise = 0.005;    ///< part of a time that counts as no improvement
  uint32_t hopeless = 24;  ///< failures before the first success that finish a task

  size_t train_every = 64;   ///< new records between two trainings (or a tenth of all, if that is more)
  size_t train_rows = 4000;  ///< newest records that are trained on

  Milliseconds featurise{5000};  ///< that a search waits for earlier records' features in this version

  size_t artifact_count = 8192;  ///< caps of the artifact store
  size_t artifact_bytes = size_t{1} << 30;
};

}  // namespace hone::scheduler
