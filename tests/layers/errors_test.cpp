// Bad input is refused: the message names the function, what was expected, and what came.
#include "expect_error.h"

#include <linked_neurons/linked_neurons.h>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <string>
#include <vector>

namespace tests {
namespace {

namespace f = linked_neurons::functional;
using at::Tensor;
using linked_neurons::LKPReLU;
using linked_neurons::LKPReLUOptions;

// Two of the layers speak for all: a third would cost five seconds to compile, for a prefix.
struct ErrorCase {
  const char* name;
  std::function<Tensor()> call;
  std::string message;
};

class Errors : public testing::TestWithParam<ErrorCase> {};

TEST_P(Errors, Say) {
  const auto& [name, call, message] = GetParam();
  expect_error(call, message);
}

Tensor ones(at::IntArrayRef sizes, at::TensorOptions options = {}) {
  return torch::ones(sizes, options);
}

const std::string kWrongType = "expected a tensor of type Double, Float, Half or BFloat16, got ";

const std::vector<ErrorCase> kInputs = {
    {"undefined",
     [] { return f::lk_relu(Tensor()); },
     "lk_relu: expected a tensor, got an undefined one"},
    {"undefined_beside_weights",
     [] { return f::lk_prelu(Tensor(), ones({1}), ones({1})); },
     "lk_prelu: expected a tensor, got an undefined one"},
    {"integer",
     [] {
       return f::lk_relu(ones({2, 3}, at::kLong));
     },
     "lk_relu: " + kWrongType + "Long"},
    {"byte",
     [] {
       return f::lk_relu(ones({2, 3}, at::kByte));
     },
     "lk_relu: " + kWrongType + "Byte"},
    {"boolean",
     [] {
       return f::lk_relu(ones({2, 3}, at::kBool));
     },
     "lk_relu: " + kWrongType + "Bool"},
    {"complex",
     [] {
       return f::lk_prelu(ones({2, 3}, at::kComplexFloat), ones({1}), ones({1}));
     },
     "lk_prelu: " + kWrongType + "ComplexFloat"},
    {"sparse",
     [] {
       return f::lk_relu(ones({2, 3}).to_sparse());
     },
     "lk_relu: expected a strided tensor, got one of layout Sparse"},
    {"scalar",
     [] { return f::lk_relu(torch::tensor(1.0F)); },
     "lk_relu: expected a tensor with a channel axis, got a scalar (a tensor of 0 axes)"},
    {"axis_above",
     [] {
       return f::lk_relu(ones({2, 3}), 2);
     },
     "lk_relu: expected dim in [-2, 1] for a tensor of 2 axes, got 2"},
    {"axis_below",
     [] {
       return f::lk_relu(ones({2, 3, 4}), -4);
     },
     "lk_relu: expected dim in [-3, 2] for a tensor of 3 axes, got -4"},
    {"default_axis_of_a_vector",
     [] { return f::lk_relu(ones({3})); },
     "lk_relu: expected dim in [-1, 0] for a tensor of 1 axes, got 1"},
    {"from_a_module",
     [] {
       return linked_neurons::LKReLU(5)(ones({2, 3}));
     },
     "lk_relu: expected dim in [-2, 1] for a tensor of 2 axes, got 5"}};

const std::vector<ErrorCase> kWeights = {
    {"undefined",
     [] {
       return f::lk_prelu(ones({2, 3}), ones({1}), Tensor());
     },
     "lk_prelu: expected weight_neg to be a tensor, got an undefined one"},
    {"wrong_count",
     [] {
       return f::lk_prelu(ones({2, 3, 5}), ones({4}), ones({4}));
     },
     "lk_prelu: expected weight_pos to have 1 weight, 3 (the channels at dim 1) or one an element "
     "(shape [3, 5]), got 4 of shape [4]"},
    {"channels_of_another_axis",
     [] {
       return f::lk_prelu(ones({2, 3, 5}), ones({3}), ones({3}), LKPReLUOptions().dim(-1));
     },
     "lk_prelu: expected weight_pos to have 1 weight, 5 (the channels at dim 2) or one an element "
     "(shape [3, 5]), got 3 of shape [3]"},
    {"elements_of_another_shape",
     [] {
       return f::lk_prelu(ones({2, 3, 5}), ones({3, 5}), ones({5, 3}));
     },
     "lk_prelu: expected weight_neg to have 1 weight, 3 (the channels at dim 1) or one an element "
     "(shape [3, 5]), got 15 of shape [5, 3]"},
    {"different_counts",
     [] {
       return f::lk_prelu(ones({2, 3}), ones({1}), ones({3}));
     },
     "lk_prelu: expected weight_pos and weight_neg of one shape, got [1] and [3]"},
    {"another_type",
     [] {
       return f::lk_prelu(ones({2, 3}), ones({1}), ones({1}, at::kDouble));
     },
     "lk_prelu: expected weight_neg of type Float, as the input, got Double"},
    {"another_type_beside_16_bits",
     [] {
       return f::lk_prelu(ones({2, 3}, at::kBFloat16), ones({1}, at::kHalf), ones({1}));
     },
     "lk_prelu: expected weight_pos of type BFloat16 or Float, as the input, got Half"},
    {"another_device",
     [] {
       return f::lk_prelu(ones({2, 3}), ones({1}, at::kMeta), ones({1}));
     },
     "lk_prelu: expected weight_pos on cpu, as the input, got meta"},
    {"from_a_module",
     [] {
       return LKPReLU(LKPReLUOptions().num_parameters(4))(ones({2, 3}));
     },
     "lk_prelu: expected weight_pos to have 1 weight, 3 (the channels at dim 1) or one an element "
     "(shape [3]), got 4 of shape [4]"}};

constexpr auto kNameOfError = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(OfInputs, Errors, testing::ValuesIn(kInputs), kNameOfError);
INSTANTIATE_TEST_SUITE_P(OfWeights, Errors, testing::ValuesIn(kWeights), kNameOfError);

} // namespace
} // namespace tests
