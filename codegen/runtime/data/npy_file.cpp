#include "codegen/runtime/data/npy_file.h"

#include <charconv>
#include <cstring>

#include "codegen/base/input_file.h"
#include "codegen/base/output_file.h"

namespace hone {
namespace {

/// The text after `key` in a .npy header, e.g. after 'descr': .
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  const size_t colon = header.find(':', at);
  if (colon == std::string_view::npos) return {};
  header.remove_prefix(colon + 1);
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  return header;
}

template <class T>
std::vector<float> converted(std::string_view data, size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<float>(value);
  }
  return values;
}

struct Kind {
  std::string_view name;
  size_t bytes;
  std::vector<float> (*convert)(std::string_view, size_t);
};
constexpr Kind kKinds[] = {
    {"<f4", 4, converted<float>},   {"<f8", 8, converted<double>},   {"<i8", 8, converted<int64_t>},
    {"<i4", 4, converted<int32_t>}, {"<i2", 2, converted<int16_t>},  {"|i1", 1, converted<int8_t>},
    {"|u1", 1, converted<uint8_t>}, {"<u2", 2, converted<uint16_t>}, {"|b1", 1, converted<uint8_t>},
};

}  // namespace

Result<PlainTensor> parse_npy_tensor(std::string_view bytes) {
  if (!bytes.starts_with("\x93NUMPY") || bytes.size() < 12)
    return fail("no .npy file: it does not begin as one");
  const bool wide = bytes[6] >= 2;
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, wide ? 4 : 2);
  const size_t start = wide ? 12 : 10;
  if (bytes.size() < start || length > bytes.size() - start)
    return fail("the .npy file is torn in its header");
  const std::string_view header = bytes.substr(start, length), data = bytes.substr(start + length);
  const std::string_view type = field(header, "'descr'");
  if (field(header, "'fortran_order'").starts_with("True"))
    return fail("the array is in Fortran order", "", "save numpy.ascontiguousarray(x)");
  const Kind* kind = nullptr;
  for (const Kind& k : kKinds)
    if (type.size() > 4 && type.substr(1, 3) == k.name) kind = &k;
  if (kind == nullptr)
    return fail("the array's type " + std::string(type.substr(0, type.find(','))) + " is not covered", "",
                "save x.astype('float32')");
  PlainTensor tensor;
  std::string_view shape = field(header, "'shape'");
  if (!shape.starts_with("(") || shape.find(')') == std::string_view::npos)
    return fail("the .npy file has no shape");
  shape = shape.substr(1, shape.find(')') - 1);
  while (!shape.empty()) {
    int64_t extent = 0;
    const auto [end, problem] = std::from_chars(shape.data(), shape.data() + shape.size(), extent);
    if (problem != std::errc() || extent < 0) return fail("the .npy file's shape cannot be read");
    tensor.shape.push_back(extent);
    shape.remove_prefix(static_cast<size_t>(end - shape.data()));
    while (!shape.empty() && (shape.front() == ',' || shape.front() == ' ')) shape.remove_prefix(1);
  }
  uint64_t count = 1;
  for (const int64_t extent : tensor.shape) {
    if (extent != 0 && count > kMostTensorBytes / static_cast<uint64_t>(extent))
      return fail("the .npy file's shape is too large");
    count *= static_cast<uint64_t>(extent);
  }
  if (data.size() < count * kind->bytes)
    return fail("the .npy file is torn: " + std::to_string(count * kind->bytes) +
                " bytes of data expected, " + std::to_string(data.size()) + " there");
  tensor.values = kind->convert(data, count);
  return tensor;
}

Result<PlainTensor> read_npy_tensor(const std::filesystem::path& file) {
  HONE_TRY(const std::string bytes, read_regular_file(file, kMostTensorBytes));
  auto tensor = parse_npy_tensor(bytes);
  if (!tensor && tensor.error().where.empty()) tensor.error().where = file.string();
  return tensor;
}

Status write_npy(const std::filesystem::path& file, const PlainTensor& tensor) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (const int64_t extent : tensor.shape) header += std::to_string(extent) + ", ";
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  HONE_TRY(OutputFile output, OutputFile::create(file));
  HONE_RETURN_IF_ERROR(output.write(std::string("\x93NUMPY\x01\x00", 8)));
  HONE_RETURN_IF_ERROR(output.write({reinterpret_cast<const char*>(&length), 2}));
  HONE_RETURN_IF_ERROR(output.write(header));
  HONE_RETURN_IF_ERROR(
      output.write({reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * 4}));
  return output.commit();
}

}  // namespace hone
