// Key files are one line of text: "hone-key v1 PUBLIC SECRET" and "hone-public-key v1 PUBLIC NAME".
#include "measure/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "codegen/base/input_file.h"
#include "codegen/base/output_file.h"

namespace hone {
namespace {

constexpr size_t key_length = 40;

bool is_key(const std::string& text) {
  uint8_t bytes[32];
  return text.size() == key_length && zmq_z85_decode(bytes, text.c_str()) != nullptr;
}

constexpr size_t most_patterns = 32;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; words.size() < 3 + most_patterns + 1 && stream >> word;) words.push_back(word);
  return words;
}

Status check_boards(const AllowedKey& key) {
  if (!key.boards.empty() && key.role != wire::Role::runner)
    return fail("only a runner's key has boards", key.name);
  if (key.boards.size() > most_patterns)
    return fail("a key has at most " + std::to_string(most_patterns) + " patterns of boards", key.name);
  for (const std::string& pattern : key.boards)
    if (!is_board_pattern(pattern))
      return fail("'" + pattern + "' is no pattern of board names", key.name,
                  "letters, digits, '.', '_', '-' and '/', and '*' for any of them");
  return {};
}

/// The first line's words. A key file is small: what is larger is none.
Result<std::vector<std::string>> words_in(const std::filesystem::path& file) {
  constexpr uint64_t most_bytes = 4096;
  HONE_TRY(const std::string text, read_regular_file(file, most_bytes));
  return words_of(text.substr(0, text.find('\n')));
}

Status write_new(const std::string& path, const std::string& text, mode_t mode) {
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
  if (file < 0)
    return fail("cannot be made: " + std::string(std::strerror(errno)), path,
                errno == EEXIST ? "a key that is there is never overwritten" : "");
  const bool whole =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  if (whole) return {};
  ::unlink(path.c_str());
  return fail("cannot be written", path);
}

Status write_key_list(const std::filesystem::path& file, const std::vector<AllowedKey>& keys) {
  std::string text;
  for (const AllowedKey& entry : keys) {
    text += std::string(role_text(entry)) + " " + entry.public_key + " " + entry.name;
    for (const std::string& pattern : entry.boards) text += " " + pattern;
    text += "\n";
  }
  HONE_TRY(OutputFile list, OutputFile::create(file, {.mode = 0600}));
  HONE_RETURN_IF_ERROR(list.write(text));
  return list.commit();
}

}  // namespace

std::string_view to_text(wire::Role role) {
  switch (role) {
    case wire::Role::tuner:
      return "tuner";
    case wire::Role::runner:
      return "runner";
    case wire::Role::client:
      return "client";
  }
  return "unknown";
}

std::string_view role_text(const AllowedKey& key) { return key.is_operator ? "operator" : to_text(key.role); }

Status set_role(AllowedKey& key, std::string_view text) {
  for (const wire::Role role : {wire::Role::tuner, wire::Role::runner, wire::Role::client})
    for (const bool is_operator : {false, true}) {
      if (is_operator && role != wire::Role::client) continue;
      key.role = role;
      key.is_operator = is_operator;
      if (text == role_text(key)) return {};
    }
  return fail("'" + std::string(text) + "' is no role", "role", "tuner, runner, client or operator");
}

KeyPair make_key_pair() {
  char public_key[key_length + 1], secret_key[key_length + 1];
  HONE_CHECK(zmq_curve_keypair(public_key, secret_key) == 0);
  return {public_key, secret_key};
}

Status write_key_pair(const std::string& name, const KeyPair& keys) {
  const std::string last = std::filesystem::path(name).filename().string();
  if (!is_key_name(last)) return fail("is no name for a key", name, "letters, digits, '.', '_' and '-'");
  std::error_code ignored;
  if (std::filesystem::exists(name + ".pub", ignored))
    return fail("is there already", name + ".pub", "a key that is there is never overwritten");
  HONE_RETURN_IF_ERROR(
      write_new(name + ".key", "hone-key v1 " + keys.public_key + " " + keys.secret_key + "\n", 0600));
  return write_new(name + ".pub", "hone-public-key v1 " + keys.public_key + " " + last + "\n", 0644);
}

Result<KeyPair> read_key_pair(const std::filesystem::path& file) {
  HONE_TRY(const std::vector<std::string> words, words_in(file));
  if (words.size() != 4 || words[0] != "hone-key" || words[1] != "v1" || !is_key(words[2]) ||
      !is_key(words[3]))
    return fail("is no secret key", file.string(), "hone keygen NAME makes NAME.key and NAME.pub");
  struct stat facts = {};
  if (::stat(file.c_str(), &facts) != 0 || (facts.st_mode & 077) != 0)
    return fail("others can read this secret key", file.string(), "chmod 600 " + file.string());
  char derived[key_length + 1];
  if (zmq_curve_public(derived, words[3].c_str()) != 0 || words[2] != derived)
    return fail("its public and its secret key do not belong together", file.string());
  return KeyPair{words[2], words[3]};
}

