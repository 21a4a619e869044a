#include "codegen/model/table_writer.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "codegen/model/margins.h"
#include "codegen/runtime/host/model_file.h"
#include "codegen/runtime/model/parts.h"

namespace hone {
namespace {

class Blob {
 public:
  template <class T>
  int64_t append(const std::vector<T>& items) {
    const int64_t at = reserve(static_cast<int64_t>(items.size() * sizeof(T)));
    if (!items.empty()) std::memcpy(bytes_.data() + at, items.data(), items.size() * sizeof(T));
    return at;
  }
  int64_t append(const std::string& text) {
    const int64_t at = reserve(static_cast<int64_t>(text.size()) + 1);
    std::memcpy(bytes_.data() + at, text.c_str(), text.size() + 1);
    return at;
  }
  int64_t reserve(int64_t bytes) {
    const auto at = static_cast<int64_t>((bytes_.size() + 15) / 16 * 16);
    bytes_.resize(static_cast<size_t>(at + bytes));
    return at;
  }
  template <class T>
  void store(int64_t at, const T& value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }
  /// A self-relative place within the blob.
  void place(int64_t field, int64_t target) { store<int64_t>(field, target - field); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Floating-point operations that a phase is worth: memory traffic counts too.
std::vector<hone_phase> phases_of(const Signature& signature) {
  std::vector<hone_phase> phases;
  for (const PhaseSpec& p : signature.phases)
    phases.push_back(
        {p.extent, p.inner,
         hone_phase_work(p.flops, signature.min_bytes, static_cast<int32_t>(signature.phases.size()))});
  return phases;
}

Result<std::vector<hone_operand>> operands_of(const Plan& plan, const PlannedOp& op, const TableOp& entry) {
  std::vector<hone_operand> operands;
  size_t input = 0, constant = 0, scratch = 0;
  for (const BufferSpec& spec : entry.signature->buffers) {
    if (spec.role == Role::constant) {
      HONE_CHECK(constant < entry.weights.size());
      operands.push_back({HONE_IN_WEIGHTS, entry.weights[constant++]});
      continue;
    }
    int buffer = -1;
    int64_t shift = 0;
    if (spec.role == Role::input) {
      HONE_CHECK(input + 1 < op.buffers.size());
      shift = op.shifts[input];
      buffer = op.buffers[input++];
    } else if (spec.role == Role::output) {
      shift = op.shifts.back();
      buffer = op.buffers.back();
    } else {
      HONE_CHECK(scratch < op.scratch.size());
      buffer = op.scratch[scratch++];
    }
    const PlannedBuffer* planned = buffer < 0 ? nullptr : &plan.buffers[static_cast<size_t>(buffer)];
    if (planned != nullptr && spec.bytes > planned->bytes)
      return fail("buffer '" + spec.name + "' needs " + std::to_string(spec.bytes) + " bytes, planned are " +
                      std::to_string(planned->bytes),
                  op.op.name, "a bug: please report it");
    operands.push_back({HONE_IN_ARENA, planned == nullptr ? 0 : planned->offset + shift});
  }
  return operands;
}

class Writer {
 public:
  Writer(const Plan& plan, const std::vector<TableOp>& ops, ElfObject& object)
      : plan_(plan), ops_(ops), object_(object) {
    std::vector<bool> is_input(plan.buffers.size(), false);
    for (const int input : plan.inputs) is_input[static_cast<size_t>(input)] = true;
    for (size_t b = 0; b < plan.buffers.size(); ++b)
      if (!is_input[b]) born_[plan.buffers[b].first_use].push_back(b);
  }

  Result<uint64_t> write(const std::string& description) {
    hone_table table{};
    table.magic = HONE_TABLE_MAGIC;
    table.arena_bytes = plan_.arena_bytes;
    table.needs = features_needed(plan_.target);
    table.operator_count = static_cast<int32_t>(plan_.ops.size());
    table.input_count = static_cast<int32_t>(plan_.inputs.size());
    table.output_count = static_cast<int32_t>(plan_.outputs.size());
    const int64_t at = blob_.reserve(sizeof(hone_table));
    HONE_CHECK(at == 0);
    HONE_TRY(const int64_t operators, write_operators(table.operand_count));
    const int64_t inputs = write_boundaries(plan_.graph.inputs, plan_.inputs, /*are_inputs=*/true);
    const int64_t outputs = write_boundaries(plan_.graph.outputs, plan_.outputs, /*are_inputs=*/false);
    const int64_t text = blob_.append(description);
    blob_.store(0, table);
    blob_.place(offsetof(hone_table, description), text);
    blob_.place(offsetof(hone_table, operators), operators);
    blob_.place(offsetof(hone_table, inputs), inputs);
    blob_.place(offsetof(hone_table, outputs), outputs);
    std::vector<std::byte> bytes = blob_.take();
    const uint64_t size = bytes.size();
    const int section = object_.add_section(".rodata.hone_table", std::move(bytes), 64);
    object_.define("hone_model_table", section, 0);
    object_.relocate(section, offsetof(hone_table, weights), "hone_weights");
    for (const auto& [offset, kernel] : kernels_) object_.relocate(section, offset, kernel);
    return size;
  }

 private:
  Result<int64_t> write_operators(int64_t& operand_count) {
    const int64_t at = blob_.reserve(static_cast<int64_t>(plan_.ops.size() * sizeof(hone_operator)));
    for (size_t i = 0; i < plan_.ops.size(); ++i) {
      const int64_t here = at + static_cast<int64_t>(i * sizeof(hone_operator));
      HONE_TRY(const std::vector<hone_operand> operands, operands_of(plan_, plan_.ops[i], ops_[i]));
      const std::vector<hone_phase> phases = phases_of(*ops_[i].signature);
      const std::vector<hone_fill> fills = fills_at(static_cast<int>(i));
      hone_operator op{};
      op.operand_count = static_cast<int32_t>(operands.size());
      op.phase_count = static_cast<int32_t>(phases.size());
      op.fill_count = static_cast<int32_t>(fills.size());
      operand_count += op.operand_count;
      blob_.store(here, op);
      kernels_.emplace_back(here + static_cast<int64_t>(offsetof(hone_operator, run)), ops_[i].kernel);
      place_list(here + static_cast<int64_t>(offsetof(hone_operator, operands)), operands);
      place_list(here + static_cast<int64_t>(offsetof(hone_operator, phases)), phases);
      place_list(here + static_cast<int64_t>(offsetof(hone_operator, fills)), fills);
    }
    return at;
  }

  template <class T>
  void place_list(int64_t field, const std::vector<T>& items) {
    if (!items.empty()) blob_.place(field, blob_.append(items));
  }

  /// Margins of the buffers that come to life at an operator.
  std::vector<hone_fill> fills_at(int op) const {
    std::vector<hone_fill> fills;
    const auto born = born_.find(op);
    if (born == born_.end()) return fills;
    for (const size_t b : born->second) {
      const PlannedBuffer& buffer = plan_.buffers[b];
      if (buffer.type.shape.empty()) continue;
      const auto more = margin_fills(buffer.type, buffer.port, buffer.halo_value, buffer.offset);
      fills.insert(fills.end(), more.begin(), more.end());
    }
    return fills;
  }

  int64_t write_boundaries(const std::vector<ValueId>& values, const std::vector<int>& buffers,
                           bool are_inputs) {
    const int64_t at = blob_.reserve(static_cast<int64_t>(values.size() * sizeof(hone_boundary)));
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t here = at + static_cast<int64_t>(i * sizeof(hone_boundary));
      const Value& value = plan_.graph.value(values[i]);
      const PlannedBuffer& buffer = plan_.buffers[static_cast<size_t>(buffers[i])];
      hone_boundary boundary{};
      boundary.dtype = value.type.dtype == DType::i64 ? 1 : 0;
      boundary.rank = static_cast<int32_t>(value.type.shape.size());
      HONE_CHECK(value.type.shape.size() <= 8);
      std::copy(value.type.shape.begin(), value.type.shape.end(), boundary.shape);
      boundary.copy =
          boundary_copy(value.type, are_inputs ? buffer.port : plan_.output_ports[i], buffer.offset);
      std::vector<hone_fill> fills;
      if (are_inputs) fills = margin_fills(buffer.type, buffer.port, buffer.halo_value, buffer.offset);
      boundary.fill_count = static_cast<int64_t>(fills.size());
      blob_.store(here, boundary);
      blob_.place(here + static_cast<int64_t>(offsetof(hone_boundary, name)), blob_.append(value.name));
      place_list(here + static_cast<int64_t>(offsetof(hone_boundary, fills)), fills);
    }
    return at;
  }

  const Plan& plan_;
  const std::vector<TableOp>& ops_;
  ElfObject& object_;
  std::map<int, std::vector<size_t>> born_;  ///< buffers by their first operator, inputs left out
  Blob blob_;
  std::vector<std::pair<int64_t, std::string>> kernels_;
};

}  // namespace

Result<uint64_t> write_table(const Plan& plan, const std::vector<TableOp>& ops,
                             const std::string& description, ElfObject& object) {
  HONE_CHECK(ops.size() == plan.ops.size());
  return Writer(plan, ops, object).write(description);
}

}  // namespace hone
