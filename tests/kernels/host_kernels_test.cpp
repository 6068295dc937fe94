// The CUDA kernels, executed on the host, on tensors of every memory layout: the library's own way
// from tensors to a kernel's arguments and back, as it goes for a CUDA tensor.

#include "backends.h"
#include "contract.h"
#include "layer_cases.h"

#include <linked_neurons/detail/run.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace tests {
namespace {

/// Forward and backward of an activation with the kernels.
template <class Activation>
Results run(const Arguments& arguments) {
  const Backend& backend = *host_kernels<Activation>()[0].backend;
  const auto& [x, grad, given_dim, given, weight_sizes] = arguments;
  const ln::detail::Parameters parameters{given.weight, given.bias, kNumber<Activation>};
  const auto dim = ln::detail::check_input(Activation::name, x, given_dim);
  auto kind = ln::detail::ParameterShape::one;
  if constexpr (Activation::has_weight) {
    kind = ln::detail::check_weight(Activation::name, parameters.weight, x, dim);
  }
  const auto forwarded =
      ln::detail::run_forward<Activation>(&backend, x, parameters, kind, dim, /*keep_masks=*/true);
  const ln::detail::SavedForBackward saved{
      Activation::saved == ln::Saved::input ? x : forwarded.output,
      Activation::saved == ln::Saved::input,
      forwarded.masks,
      forwarded.mask_layout,
      parameters,
      kind,
      dim,
      {Activation::has_weight, parameters.bias.defined()}};
  const auto gradients = ln::detail::run_backward<Activation>(
      backend, grad, saved, ln::detail::layout_of(x.sizes(), forwarded.strides, dim));
  const auto& [grad_weight, grad_bias, number] = gradients.parameters;
  return {forwarded.output, gradients.input, grad_weight, grad_bias};
}

/// An activation's layer, as the table of cases has it.
struct HostLayer {
  const char* name;
  bool has_weight, has_bias;
  Contract contract;
  Results (*run)(const Arguments& arguments);

  std::string label() const {
    return std::string(name) + (has_bias ? "_with_bias" : "");
  }
};

template <class Activation>
HostLayer host_layer(bool has_bias) {
  return {
      Activation::name,
      Activation::has_weight,
      has_bias,
      contract_of<Activation>(),
      &run<Activation>};
}

const std::vector<HostLayer> kHostLayers = [] {
  std::vector<HostLayer> all;
  for (const bool has_bias : {false, true}) {
#define TESTS_LAYER(A, function, Module) all.push_back(host_layer<ln::activation::A>(has_bias));
    TESTS_FOR_EVERY_ACTIVATION(TESTS_LAYER)
#undef TESTS_LAYER
  }
  return all;
}();

class HostKernels : public testing::TestWithParam<LayerCase<HostLayer>> {};

TEST_P(HostKernels, EqualTheComposedExpression) {
  const HostLayer& layer = GetParam().layer;
  const Arguments arguments = GetParam().arguments(at::kCPU);
  SCOPED_TRACE(describe(arguments));
  Expected(layer.contract, arguments).check(layer.run(arguments));
}

/// Without the empty ones: those never come to a kernel.
std::vector<Shape> shapes_with_elements() {
  std::vector<Shape> shapes = kShapes;
  const auto has_none = [](const Shape& shape) { return !has_elements(shape.sizes); };
  shapes.erase(std::remove_if(shapes.begin(), shapes.end(), has_none), shapes.end());
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(
    Chosen,
    HostKernels,
    testing::ValuesIn(chosen_cases(kHostLayers, kTypes, kMemory, shapes_with_elements())),
    kNameOfCase);

INSTANTIATE_TEST_SUITE_P(
    Random, HostKernels, testing::ValuesIn(random_cases(kHostLayers, 400)), kNameOfCase);

} // namespace
} // namespace tests
