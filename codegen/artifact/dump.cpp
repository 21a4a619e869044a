// HONE_DUMP=dir: every stage of every compilation as text, below dir/<task key>/<candidate digest>/.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "codegen/artifact/lowered.h"

namespace hone {

Dump::Dump(const Digest& task, const std::string& name) {
  const char* root = std::getenv("HONE_DUMP");
  if (root == nullptr || *root == '\0') return;
  const auto directory = std::filesystem::path(root) / task.hex(16) / name;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error) directory_ = directory.string();
}

std::string Dump::prefix(const std::string& file) const {
  return on() ? directory_ + "/" + file : std::string();
}

void Dump::write(const std::string& file, const std::string& text) const {
  if (on()) std::ofstream(prefix(file)) << text << '\n';
}

}  // namespace hone
