// How pictures become a model's input: said at build, kept in the artifact, done when it runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct Preprocessing {
  int64_t resize = 0;                  ///< pixels of the shorter side; 0: so that the crop just fits
  int64_t crop = 0;                    ///< side of the centre square that is kept; 0: the model's input
  float scale = 1.0f / 255;            ///< applied to 0..255
  std::vector<float> mean, deviation;  ///< per channel of the model's order, after scaling; empty: none
  std::string channel_order = "rgb";   ///< or "bgr"
};

}  // namespace hone
