// Between records and rows: one walk over the table of columns each way. What kind of field a column is
// follows from the type of its member.
#include "logs/rows.h"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <type_traits>

namespace hone::store {
namespace {

herr_t innermost(unsigned, const H5E_error2_t* error, void* data) {
  auto& text = *static_cast<std::string*>(data);
  if (error->desc != nullptr) text = error->desc;
  return 0;
}

template <class Enumeration>
Handle enumeration_type(Enumeration last) {
  Handle type(H5Tenum_create(H5T_NATIVE_UINT8), H5Tclose);
  for (uint8_t value = 0; value <= static_cast<uint8_t>(last); ++value)
    H5Tenum_insert(type.get(), std::string(to_text(static_cast<Enumeration>(value))).c_str(), &value);
  return type;
}

constexpr uint32_t no_text = UINT32_MAX;  ///< of a column that a file lacks
constexpr TimingMode last_mode = TimingMode::dram;

template <class Value>
constexpr bool is_text = std::is_same_v<Value, std::string> || std::is_same_v<Value, Digest>;

/// What a row has of a member that is no list: of a text its index, of an enumeration its number.
template <class Value>
using FieldOf = std::conditional_t<
    is_text<Value> || std::is_same_v<Value, int>, uint32_t,
    std::conditional_t<std::is_same_v<Value, bool> || std::is_enum_v<Value>, uint8_t, Value>>;

const std::string& text_of(const std::string& value) { return value; }
std::string text_of(const Digest& value) { return value.hex(); }

template <class Value>
constexpr bool is_list = false;
template <class Element>
constexpr bool is_list<std::vector<Element>> = true;

template <class Member>
using ValueOf = std::decay_t<decltype(std::declval<Member>()(std::declval<Record&>()))>;

/// The column that lies beside the rows for lists of `Element`s.
template <class Element, class AnyRows>
auto& list_of(AnyRows& rows) {
  if constexpr (std::is_same_v<Element, double>)
    return rows.samples;
  else
    return rows.features;
}

/// Writes the fields of one row, one after the other.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& bytes) : bytes_(bytes) {}
  template <class Field>
  void put(Field value) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof value);
  }

 private:
  std::vector<std::byte>& bytes_;
};

class Reader {
 public:
  explicit Reader(const std::byte* next) : next_(next) {}
  template <class Field>
  Field get() {
    Field value;
    std::memcpy(&value, next_, sizeof value);
    next_ += sizeof value;
    return value;
  }

 private:
  const std::byte* next_;
};

template <class Element>
bool slice(const std::vector<Element>& all, uint64_t offset, uint32_t count, std::vector<Element>& out) {
  if (offset > all.size() || count > all.size() - offset) return false;
  out.assign(all.begin() + static_cast<ptrdiff_t>(offset),
             all.begin() + static_cast<ptrdiff_t>(offset + count));
  return true;
}

template <class Column>
std::string digest_of_list(const Column& column) {
  return digest_of(std::as_bytes(std::span(column.data(), column.size()))).hex();
}

/// Samples, features and texts, which lie beside the rows: NAME DIGEST.
std::vector<std::pair<std::string, std::string>> digests_beside(const Rows& rows) {
  return {{"/samples_ns", digest_of_list(rows.samples)},
          {"/features", digest_of_list(rows.features)},
          {"/strings/bytes", digest_of_list(rows.strings.bytes())},
          {"/strings/offsets", digest_of_list(rows.strings.offsets())}};
}

}  // namespace

void silence() {
  // Every handle is closed by its owner. What could not be closed on a full disk makes HDF5's own exit
  // handler read freed memory; this only counts before its first other call.
  (void)H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string last_error() {
  std::string text = "unknown HDF5 error";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &text);
  return text;
}

uint32_t Strings::add(const std::string& text) {
  const auto [place, is_new] = index_.try_emplace(text, static_cast<uint32_t>(offsets_.size() - 1));
  if (is_new) {
    bytes_ += text;
    offsets_.push_back(bytes_.size());
  }
  return place->second;
}

bool Strings::get(uint32_t index, std::string& out) const {
  if (index + size_t{1} >= offsets_.size()) return false;
  out.assign(bytes_, offsets_[index], offsets_[index + 1] - offsets_[index]);
  return true;
}

bool Strings::are_sound() const {
  return !offsets_.empty() && offsets_.front() == 0 && offsets_.back() == bytes_.size() &&
         std::is_sorted(offsets_.begin(), offsets_.end());
}

bool Rows::operator==(const Rows& other) const {
  const auto equal = [](const auto& a, const auto& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
  };
  return equal(bytes, other.bytes) && equal(samples, other.samples) && equal(features, other.features) &&
         strings.bytes() == other.strings.bytes() && strings.offsets() == other.strings.offsets();
}

RowLayout::RowLayout() {
  const auto add = [&](const std::string& name, Kind kind, size_t size) {
    fields_.push_back({name, bytes_, kind});
    bytes_ += size;
  };
  for_each_column([&](const Column& column, auto member) {
    using Value = ValueOf<decltype(member)>;
    if constexpr (is_list<Value>) {
      add(std::string(column.element) + "_offset", Kind::u64, 8);
      add(std::string(column.element) + "_count", Kind::u32, 4);
    } else {
      using Field = FieldOf<Value>;
      const Kind kind = std::is_same_v<Value, MeasureStatus> ? Kind::status
                        : std::is_same_v<Value, TimingMode>  ? Kind::mode
                        : std::is_same_v<Field, uint8_t>     ? Kind::u8
                        : std::is_same_v<Field, uint32_t>    ? Kind::u32
                        : std::is_same_v<Field, uint64_t>    ? Kind::u64
                        : std::is_same_v<Field, int64_t>     ? Kind::i64
                                                             : Kind::f64;
      add(column.name, kind, sizeof(Field));
    }
  });
}

