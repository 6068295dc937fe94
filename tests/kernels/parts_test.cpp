// How a tensor of more elements than 32 bits count is cut into launches, without such a tensor.

#include <linked_neurons/activation/relu.h>
#include <linked_neurons/activation/swish.h>
#include <linked_neurons/cuda/parts.cuh>

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>

namespace tests {
namespace {

namespace cuda = linked_neurons::cuda;
using linked_neurons::detail::BackwardArguments;
using linked_neurons::detail::ForwardArguments;
using linked_neurons::detail::ParameterIndex;

struct Case {
  const char* name;
  std::int64_t outer, row;
  ParameterIndex bias;
  std::int64_t count; ///< of launches

  std::int64_t numel() const {
    return outer * row;
  }

  friend std::ostream& operator<<(std::ostream& stream, const Case& self) {
    return stream << self.name;
  }
};

constexpr std::int64_t kMillion = 1 << 20;
constexpr std::int64_t kBillion = 1024 * kMillion;

const Case kCases[] = {
    {"small", 256, 200704, {}, 1},
    {"just_one", 1, cuda::kMostElements, {}, 1},
    {"channels_last", 200 * kMillion, 64, {1, 64}, 13},
    {"images", 8192, kMillion, {4096, 256}, 9},
    {"odd_rows", 5000 * kMillion, 3, {1, 3}, 15},
    {"parameters_of_a_sample", 100 * kMillion, 64, {1, 64 * kMillion}, 7},
    {"long_row", 1, 3 * kBillion, {kBillion, 3}, 0},
    {"odd_long_row", 100, 64 * kMillion + 1, {1, 64 * kMillion + 1}, 0},
};

class Parts : public testing::TestWithParam<Case> {};

TEST_P(Parts, AreWholeRowsAndPeriodsThat32BitsCount) {
  const Case& of = GetParam();
  ForwardArguments args = {};
  args.numel = of.numel();
  args.row = of.row;
  args.bias.index = of.bias;
  const cuda::Parts parts = cuda::parts_of(args, cuda::kMostElements);
  EXPECT_EQ(parts.count, of.count);
  if (parts.count == 0) {
    return;
  }
  EXPECT_LE(parts.numel, cuda::kMostElements);
  EXPECT_GE(parts.count * parts.numel, of.numel());
  EXPECT_LT((parts.count - 1) * parts.numel, of.numel());
  if (parts.count > 1) {
    EXPECT_EQ(parts.numel % 64, 0); // a group of masks
    EXPECT_EQ(parts.numel % of.row, 0);
    EXPECT_EQ(parts.numel % of.bias.period(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(, Parts, testing::ValuesIn(kCases), [](const auto& info) {
  return std::string(info.param.name);
});

template <class Memory>
std::int64_t distance(const Memory* from, const Memory* to) {
  return static_cast<const char*>(static_cast<const void*>(to)) -
         static_cast<const char*>(static_cast<const void*>(from));
}

TEST(PartOf, HasItsPlaceInEachTensor) {
  static char memory[4096];
  ForwardArguments args = {};
  args.numel = 320;
  args.input = memory;
  args.output = memory;
  auto part = cuda::part_of<linked_neurons::activation::ReLU, float>(args, 192, 192);
  EXPECT_EQ(part.numel, 128);
  EXPECT_EQ(distance(args.input, part.input), 192 * 4);
  EXPECT_EQ(distance(args.output, part.output), 2 * 192 * 4);
  EXPECT_EQ(part.masks, nullptr);
  args.masks = reinterpret_cast<std::uint8_t*>(memory);
  part = cuda::part_of<linked_neurons::activation::ReLU, float>(args, 192, 192);
  EXPECT_EQ(distance(args.masks, part.masks), 192 / 4);
}

TEST(PartOf, ReadsAGradientThatIsOneNumberWhereItIs) {
  static char memory[4096];
  BackwardArguments args = {};
  args.numel = 320;
  args.grad = memory;
  args.input_or_output = memory;
  args.grad_input = memory;
  using Swish = linked_neurons::activation::Swish;
  auto part = cuda::part_of<Swish, double>(args, 64, 192);
  EXPECT_EQ(part.numel, 192);
  EXPECT_EQ(distance(args.grad, part.grad), 2 * 64 * 8);
  EXPECT_EQ(distance(args.input_or_output, part.input_or_output), 2 * 64 * 8);
  EXPECT_EQ(distance(args.grad_input, part.grad_input), 64 * 8);
  args.grad_is_uniform = true;
  part = cuda::part_of<Swish, double>(args, 64, 192);
  EXPECT_EQ(part.grad, args.grad);
}

} // namespace
} // namespace tests
