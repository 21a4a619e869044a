// A fuzz target without libFuzzer: every file of a folder, its beginnings, and changed bytes from fixed seeds.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

uint64_t inputs = 0;

/// From memory of just this size, so that a sanitizer sees what reads beyond.
void feed(const std::string& text) {
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  ++inputs;
}

void feed_changed(std::string text, std::mt19937& random) {
  for (uint32_t changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes)
    text[random() % text.size()] = static_cast<char>(random());
  feed(text);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::mt19937 random(1);
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    feed(text);
    for (int i = 0; i < 10; ++i) feed(text.substr(0, text.size() * static_cast<size_t>(i) / 10));
    for (int i = 0; i < 20; ++i) feed_changed(text, random);
  }
  for (size_t i = 0; i < 200; ++i) feed_changed(std::string(i, '\0'), random);
  std::printf("%zu files, %llu inputs\n", files.size(), static_cast<unsigned long long>(inputs));
}
