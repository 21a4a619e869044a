#include "measure/record.h"

namespace hone {

Digest measurement_id(const Record& record) {
  const Measurement& m = record.measurement;
  std::string text = "measurement v1\n" + record.artifact.hex() + "\n" + record.board.id + "\n" +
                     std::string(to_text(m.mode)) + "\n" + std::to_string(m.threads) + "\n" +
                     (record.from.final ? "final" : "search") + "\n" +
                     std::to_string(record.from.repetition) + "\n";
  return digest_of(text);
}

}  // namespace hone
