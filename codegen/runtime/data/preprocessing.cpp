// Reads back what codegen/model/describe.cpp wrote. A model's file may come from anybody.
#include "codegen/runtime/data/preprocessing.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace hone {
namespace {

using nlohmann::json;

constexpr size_t kMostDescription = 64u << 20, kMostChannels = 1024;
constexpr int64_t kMostPixels = 1 << 16;
constexpr int kDeepest = 16;

struct Unfit : std::exception {
  const char* what() const noexcept override { return "a number is out of range"; }
};

float real(const json& value) {
  if (!value.is_number()) throw Unfit();
  const double number = value.get<double>();
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) throw Unfit();
  return static_cast<float>(number);
}

std::vector<float> channels(const json& list) {
  if (!list.is_array() || list.size() > kMostChannels) throw Unfit();
  std::vector<float> values;
  for (const json& value : list) values.push_back(real(value));
  return values;
}

int64_t pixels(const json& value) {
  if (!value.is_number_integer() || value < 0 || value > kMostPixels) throw Unfit();
  return value.get<int64_t>();
}

}  // namespace

Result<std::optional<Preprocessing>> described_preprocessing(const std::string& description) {
  const json::parser_callback_t shallow = [](int depth, json::parse_event_t, json&) {
    return depth <= kDeepest;
  };
  if (description.size() > kMostDescription) return fail("the model's description is too long");
  const json value = json::parse(description, shallow, /*allow_exceptions=*/false);
  if (!value.is_object()) return fail("the model's description is no JSON object");
  if (!value.contains("preprocessing")) return std::optional<Preprocessing>();
  try {
    const json& p = value["preprocessing"];
    Preprocessing result;
    result.mean = channels(p.at("mean"));
    result.deviation = channels(p.at("deviation"));
    for (const float deviation : result.deviation)
      if (deviation == 0) throw Unfit();
    result.scale = real(p.at("scale"));
    result.resize = pixels(p.at("resize"));
    result.crop = pixels(p.at("crop"));
    result.channel_order = p.at("channel_order");
    if (result.channel_order != "rgb" && result.channel_order != "bgr")
      return fail("the model's preprocessing cannot be read: channel order '" +
                  result.channel_order.substr(0, 20) + "'");
    return result;
  } catch (const json::exception& error) {
    return fail(std::string("the model's preprocessing cannot be read: ") + error.what());
  } catch (const Unfit& error) {
    return fail(std::string("the model's preprocessing cannot be read: ") + error.what());
  }
}

}  // namespace hone
