// `hone status`: how a scheduler itself is: its log, who is connected, whom it turned away.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tuner/cli/commands.h"
#include "tuner/cli/lab_flags.h"
#include "tuner/session/jobs.h"

namespace hone::cli {
namespace {

struct StatusFlags {
  session::LabAddress lab;
  bool json = false;
};

std::string json_of(const wire::SchedulerStatus& status) {
  nlohmann::ordered_json json;
  json["build"] = status.build;
  json["protocol_min"] = status.protocol_min;
  json["protocol_max"] = status.protocol_max;
  json["up_ms"] = status.up_ms;
  json["log"] = status.log;
  json["records"] = status.records;
  json["durable"] = status.durable;
  json["trouble"] = status.trouble;
  json["boards"] = status.boards;
  json["tuners"] = status.tuners;
  json["clients"] = status.clients;
  json["refused"] = status.refused;
  json["connections"] = status.connections;
  json["crowded"] = status.crowded;
  json["greedy"] = status.greedy;
  json["removed"] = status.removed;
  json["malformed"] = status.malformed;
  json["lost_workers"] = status.lost_workers;
  json["acknowledged_median_us"] = status.acknowledged_median_us;
  json["acknowledged_high_us"] = status.acknowledged_high_us;
  json["conflicts"] = status.conflicts;
  return json_line(json);
}

int show(const StatusFlags& flags, const Output& output) {
  const auto status = session::scheduler_status(flags.lab);
  if (!status) {
    output.error(status.error());
    return kFailure;
  }
  if (!status->trouble.empty()) output.warning("nothing is acknowledged: " + status->trouble);
  if (!status->conflicts.empty()) output.warning(status->conflicts);
  if (flags.json) {
    output.data(json_of(*status));
    return kSuccess;
  }
  output.data(fmt::format("scheduler  {}, protocol {} to {}, up {}", status->build, status->protocol_min,
                          status->protocol_max, format_seconds(static_cast<double>(status->up_ms) / 1000)));
  output.data(fmt::format("log        {}: {} records, {} of them safe on the disk", status->log,
                          format_count(static_cast<double>(status->records)),
                          format_count(static_cast<double>(status->durable))));
  if (status->acknowledged_median_us >= 0)
    output.data(fmt::format("results    acknowledged after {:.2f} ms (median), {:.2f} ms (99 %)",
                            static_cast<double>(status->acknowledged_median_us) / 1000,
                            static_cast<double>(status->acknowledged_high_us) / 1000));
  output.data(fmt::format("connected  {} boards, {} tuners, {} clients, {} connections in all",
                          status->boards, status->tuners, status->clients, status->connections));
  output.data(fmt::format("refused    {} connections at the door, {} messages that made no sense",
                          status->refused, status->malformed));
  if (status->crowded + status->greedy + status->removed > 0)
    output.data(fmt::format(
        "           of them {} were too many or said nothing, {} took too much, {} had a removed key",
        status->crowded, status->greedy, status->removed));
  output.data(fmt::format("lost       {} tuners and boards", status->lost_workers));
  return kSuccess;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  auto flags = std::make_shared<StatusFlags>();
  CLI::App* command = app.add_subcommand(
      "status", "how a scheduler is: its log, who is connected, how many it turned away at its door");
  add_lab_flags(*command, flags->lab, true);
  command->add_flag("--json", flags->json, "the last line on stdout is one JSON object");
  command->callback([flags, &context] { context.exit_code = show(*flags, context.output); });
}

}  // namespace hone::cli
