// The view of memory that the kernels have, on random sizes and orders of axes: where each element
// of the input, of the output and of the channels lies.
#include <linked_neurons/detail/layout.h>

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace tests {
namespace {

using at::Tensor;

/// A dense tensor of these sizes whose axes lie in this order; each element is its place in memory.
Tensor places(at::IntArrayRef sizes, at::IntArrayRef strides) {
  std::int64_t numel = 1;
  for (const auto size : sizes) {
    numel *= size;
  }
  return torch::arange(numel).as_strided(sizes, strides);
}

class Layouts : public testing::TestWithParam<std::uint32_t> {};

TEST_P(Layouts, TellWhereEachElementLies) {
  std::mt19937 random(GetParam());
  const auto any = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  const std::int64_t axes = any(1, 6);
  std::vector<std::int64_t> sizes(axes);
  std::generate(sizes.begin(), sizes.end(), [&] { return any(1, 5); });
  std::vector<std::int64_t> order(axes);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  const std::int64_t dim = any(0, axes - 1);

  const Tensor input = places(sizes, linked_neurons::detail::dense_strides(sizes, order));
  const auto layout = linked_neurons::detail::layout_of(input, dim);
  EXPECT_TRUE(linked_neurons::detail::same_strides(sizes, layout.strides, input.strides()));
  EXPECT_EQ(layout.numel, input.numel());
  EXPECT_EQ(layout.channels, sizes[dim]);

  const std::int64_t row = layout.row();
  const Tensor output = places(layout.output_sizes, layout.output_strides);
  const Tensor pos = input + input.div(row, "floor") * row;
  EXPECT_TRUE(output.narrow(dim, 0, sizes[dim]).equal(pos));
  EXPECT_TRUE(output.narrow(dim, sizes[dim], sizes[dim]).equal(pos + row));

  std::vector<std::int64_t> along_dim(axes, 1);
  along_dim[dim] = sizes[dim];
  const Tensor channel = torch::arange(sizes[dim]).view(along_dim).expand(sizes);
  EXPECT_TRUE(input.div(layout.inner, "floor").remainder(sizes[dim]).equal(channel));
}

INSTANTIATE_TEST_SUITE_P(Random, Layouts, testing::Range(0U, 500U));

} // namespace
} // namespace tests
