// The parameters that go with a block's elements, and the sums of their gradients, against a loop
// over single elements.
#include <linked_neurons/cpu/block_parameters.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace tests {
namespace {

namespace cpu = linked_neurons::detail::cpu;
using linked_neurons::detail::ParameterIndex;

/// Where a parameter's values lie, and the block that a thread begins with.
using Case = std::tuple<ParameterIndex, std::int64_t>;

std::int64_t value_of(std::int64_t element, const ParameterIndex& index) {
  return element / index.inner % index.count;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto& [index, begin] = info.param;
  return "inner_" + std::to_string(index.inner) + "_count_" + std::to_string(index.count) +
         "_from_block_" + std::to_string(begin);
}

class BlockParameters : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kBlocks = 60;
  const ParameterIndex index = std::get<0>(GetParam());
  const std::int64_t begin = std::get<1>(GetParam());
};

TEST_P(BlockParameters, GiveEachElementItsValue) {
  std::vector<float> values(index.count);
  for (std::int64_t i = 0; i < index.count; ++i) {
    values[i] = static_cast<float>(i + 1);
  }
  cpu::BlockParameter<float> parameter(values.data(), index, begin * cpu::kBlock, 0);
  for (std::int64_t block = begin; block < begin + kBlocks; ++block) {
    const float* const of_block = parameter.next();
    for (std::int64_t i = 0; i < cpu::kBlock; ++i) {
      const std::int64_t element = block * cpu::kBlock + i;
      ASSERT_EQ(of_block[i], values[value_of(element, index)]) << "element " << element;
    }
  }
}

TEST_P(BlockParameters, AddUpEachValuesGradient) {
  if (!linked_neurons::detail::has_loops(linked_neurons::detail::best_target())) {
    GTEST_SKIP() << "no loops for this processor";
  }
  // Integers, whose sums are exact in any order; the last block is not whole.
  constexpr std::int64_t kLast = 37;
  std::vector<double> expected(index.count);
  std::vector<double> actual(index.count);
  cpu::BlockSums<double> sums(
      linked_neurons::detail::best_target(), index, begin * cpu::kBlock, actual.data());
  for (std::int64_t block = begin; block < begin + kBlocks; ++block) {
    const std::int64_t size = block + 1 < begin + kBlocks ? cpu::kBlock : kLast;
    double* const of_block = sums.of_block(size);
    for (std::int64_t i = 0; i < cpu::kBlock; ++i) {
      const std::int64_t element = block * cpu::kBlock + i;
      const auto gradient = static_cast<double>(element % 1009);
      of_block[i] += gradient;
      if (i < size) {
        expected[value_of(element, index)] += gradient;
      }
    }
    sums.finish_block(size, of_block);
  }
  sums.finish();
  EXPECT_EQ(actual, expected);
}

INSTANTIATE_TEST_SUITE_P(
    ,
    BlockParameters,
    testing::Combine(
        testing::Values(
            ParameterIndex{1, 1},
            ParameterIndex{7, 1},
            ParameterIndex{1, 3},
            ParameterIndex{1, 16},
            ParameterIndex{1, 48},
            ParameterIndex{1, 64},
            ParameterIndex{1, 100},
            ParameterIndex{1, 128},
            ParameterIndex{1, 1000},
            ParameterIndex{5, 3},
            ParameterIndex{49, 512},
            ParameterIndex{63, 2},
            ParameterIndex{64, 3},
            ParameterIndex{65, 4},
            ParameterIndex{100, 7},
            ParameterIndex{784, 16}),
        testing::Values(0, 1, 7)),
    name_of);

} // namespace
} // namespace tests
