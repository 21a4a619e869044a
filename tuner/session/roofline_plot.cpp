// The roofline as SVG text, written by hand: two logarithmic axes, roofs, points and a few labels.
#include "tuner/session/roofline_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codegen/base/printable.h"

namespace hone::roofline {
namespace {

constexpr double kWidth = 960, kHeight = 600, kLeft = 80, kRight = 930, kTop = 70, kBottom = 530;

struct LogAxis {
  double low, high, from, to;  ///< values, and where they lie
  double at(double value) const {
    const double part = std::log(std::clamp(value, low, high) / low) / std::log(high / low);
    return from + part * (to - from);
  }
};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : printable(text))  // XML has no control characters
    result += c == '<'   ? "&lt;"
              : c == '>' ? "&gt;"
              : c == '&' ? "&amp;"
              : c == '"' ? "&quot;"
                         : std::string(1, c);
  return result;
}

double intensity(const Work& work) {
  return work.arithmetic / std::max(1.0, work.constant_bytes + work.other_bytes);
}
double gflops(const Work& work) { return work.arithmetic / work.seconds * 1e-9; }
double gain(const RooflinePoint& point) { return point.work.seconds * (1 - std::min(1.0, point.share)); }

/// From bad to good: red, amber, green.
std::string colour_of(double share) { return share < 0.5 ? "#c0392b" : share < 0.75 ? "#d68910" : "#1e8449"; }

void grid(std::string& svg, const LogAxis& x, const LogAxis& y) {
  const auto line = [&](double x1, double y1, double x2, double y2) {
    svg += fmt::format("<path d='M{:.1f} {:.1f}L{:.1f} {:.1f}' stroke='#e3e6ea'/>\n", x1, y1, x2, y2);
  };
  const auto text = [&](double at_x, double at_y, const char* anchor, const std::string& words) {
    svg += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}' fill='#555'>{}</text>\n", at_x, at_y,
                       anchor, words);
  };
  for (double value = 1e-3; value <= x.high; value *= 10)
    if (value >= x.low)
      line(x.at(value), kTop, x.at(value), kBottom),
          text(x.at(value), kBottom + 18, "middle", fmt::format("{:g}", value));
  for (double value = 1e-3; value <= y.high; value *= 10)
    if (value >= y.low)
      line(kLeft, y.at(value), kRight, y.at(value)),
          text(kLeft - 8, y.at(value) + 4, "end", fmt::format("{:g}", value));
  text((kLeft + kRight) / 2, kBottom + 42, "middle", "operations per byte of compulsory traffic");
  svg += fmt::format(
      "<text transform='translate(24 {:.1f}) rotate(-90)' text-anchor='middle' fill='#555'>GFLOP/s</text>\n",
      (kTop + kBottom) / 2);
}

void roofs(std::string& svg, const LogAxis& x, const LogAxis& y, const Machine& m) {
  const struct {
    const char* name;
    double bytes;
  } levels[] = {{"memory", m.dram_bytes}, {"L3", m.llc_bytes}, {"L2", m.l2_bytes}};
  for (const auto& level : levels) {
    const double ridge = m.flops / level.bytes;
    const double start = std::max(x.low, y.low * 1e9 / level.bytes);
    svg += fmt::format(
        "<path d='M{:.1f} {:.1f}L{:.1f} {:.1f}' stroke='#7f8c9b' stroke-width='1.5' stroke-dasharray='6 "
        "4'/>\n",
        x.at(start), y.at(start * level.bytes * 1e-9), x.at(ridge), y.at(m.flops * 1e-9));
    const double middle = std::sqrt(start * std::min(ridge, x.high));
    svg += fmt::format(
        "<text transform='translate({:.1f} {:.1f}) rotate(-38)' fill='#5d6b7a' text-anchor='middle'>{} "
        "{:.0f} GB/s</text>\n",
        x.at(middle) - 6, y.at(middle * level.bytes * 1e-9) - 6, level.name, level.bytes * 1e-9);
  }
  svg += fmt::format("<path d='M{:.1f} {:.1f}L{:.1f} {:.1f}' stroke='#34495e' stroke-width='2'/>\n",
                     x.at(m.flops / m.l2_bytes), y.at(m.flops * 1e-9), kRight, y.at(m.flops * 1e-9));
  svg += fmt::format(
      "<text x='{:.1f}' y='{:.1f}' text-anchor='end' fill='#34495e'>multiply-add {:.0f} GFLOP/s</text>\n",
      kRight, y.at(m.flops * 1e-9) - 7, m.flops * 1e-9);
}

}  // namespace

