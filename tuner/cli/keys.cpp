// `hone keygen` and `hone keys`: who may speak to a scheduler off its own machine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "measure/keys.h"
#include "tuner/cli/commands.h"

namespace hone::cli {
namespace {

struct KeyFlags {
  std::string name, role, public_key, list;
  std::vector<std::string> boards;
  bool json = false;
};

int finish(const Status& status, const Output& output) {
  if (status) return kSuccess;
  output.error(status.error());
  return kFailure;
}

Status keygen(const KeyFlags& flags, const Output& output) {
  HONE_RETURN_IF_ERROR(write_key_pair(flags.name, make_key_pair()));
  output.message(
      fmt::format("{0}.key is secret: it stays on this machine.  {0}.pub is for everybody.", flags.name));
  return {};
}

Status add_key(const KeyFlags& flags, const Output& output) {
  HONE_TRY(AllowedKey key, read_public_key(flags.public_key));
  HONE_RETURN_IF_ERROR(set_role(key, flags.role));
  key.boards = flags.boards;
  HONE_RETURN_IF_ERROR(add_to_key_list(flags.list, key));
  const std::string boards =
      key.role == wire::Role::runner ? ", for the boards " + owned_boards(holder_of(key)) : "";
  output.message(fmt::format("{} may come in as {} {}{}", key.name, key.is_operator ? "an" : "a",
                             role_text(key), boards));
  return {};
}

Status remove_key(const KeyFlags& flags, const Output& output) {
  HONE_TRY(const std::vector<AllowedKey> removed, remove_from_key_list(flags.list, flags.public_key));
  for (const AllowedKey& key : removed)
    output.message(fmt::format("{} may come in no more ({} {})", key.name, role_text(key), key.public_key));
  return {};
}

Status list_keys(const KeyFlags& flags, const Output& output) {
  HONE_TRY(const std::vector<AllowedKey> keys, read_key_list(flags.list));
  if (flags.json) {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const AllowedKey& key : keys)
      json.push_back(
          {{"role", role_text(key)}, {"name", key.name}, {"key", key.public_key}, {"boards", key.boards}});
    output.data(nlohmann::ordered_json{{"keys", json}}.dump());
    return {};
  }
  for (const AllowedKey& key : keys)
    output.data(fmt::format(
        "{:<8} {} {}{}", role_text(key), key.public_key, key.name,
        key.role == wire::Role::runner ? "  boards " + owned_boards(holder_of(key)) : std::string()));
  return {};
}

}  // namespace

void add_keys(CLI::App& app, Context& context) {
  auto flags = std::make_shared<KeyFlags>();
  CLI::App* generate = app.add_subcommand("keygen", "make a key pair: NAME.key (secret) and NAME.pub");
  generate->add_option("name", flags->name, "of the scheduler, board or person; may begin with a folder")
      ->required();
  generate->callback(
      [flags, &context] { context.exit_code = finish(keygen(*flags, context.output), context.output); });

  CLI::App* keys = app.add_subcommand("keys", "who may speak to a scheduler, and in which role");
  keys->require_subcommand(1);
  CLI::App* add =
      keys->add_subcommand("add", "let a key in, or give it another role; a running scheduler sees it");
  add->add_option("role", flags->role,
                  "tuner, runner, client or operator (a client that may change everybody's jobs, and boards)")
      ->required();
  add->add_option("public_key", flags->public_key, "NAME.pub")->required();
  add->add_option(
      "--board", flags->boards,
      "runners: a name that its boards may have, '*' for any characters; repeatable. Without it a "
      "key has NAME and NAME/*");
  add->add_option("--keys", flags->list, "the scheduler's list; made if it is not there")->required();
  add->callback(
      [flags, &context] { context.exit_code = finish(add_key(*flags, context.output), context.output); });
  CLI::App* remove = keys->add_subcommand(
      "remove", "let a key in no more; a running scheduler ends its connections within a second");
  remove->add_option("key", flags->public_key, "NAME (all keys of that name) or NAME.pub")->required();
  remove->add_option("--keys", flags->list, "the scheduler's list")->required();
  remove->callback(
      [flags, &context] { context.exit_code = finish(remove_key(*flags, context.output), context.output); });
  CLI::App* list = keys->add_subcommand("list", "print the list: role, key, name, and a runner's boards");
  list->add_option("--keys", flags->list, "the scheduler's list")->required();
  list->add_flag("--json", flags->json, "one JSON object");
  list->callback(
      [flags, &context] { context.exit_code = finish(list_keys(*flags, context.output), context.output); });
}

}  // namespace hone::cli
