// The layers on request, with their defaults and with other numbers, against LibTorch's functions.

#include "expect_error.h"
#include "optional_layers.h"

#include <linked_neurons/optional.h>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

namespace tests {
namespace {

namespace ln = linked_neurons;
namespace F = linked_neurons::functional;
using at::Tensor;

/// A layer and the function of LibTorch whose pair it is.
struct Optional {
  const char* name;
  Tensor (*layer)(const Tensor& x);
  Tensor (*base)(const Tensor& z);
};

template <class Module>
Tensor by_default(const Tensor& x) {
  return Module()(x);
}

Tensor elu_of_one_half(const Tensor& x) {
  return F::lk_elu(x, F::LKELUFuncOptions().alpha(0.5));
}

/// \tparam kPercent the slope.
template <int kPercent>
Tensor leaky_relu(const Tensor& x) {
  return ln::LKLeakyReLU(ln::LKLeakyReLUOptions().negative_slope(kPercent / 100.0))(x);
}

const std::vector<Optional> kOptional = {
    {"elu", by_default<ln::LKELU>, [](const Tensor& z) { return at::elu(z); }},
    {"elu_of_one_half", elu_of_one_half, [](const Tensor& z) { return at::elu(z, 0.5); }},
    {"gelu", by_default<ln::LKGELU>, [](const Tensor& z) { return at::gelu(z); }},
    {"gelu_tanh", by_default<ln::LKGELUTanh>, [](const Tensor& z) { return at::gelu(z, "tanh"); }},
    {"hardswish", by_default<ln::LKHardswish>, [](const Tensor& z) { return at::hardswish(z); }},
    {"leaky_relu", by_default<ln::LKLeakyReLU>, [](const Tensor& z) { return at::leaky_relu(z); }},
    {"leaky_relu_of_0", leaky_relu<0>, [](const Tensor& z) { return at::leaky_relu(z, 0); }},
    {"leaky_relu_of_2", leaky_relu<200>, [](const Tensor& z) { return at::leaky_relu(z, 2); }},
    {"leaky_relu_of_minus_1",
     leaky_relu<-100>,
     [](const Tensor& z) { return at::leaky_relu(z, -1); }},
    {"mish", by_default<ln::LKMish>, [](const Tensor& z) { return at::mish(z); }},
    {"softplus",
     by_default<ln::LKSoftplus>,
     [](const Tensor& z) { return at::softplus(z, 1, /*threshold=*/40); }},
};

class OptionalLayers : public testing::TestWithParam<Optional> {};

TEST_P(OptionalLayers, AreThePairOfLibTorchsFunction) {
  const auto& [name, layer, base] = GetParam();
  torch::manual_seed(5);
  const Tensor x = torch::cat({3 * torch::randn({4, 31}, at::kDouble), torch::zeros({4, 1})}, 1)
                       .requires_grad_();
  const Tensor z = x.detach().clone().requires_grad_();
  const Tensor y = layer(x);
  const Tensor expected = torch::cat({base(z), base(-z)}, 1);
  EXPECT_TRUE(y.allclose(expected, 1e-12, 1e-14));
  const Tensor arriving = torch::randn(y.sizes(), at::kDouble);
  const auto first = torch::autograd::grad({y}, {x}, {arriving});
  const auto expected_first = torch::autograd::grad({expected}, {z}, {arriving});
  EXPECT_TRUE(first[0].allclose(expected_first[0], 1e-12, 1e-13));
}

INSTANTIATE_TEST_SUITE_P(, OptionalLayers, testing::ValuesIn(kOptional), [](const auto& info) {
  return std::string(info.param.name);
});

TEST(Numbers, GoFromALayersOptionsToItsFunctionAndItsClone) {
  const Tensor x = torch::randn({3, 4});
  const auto options = ln::LKELUOptions().alpha(0.25).dim(-1).bias(4);
  EXPECT_EQ(options.alpha(), 0.25);
  EXPECT_EQ(ln::LKELUOptions().alpha(), 1);
  EXPECT_EQ(F::LKLeakyReLUFuncOptions().negative_slope(), 0.01);
  ln::LKELU layer(options);
  const Tensor expected = torch::cat({at::elu(x, 0.25), at::elu(-x, 0.25)}, 1);
  EXPECT_TRUE(F::lk_elu(x, layer->bias, options).allclose(expected));
  EXPECT_TRUE(layer(x).allclose(expected));
  const auto clone = std::dynamic_pointer_cast<ln::LKELUImpl>(layer->clone());
  EXPECT_TRUE(clone->forward(x).allclose(expected));
  std::ostringstream text;
  text << layer;
  EXPECT_EQ(text.str(), "linked_neurons::LKELU(alpha=0.25, dim=-1, bias=4)");
}

TEST(Numbers, ThatAnActivationDoesNotTakeAreRefused) {
  const Tensor x = torch::randn({3, 4});
  const auto elu = [&](double alpha) { F::lk_elu(x, F::LKELUFuncOptions().alpha(alpha)); };
  const auto leaky = [&](double slope) {
    F::lk_leaky_relu(x, F::LKLeakyReLUFuncOptions().negative_slope(slope));
  };
  expect_error([&] { elu(-1); }, "lk_elu: expected alpha to be a number of at least 0, got -1");
  expect_error([&] { elu(std::nan("")); }, "lk_elu: expected alpha to be a number of at least 0");
  expect_error([&] { leaky(std::nan("")); }, "lk_leaky_relu: expected negative_slope to be");
}

} // namespace
} // namespace tests
