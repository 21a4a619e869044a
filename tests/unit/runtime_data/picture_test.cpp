// Pictures and tensor files: exact arithmetic on small ones, and what is refused.
#include "codegen/runtime/data/picture.h"

#include <gmock/gmock.h>
#include <png.h>
#include <unistd.h>

#include <fstream>

#include "codegen/runtime/data/npy_file.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string scratch(const std::string& name) {
  return testing::TempDir() + "hone_cli_" + std::to_string(getpid()) + name;
}

TEST(Picture, ShrinkingByTwoWeighsFourPixelsAsATriangle) {
  const Picture row{8, 1, 1, {0, 0, 0, 0, 80, 80, 80, 80}};
  // Target pixel 1 covers source 2 and 3, and half as much of 1 and 4 at weights 1:3:3:1.
  EXPECT_THAT(resize(row, 4, 1).pixels, ElementsAre(0, 10, 70, 80));
}

TEST(Picture, EnlargingByTwoInterpolates) {
  const Picture column{1, 2, 1, {0, 100}};
  EXPECT_THAT(resize(column, 1, 4).pixels, ElementsAre(0, 25, 75, 100));
}

TEST(Picture, OfOneColourKeepsItAtAnySize) {
  const Picture grey{7, 5, 3, std::vector<uint8_t>(105, 77)};
  for (const int64_t size : {1, 3, 8, 20}) EXPECT_THAT(resize(grey, size, size).pixels, testing::Each(77));
}

TEST(Picture, IsCroppedInTheMiddle) {
  const Picture row{5, 1, 1, {1, 2, 3, 4, 5}};
  EXPECT_THAT(crop_centre(row, 3, 1).pixels, ElementsAre(2, 3, 4));
  EXPECT_THAT(crop_centre(row, 2, 1).pixels, ElementsAre(2, 3));
}

TEST(Picture, KeepsItsProportions) {
  const Picture wide{640, 480, 1, std::vector<uint8_t>(640 * 480)};
  const Picture small = resize_shorter(wide, 256);
  EXPECT_EQ(small.width, 341);
  EXPECT_EQ(small.height, 256);
}

/// A PNG of two pixels: red 10, green 20, blue 30; and 40, 50, 60.
std::string two_pixels() {
  const std::string file = scratch("two.png");
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = 2;
  image.height = 1;
  image.format = PNG_FORMAT_RGB;
  EXPECT_TRUE(png_image_write_to_file(&image, file.c_str(), 0, "\x0a\x14\x1e\x28\x32\x3c", 6, nullptr));
  return file;
}

TEST(PictureTensor, ScalesThenSubtractsThenDivides) {
  Preprocessing how;
  how.scale = 0.1f;
  how.mean = {1, 2, 3};
  how.deviation = {1, 2, 0.5f};
  const auto values = picture_tensor(two_pixels(), {1, 3, 1, 2}, how);
  ASSERT_TRUE(values) << values.error().text();
  EXPECT_THAT(*values, ElementsAre(0, 3, 0, 1.5f, 0, 6));
}

TEST(PictureTensor, OrdersChannelsAndDimensionsAsTheModelWants) {
  Preprocessing how;
  how.scale = 1;
  EXPECT_THAT(*picture_tensor(two_pixels(), {1, 1, 2, 3}, how), ElementsAre(10, 20, 30, 40, 50, 60));
  how.channel_order = "bgr";
  EXPECT_THAT(*picture_tensor(two_pixels(), {1, 3, 1, 2}, how), ElementsAre(30, 60, 20, 50, 10, 40));
}

TEST(PictureTensor, RefusesWhatCannotBe) {
  EXPECT_THAT(picture_tensor(two_pixels(), {1, 10}, {}).error().text(),
              HasSubstr("cannot be an input of shape 1x10"));
  Preprocessing crop;
  crop.crop = 224;
  EXPECT_THAT(picture_tensor(two_pixels(), {1, 3, 192, 192}, crop).error().text(),
              HasSubstr("the crop is 224 pixels"));
  Preprocessing mean;
  mean.mean = {1, 2};
  EXPECT_THAT(picture_tensor(two_pixels(), {1, 3, 1, 2}, mean).error().text(),
              HasSubstr("has 2 numbers, the input 3 channels"));
  Preprocessing small;
  small.resize = 8;
  EXPECT_THAT(picture_tensor(two_pixels(), {1, 3, 16, 16}, small).error().text(),
              HasSubstr("smaller than the model's input"));
  EXPECT_THAT(picture_tensor("/nonexistent.jpg", {1, 3, 16, 16}, {}).error().text(),
              HasSubstr("there is no such file"));
}

TEST(TensorFile, RoundTripsThroughNpy) {
  const std::string file = scratch("round.npy");
  const PlainTensor tensor{{2, 3}, {1, 2, 3, -4, 0.5f, 1e-30f}};
  ASSERT_TRUE(write_npy(file, tensor));
  const auto back = read_npy_tensor(file);
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->shape, tensor.shape);
  EXPECT_EQ(back->values, tensor.values);
}

std::string npy(const std::string& type, const std::string& order, const std::string& shape,
                const std::string& data) {
  const std::string file = scratch("made.npy");
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  std::ofstream(file, std::ios::binary)
      << std::string("\x93NUMPY\x02\x00", 8) << static_cast<char>(header.size()) << std::string(3, '\0')
      << header << data;
  return file;
}

TEST(TensorFile, ReadsIntegersAndDoubles) {
  EXPECT_THAT(read_npy_tensor(npy("|u1", "False", "(3,)", "\x01\x02\xff"))->values, ElementsAre(1, 2, 255));
  const double value = 2.5;
  EXPECT_THAT(
      read_npy_tensor(npy("<f8", "False", "()", std::string(reinterpret_cast<const char*>(&value), 8)))
          ->values,
      ElementsAre(2.5f));
}

TEST(TensorFile, RefusesOtherOrdersTypesAndTornData) {
  EXPECT_THAT(read_npy_tensor(npy("<f4", "True", "(1,)", "1234")).error().text(), HasSubstr("Fortran order"));
  EXPECT_THAT(read_npy_tensor(npy(">f4", "False", "(1,)", "1234")).error().text(),
              HasSubstr("type '>f4' is not covered"));
  EXPECT_THAT(read_npy_tensor(npy("<f4", "False", "(2,)", "1234")).error().text(),
              HasSubstr("8 bytes of data expected, 4 there"));
  EXPECT_THAT(read_npy_tensor(npy("<f4", "False", "(99999999999,99999999999)", "")).error().text(),
              HasSubstr("too large"));
}

}  // namespace
}  // namespace hone
