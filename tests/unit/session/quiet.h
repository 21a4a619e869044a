// A tiny model, and a witness that a function wrote nothing on stdout and stderr.
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

namespace hone::session {

/// As long as it lives, what is written on the file descriptors 1 and 2 is kept; it must be nothing.
class Quiet {
 public:
  Quiet() {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
  }
  ~Quiet() {
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(said, "");
  }
};

inline std::string tiny_model() { return HONE_SOURCE_DIR "/tests/system/tiny.onnx"; }
inline std::filesystem::path programs() { return HONE_BINARY_DIR "/bin"; }

}  // namespace hone::session
