// Random graphs by seed: branches, concatenations of concatenations, margins of several widths, values read
// in several layouts. What the planner makes of them must compute what the reference computes.
#include <random>

#include "tests/unit/model/small_models.h"

namespace hone {
namespace {

using namespace testing_models;

/// Writes a graph as text, node by node.
class RandomGraph {
 public:
  explicit RandomGraph(uint32_t seed) : random_(seed) {
    const int64_t channels = pick({3, 16, 20, 32}), height = 6 + below(10), width = 6 + below(10);
    text_ = "%x = input f32[1x" + shape(channels, height, width) + "]\n";
    values_.push_back({"%x", channels, height, width});
    const int nodes = 5 + static_cast<int>(below(8));
    for (int i = 0; i < nodes; ++i) add_node();
    for (const Val& v : values_)
      if (!v.read) body_ += "output " + v.name + "\n";
  }
  std::string text() const { return text_ + body_; }

 private:
  struct Val {
    std::string name;
    int64_t c, h, w;
    bool read = false;
  };
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint32_t>(n)); }
  int64_t pick(std::vector<int64_t> list) {
    return list[static_cast<size_t>(below(static_cast<int64_t>(list.size())))];
  }
  static std::string shape(int64_t c, int64_t h, int64_t w) {
    return std::to_string(c) + "x" + std::to_string(h) + "x" + std::to_string(w);
  }
  /// Later values more often: deep rather than wide.
  size_t any() {
    const auto n = static_cast<int64_t>(values_.size());
    return static_cast<size_t>(std::max(below(n), below(n)));
  }
  std::string read(size_t v) {
    values_[v].read = true;
    return values_[v].name;
  }
  void write(const std::string& operation, int64_t c, int64_t h, int64_t w) {
    const std::string name = "%" + std::to_string(next_++);
    body_ += name + " = " + operation + "\n";
    values_.push_back({name, c, h, w});
  }
  std::vector<size_t> like(size_t v, bool channels) {
    std::vector<size_t> found;
    for (size_t i = 0; i < values_.size(); ++i)
      if (values_[i].h == values_[v].h && values_[i].w == values_[v].w &&
          (!channels || values_[i].c == values_[v].c))
        found.push_back(i);
    return found;
  }

  void add_node() {
    const size_t v = any();
    const Val from = values_[v];
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        return add_convolution(v);
      case 3:
        return write(pick({0, 1}) ? "relu " + read(v) : "sigmoid " + read(v), from.c, from.h, from.w);
      case 4: {
        const auto others = like(v, true);
        const size_t other = others[static_cast<size_t>(below(static_cast<int64_t>(others.size())))];
        const std::string first = read(v);
        return write("add " + first + " " + read(other), from.c, from.h, from.w);
      }
      case 5: {
        const std::string kind = pick({0, 1}) ? "max_pool" : "average_pool";
        return write(kind + " " + read(v) + " {kernel=[3,3] strides=[1,1] pads=[1,1,1,1] dilations=[1,1]" +
                         (kind == "average_pool" ? " include_pad=0}" : "}"),
                     from.c, from.h, from.w);
      }
      default:
        return add_concat(v);
    }
  }

  void add_convolution(size_t v) {
    const Val from = values_[v];
    const int64_t kernel = pick({1, 3, 5}), stride = from.h > 5 && from.w > 5 ? pick({1, 1, 2}) : 1,
                  pad = kernel / 2;
    const int64_t out = pick({8, 16, 20, 32, 48});
    const std::string weight = "%w" + std::to_string(next_), k = std::to_string(kernel),
                      s = std::to_string(stride), p = std::to_string(pad);
    text_ += weight + " = constant f32[" + std::to_string(out) + "x" + std::to_string(from.c) + "x" + k +
             "x" + k + "]\n";
    write("conv " + read(v) + " " + weight + " {strides=[" + s + "," + s + "] pads=[" + p + "," + p + "," +
              p + "," + p + "] dilations=[1,1] groups=1}",
          out, (from.h - 1) / stride + 1, (from.w - 1) / stride + 1);
  }

  void add_concat(size_t v) {
    const auto others = like(v, false);
    std::string names;
    int64_t channels = 0;
    const int64_t count = 2 + below(2);
    for (int64_t i = 0; i < count; ++i) {
      const size_t one = i == 0 ? v : others[static_cast<size_t>(below(static_cast<int64_t>(others.size())))];
      names += " " + read(one);
      channels += values_[one].c;
    }
    write("concat" + names + " {axis=1}", channels, values_[v].h, values_[v].w);
  }

  std::mt19937 random_;
  std::string text_, body_;
  std::vector<Val> values_;
  int next_ = 0;
};

class RandomGraphs : public testing::TestWithParam<uint32_t> {};
TEST_P(RandomGraphs, ComputeWhatTheReferenceComputes) {
  const std::string text = RandomGraph(GetParam()).text();
  SCOPED_TRACE(text);
  built_and_right(text);
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, testing::Range(0u, 24u));

}  // namespace
}  // namespace hone
