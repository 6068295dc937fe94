// The composed path, where LibTorch differentiates it itself (under its transforms): at 0 too,
// where an expression may have a kink that the layer has not.

#include "compare.h"
#include "contract.h"

#include <linked_neurons/detail/composed.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tests {
namespace {

/// An activation on the composed path, with one weight a half where it has weights.
struct ComposedPath {
  const char* name;
  Contract contract;
  Tensor (*forward)(const Tensor& x, const ln::Pair<Tensor>& weights, std::int64_t dim);
};

const std::vector<ComposedPath> kComposedPaths = {
#define TESTS_PATH(A, function, Module)                                                       \
  {ln::activation::A::name,                                                                   \
   contract_of<ln::activation::A>(),                                                          \
   [](const Tensor& x, const ln::Pair<Tensor>& weights, std::int64_t dim) {                   \
     return ln::detail::composed::forward<ln::activation::A>(                                 \
         x, {weights, {}, kNumber<ln::activation::A>}, ln::detail::ParameterShape::one, dim); \
   }},
    TESTS_FOR_EVERY_ACTIVATION(TESTS_PATH)
#undef TESTS_PATH
};

class Composed : public testing::TestWithParam<ComposedPath> {};

TEST_P(Composed, HasTheDerivativesOfTheReference) {
  const auto& [name, contract, forward] = GetParam();
  Arguments arguments;
  arguments.x = at::tensor({-2.0, -0.5, -0.0, 0.0, 0.5, 2.0}, at::kDouble);
  arguments.grad = at::arange(1, 13, at::kDouble);
  arguments.dim = 0;
  if (contract.has_weight) {
    const Tensor weight = at::full({1}, 0.25, at::kDouble);
    arguments.parameters.weight = {weight, weight};
    arguments.weight_sizes = {1};
  }
  const Results expected = contract.reference(arguments, at::kDouble);
  const Tensor x = arguments.x.clone().requires_grad_();
  const Tensor y = forward(x, arguments.parameters.weight, arguments.dim);
  // Both compute in double, but they round in different places.
  expect_within(y, expected.output, expected.output.abs() * 1e-15, "output");
  const Tensor grad_input = torch::autograd::grad({y}, {x}, {arguments.grad})[0];
  expect_within(
      grad_input, expected.grad_input, expected.grad_input.abs() * 1e-14, "gradient of the input");
}

INSTANTIATE_TEST_SUITE_P(, Composed, testing::ValuesIn(kComposedPaths), [](const auto& info) {
  return std::string(info.param.name);
});

} // namespace
} // namespace tests
