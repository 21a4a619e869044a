// The text form of graphs, both ways. Attributes are printed in alphabetical order, numbers so that they read
// back exactly; names with other characters than letters, digits and _ . / : - are quoted.
#include <charconv>
#include <cmath>
#include <map>

#include "codegen/graph/graph.h"

namespace hone {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./:-").find(c) != std::string_view::npos;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + '"';
}

std::string reference(const Value& value) {
  for (const char c : value.name)
    if (!is_plain(c)) return '%' + quoted(value.name);
  return '%' + value.name;
}

std::string number(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";  // not to be read as an integer
  return text;
}

std::string number(float value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string attribute(const Attribute& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return number(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::string result = "[";
  for (const int64_t one : std::get<std::vector<int64_t>>(value))
    result += (result.size() > 1 ? "," : "") + std::to_string(one);
  return result + "]";
}

/// A cursor over one line; every `take` skips blanks first.
class Line {
 public:
  Line(std::string_view text, int number) : text_(text), number_(number) {}

  tl::unexpected<Error> error(const std::string& what) const {
    return fail(what, "line " + std::to_string(number_));
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }
  bool done() {
    skip();
    return at_ == text_.size();
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view word(std::string_view stop) {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ' ' && stop.find(text_[at_]) == std::string_view::npos) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  Result<std::string> string() {  // after its opening quote
    std::string result;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        result += text_[at_] == 'n' ? '\n' : text_[at_];
      } else {
        result += text_[at_];
      }
      ++at_;
    }
    if (at_ == text_.size()) return error("a quote is not closed");
    ++at_;
    return result;
  }
  Result<std::string> name() {  // after '%'
    if (at_ < text_.size() && text_[at_] == '"') {
      ++at_;
      return string();
    }
    const size_t begin = at_;
    while (at_ < text_.size() && is_plain(text_[at_])) ++at_;
    if (at_ == begin) return error("a name is missing after '%'");
    return std::string(text_.substr(begin, at_ - begin));
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
  int number_;
};

template <class T>
Result<T> parse_number(const Line& line, std::string_view text) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return line.error("'" + std::string(text) + "' is no number");
  return value;
}

Result<Attribute> parse_attribute(Line& line) {
  if (line.take('"')) {
    HONE_TRY(std::string text, line.string());
    return Attribute(std::move(text));
  }
  if (line.take('[')) {
    std::vector<int64_t> values;
    if (line.take(']')) return Attribute(std::move(values));
    do {
      HONE_TRY(const int64_t value, parse_number<int64_t>(line, line.word(",]")));
      values.push_back(value);
    } while (line.take(','));
    if (!line.take(']')) return line.error("']' is missing");
    return Attribute(std::move(values));
  }
  const std::string_view word = line.word("}");
  if (word.find_first_of(".en") == std::string_view::npos) {
    HONE_TRY(const int64_t value, parse_number<int64_t>(line, word));
    return Attribute(value);
  }
  HONE_TRY(const double value, parse_number<double>(line, word));
  if (std::isnan(value)) return line.error("an attribute is not a number");
  return Attribute(value);
}

class Parser {
 public:
  Result<Graph> parse(std::string_view text) {
    int number = 0;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      Line line(text.substr(0, end), ++number);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!line.done()) HONE_RETURN_IF_ERROR(parse_line(line));
    }
    HONE_RETURN_IF_ERROR(verify(graph_));
    return std::move(graph_);
  }

 private:
  Status parse_line(Line& line) {
    if (!line.take('%')) {
      if (line.word("%") != "output" || !line.take('%'))
        return line.error("expected '%name = ...' or 'output %name'");
      HONE_TRY(const ValueId id, known(line));
      graph_.outputs.push_back(id);
      return line.done() ? Status() : Status(line.error("text after the output"));
    }
    HONE_TRY(const std::string name, line.name());
    if (!line.take('=')) return line.error("'=' is missing after %" + name);
    const std::string word(line.word("%{"));
    if (word == "input" || word == "constant") return parse_value(line, name, word == "constant");
    return parse_node(line, name, word);
  }

  Status parse_value(Line& line, const std::string& name, bool is_constant) {
    auto type = parse_tensor_type(line.word(""));
    if (!type) return line.error(type.error().what);
    Value value{name, std::move(*type), {}, is_constant, nullptr};
    if (!line.done()) {
      if (line.word("[") != "in" || !line.take('[')) return line.error("expected 'in [lo,hi]'");
      ValueRange range;
      HONE_TRY(range.lo, parse_number<float>(line, line.word(",")));
      if (!line.take(',')) return line.error("',' is missing");
      HONE_TRY(range.hi, parse_number<float>(line, line.word("]")));
      if (!line.take(']') || !line.done()) return line.error("expected 'in [lo,hi]'");
      value.range = range;
    }
    HONE_TRY(const ValueId id, add(line, std::move(value)));
    if (!is_constant) graph_.inputs.push_back(id);
    return {};
  }

  Status parse_node(Line& line, const std::string& name, const std::string& word) {
    const auto op = parse_op(word);
    if (!op) return line.error(op.error().what);
    Node node{*op, name, {}, -1, {}};
    while (line.take('%')) {
      HONE_TRY(const ValueId id, known(line));
      node.inputs.push_back(id);
    }
    if (line.take('{')) {
      while (!line.take('}')) {
        const std::string key(line.word("=}"));
        if (key.empty() || !line.take('=')) return line.error("expected 'key=value' or '}'");
        HONE_TRY(Attribute value, parse_attribute(line));
        if (!node.attributes.emplace(key, std::move(value)).second)
          return line.error(key + " is given twice");
      }
    }
    if (!line.done()) return line.error("text after the operands and attributes of %" + name);
    auto type = infer_type(graph_, node);
    if (!type) return line.error(type.error().what);
    HONE_TRY(node.output, add(line, Value{name, std::move(*type), {}, false, nullptr}));
    graph_.nodes.push_back(std::move(node));
    return {};
  }

  Result<ValueId> add(const Line& line, Value value) {
    if (const Status status = verify(value.type); !status) return line.error(status.error().what);
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(value.name, id).second) return line.error("%" + value.name + " is made twice");
    graph_.values.push_back(std::move(value));
    return id;
  }
  Result<ValueId> known(Line& line) {
    HONE_TRY(const std::string name, line.name());
    const auto found = ids_.find(name);
    if (found == ids_.end()) return line.error("%" + name + " is not made before");
    return found->second;
  }

  Graph graph_;
  std::map<std::string, ValueId> ids_;
};

}  // namespace

