#include "codegen/oracle/oracle.h"

#include "codegen/base/generator.h"
#include "codegen/base/printable.h"
#include "codegen/oracle/kind.h"

namespace hone {

Result<Oracle> Oracle::create(std::string_view task_text, const Bodies& bodies) {
  const std::string_view header = task_text.substr(0, task_text.find('\n'));
  std::string known;
  for (const OracleKind& kind : oracle_kinds()) {
    if (kind.header == header) {
      HONE_TRY(auto of_kind, kind.create(task_text, bodies));
      return Oracle(std::move(of_kind));
    }
    known += (known.empty() ? "'" : ", '") + std::string(kind.header) + "'";
  }
  constexpr size_t some = 40;
  return fail("a task begins with " + known + ", not with '" + printable(header.substr(0, some)) + "'",
              "line 1");
}

const std::string& Oracle::task() const { return of_kind_->task(); }
const std::vector<OracleTensor>& Oracle::inputs() const { return of_kind_->inputs(); }
const OracleTensor& Oracle::output() const { return of_kind_->output(); }
int64_t Oracle::elements() const { return element_count(output().type.shape); }
double Oracle::cost() const { return of_kind_->cost(); }

Result<Oracle::Element> Oracle::element(int64_t index, const Source& source) const {
  if (index < 0 || index >= elements())
    return fail("no element " + std::to_string(index) + " of " + to_text(output().type), output().name);
  return of_kind_->element(index, source);
}

ErrorBound loosest_bound(const Oracle& oracle) { return oracle.of_kind_->loosest_bound(); }

Oracle::Source test_data(const Oracle& oracle, std::string_view seed) {
  struct Tensor {
    uint64_t hash;
    ValueRange range;
  };
  std::vector<Tensor> tensors;
  for (const OracleTensor& tensor : oracle.inputs())
    tensors.push_back({fnv1a64(std::string(seed) + "/" + tensor.name), tensor.range});
  return [tensors = std::move(tensors)](size_t tensor, int64_t first, int64_t stride, std::span<float> out) {
    const Tensor& t = tensors[tensor];
    generate_run(t.hash, t.range.lo, t.range.hi, first, stride, out);
  };
}

}  // namespace hone
