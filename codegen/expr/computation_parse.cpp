// Reads the text of Computations back: recursive descent over one line at a time.
#include <map>

#include "codegen/base/text.h"
#include "codegen/expr/computation.h"
#include "codegen/expr/parse.h"

namespace hone {
namespace {

const std::map<std::string, ScalarOp>& functions() {
  static const std::map<std::string, ScalarOp> table = {
      {"abs", ScalarOp::abs},     {"exp", ScalarOp::exp},
      {"log", ScalarOp::log},     {"tanh", ScalarOp::tanh},
      {"sqrt", ScalarOp::sqrt},   {"sigmoid", ScalarOp::sigmoid},
      {"floor", ScalarOp::floor}, {"max", ScalarOp::maximum},
      {"min", ScalarOp::minimum}, {"select_less", ScalarOp::select_less}};
  return table;
}

struct Parser {
  Cursor& c;
  Computation& computation;
  Stage& stage;

  Result<int> tensor(const std::string& name) {
    for (size_t i = 0; i < computation.tensors.size(); ++i)
      if (computation.tensors[i].name == name) return static_cast<int>(i);
    return c.error("there is no tensor '" + name + "' before");
  }

  Result<std::vector<Index>> indices() {
    std::vector<Index> result;
    HONE_RETURN_IF_ERROR(c.expect("["));
    if (c.take("]")) return result;
    do {
      HONE_TRY(Index one, parse_index(c));
      result.push_back(std::move(one));
    } while (c.take(","));
    HONE_RETURN_IF_ERROR(c.expect("]"));
    return result;
  }

  Result<std::vector<Axis>> axes() {
    std::vector<Axis> result;
    do {
      HONE_TRY(std::string name, c.name());
      HONE_TRY(int64_t extent, c.integer());
      result.push_back({name, extent});
    } while (c.take(","));
    return result;
  }

  Result<ScalarPtr> sum() {
    HONE_TRY(ScalarPtr left, product());
    while (c.peek("+") || c.peek("-")) {
      ScalarOp op = c.take("+") ? ScalarOp::add : (c.take("-"), ScalarOp::sub);
      HONE_TRY(ScalarPtr right, product());
      left = scalar::binary(op, left, right);
    }
    return left;
  }

  Result<ScalarPtr> product() {
    HONE_TRY(ScalarPtr left, factor());
    while (c.peek("*") || c.peek("/")) {
      ScalarOp op = c.take("*") ? ScalarOp::mul : (c.take("/"), ScalarOp::div);
      HONE_TRY(ScalarPtr right, factor());
      left = scalar::binary(op, left, right);
    }
    return left;
  }

  Result<ScalarPtr> factor() {
    if (c.at_number() || c.peek("inf") || c.peek("nan")) return number(1);
    if (c.take("-")) {
      if (c.at_number() || c.peek("inf") || c.peek("nan")) return number(-1);
      HONE_TRY(ScalarPtr operand, factor());
      return scalar::unary(ScalarOp::neg, operand);
    }
    if (c.take("(")) {
      HONE_TRY(ScalarPtr inner, sum());
      HONE_RETURN_IF_ERROR(c.expect(")"));
      return inner;
    }
    HONE_TRY(std::string name, c.name());
    if (c.peek("(")) return call(name);
    if (name == "sum") return reduction(Combiner::sum);
    if (name == "max") return reduction(Combiner::maximum);
    if (name == "acc" && !c.peek("[")) return scalar::accumulator();
    HONE_TRY(int index, tensor(name));
    HONE_TRY(std::vector<Index> at, indices());
    if (!c.take("else")) return scalar::read(index, at);
    HONE_TRY(double outside, c.number());
    return scalar::read(index, at, outside);
  }

  Result<ScalarPtr> number(double sign) {
    HONE_TRY(double value, c.number());
    return scalar::constant(sign * value);
  }

  Result<ScalarPtr> call(const std::string& name) {
    HONE_RETURN_IF_ERROR(c.expect("("));
    if (name == "index") {
      HONE_TRY(Index index, parse_index(c));
      HONE_RETURN_IF_ERROR(c.expect(")"));
      return scalar::from_index(index);
    }
    auto found = functions().find(name);
    if (found == functions().end()) return c.error("there is no function '" + name + "'");
    std::vector<ScalarPtr> args;
    do {
      HONE_TRY(ScalarPtr one, sum());
      args.push_back(std::move(one));
    } while (c.take(","));
    HONE_RETURN_IF_ERROR(c.expect(")"));
    if (static_cast<int>(args.size()) != arity(found->second))
      return c.error("'" + name + "' has another number of arguments");
    Scalar result;
    result.op = found->second;
    result.args = std::move(args);
    return std::make_shared<const Scalar>(std::move(result));
  }

