// Decoding of TensorProto: raw bytes, typed fields or an external file.
// See onnx_tensor.h.
#include "codegen/import/onnx_tensor.h"

#include <charconv>
#include <span>

#include "codegen/base/input_file.h"
#include "codegen/graph/evaluate.h"
#include "codegen/import/widen.h"

namespace hone::onnx_import {
namespace {

using onnx::TensorProto;
namespace fs = std::filesystem;

constexpr int64_t kMaxElements = int64_t{1} << 31;

int64_t element_bytes(int type) {
  switch (type) {
    case TensorProto::BOOL:
    case TensorProto::INT8:
    case TensorProto::UINT8:
      return 1;
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::INT16:
    case TensorProto::UINT16:
      return 2;
    case TensorProto::FLOAT:
    case TensorProto::INT32:
    case TensorProto::UINT32:
      return 4;
    default:
      return 8;
  }
}

Constant from_bytes(int type, std::span<const std::byte> bytes) {
  switch (type) {
    case TensorProto::FLOAT:
      return constant_of(read_as<float, float>(bytes));
    case TensorProto::DOUBLE:
      return constant_of(read_as<double, float>(bytes));
    case TensorProto::FLOAT16:
      return constant_of(widen_halves(bytes));
    case TensorProto::BFLOAT16:
      return constant_of(widen_bfloats(bytes));
    case TensorProto::BOOL:
    case TensorProto::UINT8:
      return constant_of(read_as<uint8_t, int64_t>(bytes));
    case TensorProto::INT8:
      return constant_of(read_as<int8_t, int64_t>(bytes));
    case TensorProto::INT16:
      return constant_of(read_as<int16_t, int64_t>(bytes));
    case TensorProto::UINT16:
      return constant_of(read_as<uint16_t, int64_t>(bytes));
    case TensorProto::INT32:
      return constant_of(read_as<int32_t, int64_t>(bytes));
    case TensorProto::UINT32:
      return constant_of(read_as<uint32_t, int64_t>(bytes));
    case TensorProto::UINT64:
      return constant_of(read_as<uint64_t, int64_t>(bytes));
    default:
      return constant_of(read_as<int64_t, int64_t>(bytes));
  }
}

template <class To, class Field>
Constant from_field(const Field& field) {
  return constant_of(std::vector<To>(field.begin(), field.end()));
}

/// The elements in the typed field that ONNX prescribes for the element type.
Constant from_fields(const TensorProto& tensor) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return from_field<float>(tensor.float_data());
    case TensorProto::DOUBLE:
      return from_field<float>(tensor.double_data());
    case TensorProto::INT64:
      return from_field<int64_t>(tensor.int64_data());
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return from_field<int64_t>(tensor.uint64_data());
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16: {
      std::vector<uint16_t> bits(tensor.int32_data().begin(), tensor.int32_data().end());
      return from_bytes(tensor.data_type(), std::as_bytes(std::span(bits)));
    }
    default:
      return from_field<int64_t>(tensor.int32_data());
  }
}

struct Extern {
  std::string location;
  int64_t offset = 0, length = -1;
};

Result<Extern> external_entry(const TensorProto& tensor) {
  Extern entry;
  for (const auto& pair : tensor.external_data()) {
    const std::string& text = pair.value();
    int64_t* number = pair.key() == "offset"   ? &entry.offset
                      : pair.key() == "length" ? &entry.length
                                               : nullptr;
    if (pair.key() == "location") entry.location = text;
    if (!number) continue;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if (code != std::errc() || end != text.data() + text.size() || *number < 0)
      return fail("external data: " + pair.key() + " '" + text + "' is no size", tensor.name());
  }
  return entry;
}

Result<Constant> from_file(const TensorProto& tensor, const fs::path& folder, int64_t needed) {
  HONE_TRY(const Extern entry, external_entry(tensor));
  const auto said = [&](const Error& error) {
    return fail("the file with its weights, '" + error.where + "': " + error.what, tensor.name(),
                "it belongs beside the model");
  };
  const auto file = InputFile::open_beneath(folder, entry.location);
  if (!file) return said(file.error());
  const auto size = static_cast<int64_t>(file->bytes());
  if (entry.length >= 0 && entry.length != needed)
    return fail("external data has " + std::to_string(entry.length) + " bytes, its shape needs " +
                    std::to_string(needed),
                tensor.name());
  if (entry.offset > size || needed > size - entry.offset)
    return fail("'" + (folder / entry.location).string() + "' is too short: it has " + std::to_string(size) +
                    " bytes, " + std::to_string(needed) + " from byte " + std::to_string(entry.offset) +
                    " on are needed",
                tensor.name());
  const auto bytes = file->read(static_cast<uint64_t>(entry.offset), static_cast<uint64_t>(needed));
  if (!bytes) return said(bytes.error());
  return from_bytes(tensor.data_type(), std::as_bytes(std::span(*bytes)));
}

}  // namespace

Result<DType> widened(int onnx_type) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
    case TensorProto::DOUBLE:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return DType::f32;
    case TensorProto::BOOL:
    case TensorProto::INT8:
    case TensorProto::UINT8:
    case TensorProto::INT16:
    case TensorProto::UINT16:
    case TensorProto::INT32:
    case TensorProto::UINT32:
    case TensorProto::INT64:
    case TensorProto::UINT64:
      return DType::i64;
    default:
      break;
  }
  const std::string name = TensorProto::DataType_IsValid(onnx_type)
                               ? TensorProto::DataType_Name(static_cast<TensorProto::DataType>(onnx_type))
                               : std::to_string(onnx_type);
  return fail("element type " + name + " is not covered");
}

Result<DecodedTensor> decode(const TensorProto& tensor, const fs::path& folder) {
  HONE_TRY(const DType dtype, widened(tensor.data_type()));
  DecodedTensor result{{dtype, Shape(tensor.dims().begin(), tensor.dims().end())}, {}};
  int64_t count = 1;
  for (const int64_t extent : result.type.shape) {
    if (extent < 0 || (extent > 0 && count > kMaxElements / extent))
      return fail("shape " + to_text(result.type.shape) + " is not possible", tensor.name());
    count *= extent;
  }
  const int64_t bytes = count * element_bytes(tensor.data_type());
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    HONE_TRY(result.data, from_file(tensor, folder, bytes));
  } else if (tensor.has_raw_data()) {
    const auto there = static_cast<int64_t>(tensor.raw_data().size());
    if (there != bytes)
      return fail("it has " + std::to_string(there) + " bytes, its shape " + to_text(result.type.shape) +
                      " needs " + std::to_string(bytes),
                  tensor.name());
    result.data = from_bytes(tensor.data_type(), std::as_bytes(std::span(tensor.raw_data())));
  } else {
    result.data = from_fields(tensor);
    const auto there = static_cast<int64_t>(result.data.bytes.size()) / size_of(dtype);
    if (there != count)
      return fail("it has " + std::to_string(there) + " elements, its shape " + to_text(result.type.shape) +
                      " needs " + std::to_string(count),
                  tensor.name());
  }
  return result;
}

}  // namespace hone::onnx_import

namespace hone {

Result<ImportedTensor> import_tensor(std::string_view bytes, const std::filesystem::path& folder) {
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail("no ONNX tensor: its protobuf cannot be parsed");
  return onnx_import::decode(proto, folder);
}

}  // namespace hone
