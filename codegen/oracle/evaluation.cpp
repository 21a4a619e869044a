// Elements and runs of them; elementwise operators; and the calls of oracle.h.
#include "codegen/oracle/evaluation.h"

#include "codegen/base/generator.h"
#include "codegen/oracle/kind.h"

namespace hone {
namespace oracle {

std::vector<int64_t> coordinates(const Shape& shape, int64_t index) {
  std::vector<int64_t> at(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    at[d] = index % shape[d];
    index /= shape[d];
  }
  return at;
}

Element Evaluation::at(ValueId value, int64_t index) {
  if (const int leaf = plan_.leaf[value]; leaf >= 0) {
    float element = 0;
    source_(static_cast<size_t>(leaf), index, 1, {&element, 1});
    return exact(static_cast<double>(element));
  }
  if (plan_.kept[value])
    if (const auto found = known_[value].find(index); found != known_[value].end()) return found->second;
  const Element element = work_out(plan_.steps[plan_.maker[value]], index);
  if (plan_.kept[value]) known_[value].emplace(index, element);
  return element;
}

Element Evaluation::dot(Run a, Run b, int64_t count) {
  const int leaf_a = plan_.leaf[a.value], leaf_b = plan_.leaf[b.value];
  Element sum;
  if (leaf_a < 0 || leaf_b < 0) {
    for (int64_t i = 0; i < count; ++i)
      sum = plus(sum, times(at(a.value, a.first + i * a.stride), at(b.value, b.first + i * b.stride)));
    return sum;
  }
  // Products of two floats are exact, and their magnitude is 2 |ab|.
  std::array<float, kChunk> x, y;
  for (int64_t done = 0; done < count; done += kChunk) {
    const auto n = static_cast<size_t>(std::min(kChunk, count - done));
    source_(static_cast<size_t>(leaf_a), a.first + done * a.stride, a.stride, {x.data(), n});
    source_(static_cast<size_t>(leaf_b), b.first + done * b.stride, b.stride, {y.data(), n});
    const size_t whole = (n + kLanes - 1) / kLanes * kLanes;
    std::fill(x.begin() + n, x.begin() + whole, 0.0f);
    std::fill(y.begin() + n, y.begin() + whole, 0.0f);
    std::array<double, kLanes> value{}, magnitude{};
    for (size_t i = 0; i < whole; i += kLanes)
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const double p = static_cast<double>(x[i + lane]) * static_cast<double>(y[i + lane]);
        value[lane] += p;
        magnitude[lane] += std::abs(p);
      }
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sum.value += value[lane];
      sum.magnitude += 2 * magnitude[lane];
    }
  }
  return sum;
}

Element Evaluation::elementwise(const Step& s, int64_t index) {
  std::array<Element, 2> x;
  std::vector<int64_t> where;
  for (size_t k = 0; k < s.operands.size(); ++k) {
    int64_t from = index;
    if (s.shapes[k] != s.shape) {
      if (where.empty()) where = coordinates(s.shape, index);
      from = 0;
      for (size_t d = 0; d < where.size(); ++d) from += where[d] * s.at[k][d];
    }
    x.at(k) = at(s.operands[k], from);
  }
  switch (s.op) {
    case Op::relu:
      return maximum(x[0], constant(0));
    case Op::clip:
      return clamp(x[0], s.a, s.b);
    case Op::sigmoid:
      return sigmoid(x[0]);
    case Op::tanh:
      return hyperbolic_tangent(x[0]);
    case Op::exp:
      return power_of_e(x[0]);
    case Op::neg:
      return negative(x[0]);
    case Op::abs:
      return absolute(x[0]);
    case Op::sqrt:
      return root(x[0]);
    case Op::reciprocal:
      return over(constant(1), x[0]);
    case Op::hard_sigmoid:
      return clamp(plus(times(x[0], constant(s.a)), constant(s.b)), 0, 1);
    case Op::hard_swish:
      return times(x[0], clamp(plus(times(x[0], constant(1.0 / 6)), constant(0.5)), 0, 1));
    case Op::add:
      return plus(x[0], x[1]);
    case Op::sub:
      return minus(x[0], x[1]);
    case Op::mul:
      return times(x[0], x[1]);
    case Op::div:
      return over(x[0], x[1]);
    case Op::maximum:
      return maximum(x[0], x[1]);
    case Op::minimum:
      return minimum(x[0], x[1]);
    default:
      check_failed("an elementwise operator", __FILE__, __LINE__);
  }
}

// No default: whoever adds an operator is told here, and by tests/unit/oracle.
Element Evaluation::work_out(const Step& s, int64_t index) {
  switch (s.op) {
    case Op::relu:
    case Op::clip:
    case Op::sigmoid:
    case Op::tanh:
    case Op::exp:
    case Op::neg:
    case Op::abs:
    case Op::sqrt:
    case Op::reciprocal:
    case Op::hard_sigmoid:
    case Op::hard_swish:
    case Op::add:
    case Op::sub:
    case Op::mul:
    case Op::div:
    case Op::maximum:
    case Op::minimum:
      return elementwise(s, index);
    case Op::conv:
      return convolution(s, index);
    case Op::dense:
    case Op::matmul:
      return product(s, index);
    case Op::max_pool:
    case Op::average_pool:
      return pool(s, index);
    case Op::global_average_pool:
    case Op::global_max_pool:
    case Op::reduce_mean:
      return reduced(s, index);
    case Op::softmax:
    case Op::log_softmax:
      return softmax(s, index);
    case Op::batch_norm:
      return normalised(s, index);
    case Op::lrn:
      return response(s, index);
    case Op::concat:
    case Op::reshape:
    case Op::transpose:
    case Op::pad:
    case Op::slice:
    case Op::channel_shuffle:
    case Op::transform:
      return moved(s, index);
    case Op::gather:
      return gathered(s, index);
  }
  check_failed("an operator", __FILE__, __LINE__);
}

}  // namespace oracle

namespace {

constexpr double kMostKept = 1 << 20;

class GraphOracle final : public OracleOfKind {
 public:
  explicit GraphOracle(oracle::Plan plan) : plan_(std::move(plan)) {}

  const std::string& task() const override { return plan_.task.text; }
  const std::vector<OracleTensor>& inputs() const override { return plan_.inputs; }
  const OracleTensor& output() const override { return plan_.output; }
  double cost() const override { return plan_.cost; }
  Result<Oracle::Element> element(int64_t index, const Oracle::Source& source) const override {
    if (!(plan_.cost <= Oracle::most_cost) || plan_.keeps > kMostKept)
      return fail("an element takes " + std::to_string(plan_.cost) + " operations and " +
                      std::to_string(plan_.keeps) + " elements kept meanwhile: too many",
                  summary(plan_.task));
    return oracle::Evaluation(plan_, source).at(plan_.result, index);
  }
  ErrorBound loosest_bound() const override {
    return oracle::loosest_bound(
        plan_.steps[static_cast<size_t>(&plan_.task.anchor() - plan_.task.graph.nodes.data())]);
  }

 private:
  oracle::Plan plan_;
};

}  // namespace

Result<std::shared_ptr<const OracleOfKind>> graph_oracle(std::string_view text, const Bodies&) {
  HONE_TRY(Task task, parse_task(text));
  HONE_TRY(oracle::Plan plan, oracle::plan(std::move(task)));
  return std::make_shared<const GraphOracle>(std::move(plan));
}

}  // namespace hone