  Result<ScalarPtr> reduction(Combiner combiner) {
    if (stage.reduction) return c.error("a stage has one reduction");
    Reduction result;
    result.combiner = combiner;
    HONE_RETURN_IF_ERROR(c.expect("["));
    HONE_TRY(result.axes, axes());
    HONE_RETURN_IF_ERROR(c.expect("]"));
    HONE_RETURN_IF_ERROR(c.expect("("));
    HONE_TRY(result.update, sum());
    HONE_RETURN_IF_ERROR(c.expect(")"));
    stage.reduction = std::move(result);
    return scalar::accumulator();
  }

  Status parse_stage() {
    HONE_TRY(std::string output, c.name());
    HONE_TRY(stage.output, tensor(output));
    HONE_TRY(stage.store_index, indices());
    if (c.take("over")) {
      HONE_TRY(stage.axes, axes());
    }
    HONE_RETURN_IF_ERROR(c.expect("="));
    HONE_TRY(stage.value, sum());
    if (!c.done()) return c.error("expected the end of the line");
    return {};
  }
};

/// ROLE NAME TYPE LAYOUT [placement] [halo_value V] [in [LO,HI]]
Result<Tensor> parse_tensor(Role role, std::string_view text, const std::string& where) {
  std::vector<std::string_view> words = split_text(text, ' ');
  if (words.size() < 3) return fail("expected a name, a type and a layout", where);
  Tensor t;
  t.role = role;
  t.name = words[0];
  HONE_TRY(t.type, parse_tensor_type(words[1]));
  HONE_TRY(t.layout, parse_layout(words[2]));
  std::string placement;
  for (size_t i = 3; i + 1 < words.size(); i += 2) {
    if (words[i] == "halo_value") {
      Cursor value(words[i + 1], where);
      HONE_TRY(t.halo_value, value.number());
    } else if (words[i] == "in") {
      Cursor range(words[i + 1], where);
      HONE_RETURN_IF_ERROR(range.expect("["));
      HONE_TRY(t.range.lo, range.number());
      HONE_RETURN_IF_ERROR(range.expect(","));
      HONE_TRY(t.range.hi, range.number());
    } else {
      placement += (placement.empty() ? "" : " ") + std::string(words[i]) + " " + std::string(words[i + 1]);
    }
  }
  if (words.size() % 2 == 0) return fail("'" + std::string(words.back()) + "' has no value", where);
  HONE_TRY(t.placement, parse_placement(placement));
  return t;
}

Status parse_line(Computation& computation, std::string_view line, const std::string& where) {
  size_t space = line.find(' ');
  std::string first(line.substr(0, space));
  std::string_view rest = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  if (first == "arithmetic") {
    HONE_TRY(computation.arithmetic, parse_dtype(trim(rest)));
    return {};
  }
  for (Role role : {Role::input, Role::constant, Role::output, Role::scratch}) {
    if (first != to_text(role)) continue;
    HONE_TRY(Tensor tensor, parse_tensor(role, trim(rest), where));
    computation.tensors.push_back(std::move(tensor));
    return {};
  }
  if (first.size() < 2 || first.back() != ':')
    return fail("'" + first + "' begins neither a tensor nor a stage", where,
                "input, constant, output, scratch, or the name of a stage and ':'");
  Stage stage;
  stage.name = first.substr(0, first.size() - 1);
  Cursor cursor(rest, where);
  HONE_RETURN_IF_ERROR((Parser{cursor, computation, stage}.parse_stage()));
  computation.stages.push_back(std::move(stage));
  return {};
}

}  // namespace

Result<Computation> parse_computation(std::string_view text) {
  Computation computation;
  int number = 0;
  for (std::string_view line : split_text(text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    std::string where = "computation line " + std::to_string(number);
    if (Status status = parse_line(computation, trim(line), where); !status) {
      Error error = status.error();
      if (error.where.empty()) error.where = where;
      return pass(std::move(error));
    }
  }
  return computation;
}

}  // namespace hone
