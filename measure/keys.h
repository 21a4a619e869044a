// Who may speak to a scheduler off its own machine: CURVE key pairs in files, and the list of public keys
// that a scheduler lets in, each with the one role it may take. Keys are Z85 text, 40 characters.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/board_names.h"
#include "measure/wire.h"

namespace hone {

struct KeyPair {
  std::string public_key, secret_key;
};

/// One line of a scheduler's list: "ROLE KEY NAME [PATTERN...]".
struct AllowedKey {
  wire::Role role = wire::Role::client;
  std::string public_key;
  std::string name;                      ///< of the user or machine: letters, digits, '.', '_', '-'
  bool is_operator = false;              ///< a client that may change everybody's jobs, and boards
  std::vector<std::string> boards = {};  ///< runners: the names it may give its boards; none: NAME and NAME/*
  bool operator==(const AllowedKey&) const = default;
};
/// What the key owns.
KeyHolder holder_of(const AllowedKey& key);

/// What one end of a connection needs. Giving them demands keys on every transport, loopback too.
struct TransportKeys {
  KeyPair own;
  std::string server;  ///< peers: the scheduler's public key
  std::filesystem::path
      allowed;  ///< hubs: the list, read again at every handshake, so that a change holds at once
};

std::string_view to_text(wire::Role role);  ///< "tuner", "runner", "client"
/// How the list writes it: a role, or "operator".
std::string_view role_text(const AllowedKey& key);
/// Gives `key` the role that role_text writes so. Errors: there is no such role.
Status set_role(AllowedKey& key, std::string_view text);

KeyPair make_key_pair();
/// Writes NAME.key (only its owner can read it) and NAME.pub. Errors: one of them is there already; the last
/// part of `name` is no name.
Status write_key_pair(const std::string& name, const KeyPair& keys);
/// Errors: not a key file, its halves do not belong together, or others than its owner can read it.
Result<KeyPair> read_key_pair(const std::filesystem::path& file);
/// The key and the name in a .pub file.
Result<AllowedKey> read_public_key(const std::filesystem::path& file);

/// Errors: it cannot be read, or a line makes no sense (with its number).
Result<std::vector<AllowedKey>> read_key_list(const std::filesystem::path& file);
/// Adds a key, or gives it another role or other boards; makes the file if it is not there. The list is
/// replaced as a whole. Errors: a pattern that is none, or boards for a key that is no runner's.
Status add_to_key_list(const std::filesystem::path& file, const AllowedKey& key);
/// Takes out the key that a .pub file holds, or all keys of a name; gives those. Errors: there is none.
Result<std::vector<AllowedKey>> remove_from_key_list(const std::filesystem::path& file,
                                                     const std::string& name_or_public_key);

/// What --key and --server-key say; nothing if both are empty. Errors: only one of them is given.
Result<std::optional<TransportKeys>> peer_keys(const std::string& key, const std::string& server_key);
/// What --key and --keys of a scheduler say; nothing if both are empty.
Result<std::optional<TransportKeys>> hub_keys(const std::string& key, const std::string& allowed);

}  // namespace hone
