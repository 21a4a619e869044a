// Writes relocatable ELF objects that hold data: what a compiled model has besides code. Weights of hundreds
// of megabytes go through here as bytes, not through a compiler.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

class ElfObject {
 public:
  /// Triples of the targets that hone knows. Error: another one.
  static Result<ElfObject> create(const std::string& triple);

  /// A read-only section; returns its number. `.note...` holds ELF notes.
  int add_section(const std::string& name, std::vector<std::byte> bytes, int64_t alignment);
  /// A global symbol at `offset` of a section.
  void define(const std::string& symbol, int section, int64_t offset);
  /// Eight bytes at `offset` of a section become the distance from there to `symbol` (of this or another
  /// object) + addend.
  void relocate(int section, int64_t offset, const std::string& symbol, int64_t addend = 0);
  std::vector<std::byte> write() const;

 private:
  struct Section {
    std::string name;
    std::vector<std::byte> bytes;
    int64_t alignment;
  };
  struct Symbol {
    std::string name;
    int section;  ///< -1: undefined
    int64_t offset;
  };
  struct Relocation {
    int section;
    int64_t offset;
    size_t symbol;
    int64_t addend;
  };
  size_t symbol_index(const std::string& name);

  uint16_t machine_ = 0;
  uint32_t relative64_ = 0;
  std::vector<Section> sections_;
  std::vector<Symbol> symbols_;
  std::map<std::string, size_t> numbers_;  ///< of symbols
  std::vector<Relocation> relocations_;
};

}  // namespace hone
