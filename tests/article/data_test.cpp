// Data files, whole and broken, and the augmentation.

#include "folder.h"

#include <article/data.h>
#include <common/usage_error.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

namespace tests {
namespace {

using article::load_dataset;

TEST(Idx, IsRead) {
  const Folder folder;
  write_mnist(folder.path(), 30, 20);
  const article::Dataset data = load_dataset("mnist", folder.path());
  EXPECT_EQ(data.train.pixels.sizes(), (at::IntArrayRef{30, 1, 28, 28}));
  EXPECT_EQ(data.validation.count(), 20);
  EXPECT_EQ(data.train.labels[3].item<int>(), 1);
  EXPECT_EQ(data.train.pixels[3][0][0][2].item<int>(), 20 + 2 * 6);
}

struct Broken {
  const char* file;
  Bytes content;
  const char* says;
};

class BrokenIdx : public testing::TestWithParam<Broken> {};

TEST_P(BrokenIdx, IsAnErrorThatNamesTheFile) {
  const Folder folder;
  write_mnist(folder.path(), 2, 2);
  write(folder / GetParam().file, GetParam().content);
  expect_error<std::runtime_error>(
      [&] { load_dataset("mnist", folder.path()); },
      {(folder / GetParam().file).string(), GetParam().says});
}

INSTANTIATE_TEST_SUITE_P(
    All,
    BrokenIdx,
    testing::Values(
        Broken{"train-images-idx3-ubyte", {1, 2, 3}, "header of 16 bytes"},
        Broken{"train-images-idx3-ubyte", idx(0x802, {2, 28, 28}, Bytes(1568)), "magic number"},
        Broken{"train-images-idx3-ubyte", idx(0x803, {2, 28, 28}, Bytes(1567)), "truncated"},
        Broken{"train-images-idx3-ubyte", idx(0x803, {2, 28, 28}, Bytes(1569)), "there is more"},
        Broken{"t10k-images-idx3-ubyte", idx(0x803, {2, 20, 20}, Bytes(800)), "28x28"},
        Broken{"t10k-labels-idx1-ubyte", idx(0x801, {3}, Bytes(3)), "expected 2 labels"},
        Broken{"train-labels-idx1-ubyte", idx(0x801, {2}, {3, 10}), "10 at index 1"},
        Broken{"train-labels-idx1-ubyte", {0x1f, 0x8b, 8, 0}, "gzipped"}));

constexpr std::size_t record = 1 + 3 * 32 * 32;

TEST(Cifar, IsRead) {
  const Folder folder;
  Bytes bytes(2 * record);
  bytes[0] = 9;
  bytes[record] = 4;
  bytes[record + 1] = 7;        // red, top left
  bytes[record + 1 + 1024] = 8; // green
  bytes[record + 1 + 33] = 6;   // red, second row, second column
  write(folder / "batch.bin", bytes);
  const article::Images images = article::read_cifar10(folder / "batch.bin", 2);
  EXPECT_EQ(images.pixels.sizes(), (at::IntArrayRef{2, 3, 32, 32}));
  EXPECT_EQ(images.labels[0].item<int>(), 9);
  EXPECT_EQ(images.labels[1].item<int>(), 4);
  EXPECT_EQ(images.pixels[1][0][0][0].item<int>(), 7);
  EXPECT_EQ(images.pixels[1][1][0][0].item<int>(), 8);
  EXPECT_EQ(images.pixels[1][0][1][1].item<int>(), 6);
}

TEST(Cifar, BrokenFilesAreErrorsThatNameThem) {
  const Folder folder;
  const fs::path file = folder / "batch.bin";
  const auto expect = [&](const Bytes& bytes, const char* says) {
    write(file, bytes);
    expect_error<std::runtime_error>(
        [&] { article::read_cifar10(file, 2); }, {file.string(), says});
  };
  expect(Bytes(2 * record - 1), "truncated");
  expect(Bytes(2 * record + 1), "there is more");
  Bytes bytes(2 * record);
  bytes[record] = 10;
  expect(bytes, "10 at image 1");
  expect_error<std::runtime_error>(
      [&] { load_dataset("cifar10", folder.path()); },
      {(folder / "data_batch_1.bin").string(), "cannot be opened"});
}

TEST(Datasets, WrongNamesListTheRightOnes) {
  expect_error<examples::UsageError>(
      [] { load_dataset("imagenet", ""); }, {"imagenet", "cifar10", "mnist", "fashion_mnist"});
  expect_error<examples::UsageError>([] { load_dataset("cifar10", ""); }, {"--data-dir"});
}

TEST(Augmentation, MovesImages) {
  const at::Tensor image = at::arange(6, at::kByte).view({1, 1, 2, 3}); // 0 1 2 / 3 4 5
  const auto moved = [&](std::int64_t flip, std::int64_t right, std::int64_t down) {
    const at::Tensor result =
        article::moved(image, at::tensor({flip, right, down}, at::kLong).view({3, 1}));
    return std::vector<std::uint8_t>(
        result.const_data_ptr<std::uint8_t>(), result.const_data_ptr<std::uint8_t>() + 6);
  };
  EXPECT_EQ(moved(0, 0, 0), (Bytes{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(moved(1, 0, 0), (Bytes{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(moved(0, 1, 0), (Bytes{0, 0, 1, 3, 3, 4}));
  EXPECT_EQ(moved(0, -1, 0), (Bytes{1, 2, 2, 4, 5, 5}));
  EXPECT_EQ(moved(0, 0, 1), (Bytes{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(moved(1, 1, -1), (Bytes{5, 5, 4, 5, 5, 4}));
}

TEST(Augmentation, DrawsFlipsAndShiftsOfTenPercent) {
  const article::Images images{at::zeros({1, 3, 32, 20}, at::kByte), at::zeros({1}, at::kLong)};
  const at::Tensor moves = article::draw_moves(1000, images);
  const std::int64_t most[] = {1, 2, 3};
  for (int row = 0; row < 3; ++row) {
    EXPECT_EQ(moves[row].max().item<std::int64_t>(), most[row]);
    EXPECT_EQ(moves[row].min().item<std::int64_t>(), row == 0 ? 0 : -most[row]);
  }
}

TEST(Numbers, AreFromZeroToOneAndMoved) {
  const at::Tensor pixels = at::tensor({0, 51, 255}, at::kByte).view({1, 1, 1, 3});
  EXPECT_TRUE(
      article::to_numbers(pixels, 0).flatten().allclose(at::tensor({0.0, 0.2, 1.0}, at::kFloat)));
  EXPECT_TRUE(article::to_numbers(pixels, 10)
                  .flatten()
                  .allclose(at::tensor({10.0, 10.2, 11.0}, at::kFloat)));
}

} // namespace
} // namespace tests