Handle RowLayout::type(hid_t file) const {
  const Handle status = enumeration_type(last_measure_status);
  const Handle mode = enumeration_type(last_mode);
  const hid_t kinds[] = {H5T_NATIVE_UINT8,  H5T_NATIVE_UINT32, H5T_NATIVE_UINT64, H5T_NATIVE_INT64,
                         H5T_NATIVE_DOUBLE, status.get(),      mode.get()};
  Handle type(H5Tcreate(H5T_COMPOUND, bytes_), H5Tclose);
  for (const Field& field : fields_)
    if (file < 0 || H5Tget_member_index(file, field.name.c_str()) >= 0)
      H5Tinsert(type.get(), field.name.c_str(), field.offset, kinds[static_cast<size_t>(field.kind)]);
  return type;
}

std::string RowLayout::digest_of_field(const Field& field, const Rows& rows) const {
  constexpr size_t sizes[] = {1, 4, 8, 8, 8, 1, 1};
  const size_t size = sizes[static_cast<size_t>(field.kind)];
  std::vector<std::byte> column(rows.count * size);
  for (size_t row = 0; row < rows.count; ++row)
    std::memcpy(column.data() + row * size, rows.bytes.data() + row * bytes_ + field.offset, size);
  return digest_of_list(column);
}

std::string RowLayout::content(const Rows& rows) const {
  std::string lines;
  for (const Field& field : fields_) lines += field.name + " " + digest_of_field(field, rows) + "\n";
  for (const auto& [name, digest] : digests_beside(rows)) lines += name + " " + digest + "\n";
  return lines;
}

std::string RowLayout::differing(const std::string& content, const Rows& rows, hid_t file) const {
  std::unordered_map<std::string, std::string> said;
  std::istringstream lines(content);
  for (std::string name, digest; lines >> name >> digest;) {
    if (name.front() != '/' && H5Tget_member_index(file, name.c_str()) < 0) return name;
    said.emplace(name, digest);
  }
  const auto differs = [&](const std::string& name, const std::string& digest) {
    const auto place = said.find(name);
    return place == said.end() || place->second != digest;
  };
  for (const Field& field : fields_)
    if (H5Tget_member_index(file, field.name.c_str()) >= 0 &&
        differs(field.name, digest_of_field(field, rows)))
      return field.name;
  for (const auto& [name, digest] : digests_beside(rows))
    if (differs(name, digest)) return name;
  return {};
}

std::string units() {
  std::string lines;
  for_each_column([&](const Column& column, auto) {
    if (*column.unit != '\0') lines += std::string(column.name) + " " + column.unit + "\n";
  });
  return lines;
}

Rows rows_of(const std::vector<Record>& records) {
  Rows rows;
  rows.count = records.size();
  Writer writer(rows.bytes);
  for (const Record& record : records)
    for_each_column([&](const Column&, auto member) {
      using Value = ValueOf<decltype(member)>;
      const Value& value = member(record);
      if constexpr (is_list<Value>) {
        auto& list = list_of<typename Value::value_type>(rows);
        writer.put(static_cast<uint64_t>(list.size()));
        writer.put(static_cast<uint32_t>(value.size()));
        list.insert(list.end(), value.begin(), value.end());
      } else if constexpr (is_text<Value>) {
        writer.put(rows.strings.add(text_of(value)));
      } else {
        writer.put(static_cast<FieldOf<Value>>(value));
      }
    });
  return rows;
}

std::vector<std::byte> empty_rows(size_t count) {
  std::vector<std::byte> row, rows;
  Writer writer(row);
  const Record empty;
  for_each_column([&](const Column&, auto member) {
    using Value = ValueOf<decltype(member)>;
    if constexpr (is_list<Value>) {
      writer.put(uint64_t{0});
      writer.put(uint32_t{0});
    } else if constexpr (is_text<Value>) {
      writer.put(no_text);
    } else {
      writer.put(static_cast<FieldOf<Value>>(member(empty)));
    }
  });
  rows.reserve(count * row.size());
  for (size_t i = 0; i < count; ++i) rows.insert(rows.end(), row.begin(), row.end());
  return rows;
}

Status to_record(const Rows& rows, size_t row, Record& record) {
  Reader reader(rows.bytes.data() + row * (rows.bytes.size() / rows.count));
  bool good = true;
  Status read;
  for_each_column([&](const Column& column, auto member) {
    using Value = ValueOf<decltype(member)>;
    Value& value = member(record);
    if constexpr (is_list<Value>) {
      const auto offset = reader.get<uint64_t>();
      const auto count = reader.get<uint32_t>();
      good = good && slice(list_of<typename Value::value_type>(rows), offset, count, value);
    } else if constexpr (is_text<Value>) {
      const auto index = reader.get<uint32_t>();
      std::string text;
      good = good && (index == no_text || rows.strings.get(index, text));
      if constexpr (std::is_same_v<Value, Digest>) {
        const auto digest = parse_digest(text);
        if (digest)
          value = *digest;
        else if (read)
          read = fail(std::string(column.name) + " " + digest.error().what);
      } else {
        value = std::move(text);
      }
    } else {
      const auto field = reader.get<FieldOf<Value>>();
      if constexpr (std::is_same_v<Value, MeasureStatus>)
        good = good && field <= static_cast<uint8_t>(last_measure_status);
      if constexpr (std::is_same_v<Value, TimingMode>)
        good = good && field <= static_cast<uint8_t>(last_mode);
      value = static_cast<Value>(field);
    }
  });
  if (!good) return fail("points outside the file's other data");
  return read;
}

}  // namespace hone::store