std::string roofline_svg(const std::string& title, const Machine& machine,
                         std::vector<RooflinePoint> points) {
  std::erase_if(points, [](const RooflinePoint& p) { return p.work.arithmetic <= 0 || p.work.seconds <= 0; });
  LogAxis x{0.1, 1000, kLeft, kRight}, y{1, machine.flops * 2e-9, kBottom, kTop};
  double total = 0;
  for (const RooflinePoint& point : points) {
    x.low = std::min(x.low, intensity(point.work) / 2);
    y.low = std::min(y.low, gflops(point.work) / 2);
    total += point.work.seconds;
  }
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
      "font-family='sans-serif' font-size='12' fill='none'>\n<rect width='{0}' height='{1}' "
      "fill='#ffffff'/>\n"
      "<text x='{2}' y='28' font-size='17' fill='#222'>{3}</text>\n"
      "<text x='{2}' y='48' fill='#555'>one point per operator, its area is its time; <tspan "
      "fill='#1e8449'>at least 75 %</tspan>, "
      "<tspan fill='#d68910'>50 %</tspan>, <tspan fill='#c0392b'>less</tspan> of its roof; labelled: where "
      "most time could be won</text>\n",
      kWidth, kHeight, kLeft, escaped(title));
  grid(svg, x, y);
  roofs(svg, x, y, machine);
  // Those with most to gain on top.
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return gain(a) < gain(b); });
  for (const RooflinePoint& p : points)
    svg += fmt::format(
        "<circle cx='{:.1f}' cy='{:.1f}' r='{:.1f}' fill='{}' fill-opacity='0.6' stroke='#fff'>"
        "<title>{}: {:.1f} us, {:.1f} GFLOP/s, {:.0f} % of its roof</title></circle>\n",
        x.at(intensity(p.work)), y.at(gflops(p.work)), 3 + 40 * std::sqrt(p.work.seconds / total / 3),
        colour_of(p.share), escaped(p.label), p.work.seconds * 1e6, gflops(p.work), 100 * p.share);
  // Labels, the largest gain first, each moved down until it is free of the earlier ones.
  std::vector<std::pair<double, double>> taken;
  for (size_t i = points.size(); i-- > 0 && taken.size() < 8;) {
    const RooflinePoint& p = points[i];
    const double px = x.at(intensity(p.work)), py = y.at(gflops(p.work));
    const bool left = px > (kLeft + kRight) * 0.6;
    double label_y = py + 4;
    const auto blocked = [&](const std::pair<double, double>& other) {
      return std::abs(other.second - label_y) < 14 && std::abs(other.first - px) < 330;
    };
    while (label_y < kBottom - 6 && std::any_of(taken.begin(), taken.end(), blocked)) label_y += 3;
    taken.emplace_back(px, label_y);
    const double label_x = left ? px - 16 : px + 16;
    svg += fmt::format(
        "<path d='M{:.1f} {:.1f}L{:.1f} {:.1f}' stroke='#999' stroke-width='0.7'/>\n"
        "<text x='{:.1f}' y='{:.1f}' text-anchor='{}' fill='#222' font-size='11' stroke='#fff' "
        "stroke-width='3' paint-order='stroke'>"
        "{} ({:.0f} %)</text>\n",
        px, py, label_x, label_y - 4, label_x, label_y, left ? "end" : "start", escaped(p.label),
        100 * p.share);
  }
  return svg + "</svg>\n";
}

}  // namespace hone::roofline