std::string to_text(const Graph& graph) {
  std::string text;
  const auto declare = [&](const Value& value, std::string_view kind) {
    text += reference(value) + " = " + std::string(kind) + " " + to_text(value.type);
    if (value.range) text += " in [" + number(value.range->lo) + "," + number(value.range->hi) + "]";
    text += '\n';
  };
  for (const ValueId id : graph.inputs) declare(graph.values[id], "input");
  for (const Value& value : graph.values)
    if (value.is_constant) declare(value, "constant");
  for (const Node& node : graph.nodes) {
    text += reference(graph.values[node.output]) + " = " + std::string(to_text(node.op));
    for (const ValueId id : node.inputs) text += ' ' + reference(graph.values[id]);
    auto attributes = node.attributes;
    if (node.op == Op::reshape) attributes["shape"] = graph.values[node.output].type.shape;
    std::string list;
    for (const auto& [key, value] : attributes)
      list += (list.empty() ? "" : " ") + key + '=' + attribute(value);
    if (!list.empty()) text += " {" + list + "}";
    text += '\n';
  }
  for (const ValueId id : graph.outputs) text += "output " + reference(graph.values[id]) + '\n';
  return text;
}

Result<Graph> parse_graph(std::string_view text) { return Parser().parse(text); }

}  // namespace hone