Result<AllowedKey> read_public_key(const std::filesystem::path& file) {
  HONE_TRY(const std::vector<std::string> words, words_in(file));
  if (words.size() != 4 || words[0] != "hone-public-key" || words[1] != "v1" || !is_key(words[2]) ||
      !is_key_name(words[3]))
    return fail("is no public key", file.string(), "hone keygen NAME makes NAME.key and NAME.pub");
  return AllowedKey{wire::Role::client, words[2], words[3], false, {}};
}

Result<std::vector<AllowedKey>> read_key_list(const std::filesystem::path& file) {
  constexpr uint64_t most_bytes = 16 << 20;
  auto text = read_regular_file(file, most_bytes);
  if (!text)
    return fail(text.error().what, file.string(), "hone keys add ROLE NAME.pub --keys FILE makes it");
  std::istringstream stream(*text);
  std::vector<AllowedKey> keys;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    AllowedKey key;
    const std::string where = "line " + std::to_string(number);
    if (words.size() < 3 || !set_role(key, words[0]) || !is_key(words[1]) || !is_key_name(words[2]))
      return fail(where + " is not 'ROLE KEY NAME [PATTERN...]'", file.string());
    key.public_key = words[1];
    key.name = words[2];
    key.boards.assign(words.begin() + 3, words.end());
    if (const Status status = check_boards(key); !status)
      return fail(where + ": " + status.error().what, file.string());
    keys.push_back(std::move(key));
  }
  return keys;
}

KeyHolder holder_of(const AllowedKey& key) { return {key.name, key.is_operator, key.boards, key.public_key}; }

Status add_to_key_list(const std::filesystem::path& file, const AllowedKey& key) {
  HONE_RETURN_IF_ERROR(check_boards(key));
  std::vector<AllowedKey> keys;
  if (std::error_code ignored; std::filesystem::exists(file, ignored)) {
    HONE_TRY(keys, read_key_list(file));
  }
  std::erase_if(keys, [&](const AllowedKey& old) { return old.public_key == key.public_key; });
  keys.push_back(key);
  return write_key_list(file, keys);
}

Result<std::vector<AllowedKey>> remove_from_key_list(const std::filesystem::path& file,
                                                     const std::string& name_or_public_key) {
  HONE_TRY(std::vector<AllowedKey> keys, read_key_list(file));
  std::string key;
  if (name_or_public_key.ends_with(".pub")) {
    HONE_TRY(const AllowedKey given, read_public_key(name_or_public_key));
    key = given.public_key;
  }
  const auto kept = std::stable_partition(keys.begin(), keys.end(), [&](const AllowedKey& entry) {
    return key.empty() ? entry.name != name_or_public_key : entry.public_key != key;
  });
  std::vector<AllowedKey> removed(kept, keys.end());
  if (removed.empty())
    return fail("there is no such key on the list", name_or_public_key,
                "hone keys list --keys " + file.string() + " shows those that are");
  keys.erase(kept, keys.end());
  HONE_RETURN_IF_ERROR(write_key_list(file, keys));
  return removed;
}

Result<std::optional<TransportKeys>> peer_keys(const std::string& key, const std::string& server_key) {
  if (key.empty() && server_key.empty()) return std::optional<TransportKeys>();
  if (key.empty() || server_key.empty())
    return fail("keys are used in pairs", key.empty() ? "--key" : "--server-key",
                "--key MINE.key --server-key SCHEDULER.pub");
  TransportKeys keys;
  HONE_TRY(keys.own, read_key_pair(key));
  HONE_TRY(const AllowedKey server, read_public_key(server_key));
  keys.server = server.public_key;
  return std::optional(std::move(keys));
}

Result<std::optional<TransportKeys>> hub_keys(const std::string& key, const std::string& allowed) {
  if (key.empty() && allowed.empty()) return std::optional<TransportKeys>();
  if (key.empty() || allowed.empty())
    return fail("a scheduler's key and its list of keys go together", key.empty() ? "--key" : "--keys",
                "--key SCHEDULER.key --keys LIST");
  TransportKeys keys;
  HONE_TRY(keys.own, read_key_pair(key));
  HONE_RETURN_IF_ERROR(read_key_list(allowed));
  keys.allowed = allowed;
  return std::optional(std::move(keys));
}

}  // namespace hone
