// Look-ups and merging over records in memory; files are store's and journal's business.
#include "logs/database.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "codegen/base/output_file.h"
#include "logs/journal.h"
#include "logs/record_log.h"
#include "logs/store.h"
#include "measure/wire.h"

namespace hone {
namespace {

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// What one candidate showed under the conditions of a query.
struct Showing {
  std::vector<const Record*> finals, trials;
  bool at_fault = false;  ///< failed by its own fault at some time: never chosen

  const std::vector<const Record*>& counted() const { return finals.empty() ? trials : finals; }
  double figure() const {
    std::vector<double> medians;
    for (const Record* record : counted()) medians.push_back(record->measurement.median_ns);
    return median_of(std::move(medians));
  }
  const Record* nearest(double figure) const {
    return *std::min_element(counted().begin(), counted().end(), [&](const Record* a, const Record* b) {
      return std::abs(a->measurement.median_ns - figure) < std::abs(b->measurement.median_ns - figure);
    });
  }
};

Result<std::vector<Record>> decode_entries(const std::vector<JournalEntry>& entries,
                                           const std::filesystem::path& path) {
  std::vector<Record> records;
  for (const JournalEntry& entry : entries) {
    if (entry.type != kRecordEntry)
      return fail("holds an entry of unknown type " + std::to_string(entry.type), path.string(),
                  "use a newer hone");
    auto record = wire::decode_record(std::as_bytes(std::span(entry.payload)));
    if (!record)
      return fail("entry " + std::to_string(records.size()) + " is no record: " + record.error().what,
                  path.string());
    records.push_back(std::move(*record));
  }
  return records;
}

}  // namespace

std::filesystem::path journal_path(const std::filesystem::path& log) { return log.string() + ".journal"; }

Digest record_identity(const Record& record) {
  if (!record.artifact.empty()) return measurement_id(record);
  std::string text = "unbuilt\n" + record.task_key.hex();
  for (const std::string* part : {&record.candidate.target, &record.candidate.formulation,
                                  &record.candidate.parameters, &record.candidate.ports}) {
    text += '\n';
    text += *part;
  }
  text += '\n';
  text += to_text(record.measurement.status);
  return digest_of(text);
}

bool LogQuery::matches(const Record& record) const {
  auto fits = [](const std::string& wanted, const std::string& has) {
    return wanted.empty() || wanted == has;
  };
  return fits(target, record.candidate.target) && fits(board_model, record.board.model) &&
         fits(ports, record.candidate.ports) && (!threads || *threads == record.measurement.threads) &&
         (!mode || *mode == record.measurement.mode) &&
         (!ok_only || record.measurement.status == MeasureStatus::ok) &&
         (task_keys.empty() ||
          std::find(task_keys.begin(), task_keys.end(), record.task_key) != task_keys.end());
}

Result<LogDatabase> LogDatabase::open(const std::filesystem::path& name) {
  std::error_code error;
  const std::filesystem::path log = real_path(name);
  const auto journal = journal_path(log);
  LogDatabase database;
  // The journal first: a compaction that happens in between moves records to the file read later, so none is
  // missed.
  std::vector<Record> recent;
  bool has_journal = std::filesystem::exists(journal, error);
  if (has_journal) {
    auto contents = read_journal(journal);
    // A writer that closes the log removes the journal; then the file has everything.
    has_journal = contents || std::filesystem::exists(journal, error);
    if (has_journal && !contents) return pass(contents.error());
    if (has_journal) {
      if (!contents->warning.empty()) database.warnings_.push_back(contents->warning);
      database.journal_bytes_ = contents->valid_bytes;
      HONE_TRY(recent, decode_entries(contents->entries, journal));
    }
  }
  if (std::filesystem::exists(log, error)) {
    HONE_TRY(std::vector<Record> stored, read_store(log));
    for (Record& record : stored) database.add(std::move(record));
  } else if (!has_journal) {
    return fail("there is no such log", log.string(), "`hone tune --log` writes one");
  }
  for (Record& record : recent) database.add(std::move(record));
  return database;
}

bool LogDatabase::add(Record record) {
  const Digest identity = record_identity(record);
  return add(std::move(record), identity);
}

bool LogDatabase::add(Record record, const Digest& identity) {
  if (!identities_.insert(identity).second) return false;
  by_task_[record.task_key].push_back(records_.size());
  records_.push_back(std::move(record));
  return true;
}

bool LogDatabase::contains(const Digest& identity) const { return identities_.contains(identity); }

size_t LogDatabase::merge(const LogDatabase& other) {
  size_t added = 0;
  for (const Record& record : other.records_) added += add(record) ? 1 : 0;
  return added;
}

std::vector<const Record*> LogDatabase::query(const LogQuery& query) const {
  std::vector<const Record*> found;
  if (query.task_keys.empty()) {
    for (const Record& record : records_)
      if (query.matches(record)) found.push_back(&record);
    return found;
  }
  std::vector<size_t> rows;
  for (const Digest& key : std::set<Digest>(query.task_keys.begin(), query.task_keys.end())) {
    if (const auto place = by_task_.find(key); place != by_task_.end())
      rows.insert(rows.end(), place->second.begin(), place->second.end());
  }
  std::sort(rows.begin(), rows.end());
  for (size_t row : rows)
    if (query.matches(records_[row])) found.push_back(&records_[row]);
  return found;
}

const Record* LogDatabase::best(const BestQuery& query) const {
  std::map<std::tuple<std::string, std::string, std::string, std::string, TimingMode>, Showing> candidates;
  const auto rows = by_task_.find(query.task_key);
  if (rows == by_task_.end()) return nullptr;
  for (const size_t row : rows->second) {
    const Record& record = records_[row];
    const Measurement& measured = record.measurement;
    if (record.candidate.target != query.target || measured.threads != query.threads ||
        (!query.ports.empty() && record.candidate.ports != query.ports) ||
        (query.mode && measured.mode != *query.mode) ||
        (query.formulations && std::find(query.formulations->begin(), query.formulations->end(),
                                         record.candidate.formulation) == query.formulations->end()) ||
        (!query.board_model.empty() && record.board.model != query.board_model))
      continue;
    Showing& showing = candidates[{record.candidate.formulation, record.candidate.parameters,
                                   record.candidate.ports, record.board.model, measured.mode}];
    if (measured.status == MeasureStatus::ok)
      (record.from.final ? showing.finals : showing.trials).push_back(&record);
    else if (measured.status != MeasureStatus::raced_out && is_candidates_fault(measured.status))
      showing.at_fault = true;
  }
  const Showing* best = nullptr;
  double best_figure = 0;
  for (const auto& [key, showing] : candidates) {
    if (showing.at_fault || showing.counted().empty()) continue;
    const double figure = showing.figure();
    const bool has_finals = !showing.finals.empty();
    const bool best_has_finals = best != nullptr && !best->finals.empty();
    if (best == nullptr || (has_finals && !best_has_finals) ||
        (has_finals == best_has_finals && figure < best_figure)) {
      best = &showing;
      best_figure = figure;
    }
  }
  return best == nullptr ? nullptr : best->nearest(best_figure);
}

std::vector<const Record*> LogDatabase::best_of(const std::vector<Digest>& task_keys, BestQuery query) const {
  std::vector<const Record*> found;
  for (const Digest& key : task_keys) {
    query.task_key = key;
    found.push_back(best(query));
  }
  return found;
}

std::vector<std::string> LogDatabase::board_models(std::string_view target) const {
  std::set<std::string> models;
  for (const Record& record : records_)
    if (record.candidate.target == target && record.measurement.status == MeasureStatus::ok)
      models.insert(record.board.model);
  return {models.begin(), models.end()};
}

std::vector<std::string> LogDatabase::verify() const {
  std::vector<std::string> faults;
  for (size_t i = 0; i < records_.size(); ++i) {
    const Record& record = records_[i];
    const Measurement& measured = record.measurement;
    auto fault = [&](const std::string& text) {
      faults.push_back("record " + std::to_string(i) + ": " + text);
    };
    if (record.task_key != digest_of(record.candidate.task))
      fault("the task key is not the digest of the task");
    if (record.candidate.target.empty()) fault("no target");
    if (measured.status != MeasureStatus::ok && measured.status != MeasureStatus::raced_out &&
        measured.message.empty())
      fault(std::string(to_text(measured.status)) + " without a message");
    if (measured.status == MeasureStatus::ok && measured.samples_ns.empty()) fault("ok without samples");
    for (double sample : measured.samples_ns)
      if (!std::isfinite(sample) || sample <= 0) {
        fault("a sample is not a positive time");
        break;
      }
    Measurement again = measured;
    if (!again.samples_ns.empty()) {
      summarise(again);
      if (std::abs(again.median_ns - measured.median_ns) > 1e-9 * std::abs(again.median_ns))
        fault("the median does not follow from the samples");
    }
  }
  return faults;
}

Status LogDatabase::write(const std::filesystem::path& log) const { return write_store(log, records_); }

}  // namespace hone
