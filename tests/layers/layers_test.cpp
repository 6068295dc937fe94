// The layers as a program calls them, against the composed expression: every layer, type, memory
// layout, shape and axis, on the device that LINKED_NEURONS_TEST_DEVICE names (cpu, or cuda).

#include "layer.h"
#include "layer_cases.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace tests {
namespace {

using Case = LayerCase<Layer>;
using torch::autograd::grad;

at::Device test_device() {
  const char* name = std::getenv("LINKED_NEURONS_TEST_DEVICE");
  return std::string(name == nullptr ? "cpu" : name);
}

class Layers : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !torch::cuda::is_available()) {
      GTEST_SKIP() << "no CUDA device";
    }
  }

  const at::Device device = test_device();
};

Tensor leaf(const Tensor& tensor) {
  return tensor.defined() ? tensor.detach().requires_grad_() : tensor;
}

Parameters leaves(const Parameters& parameters) {
  return {{leaf(parameters.weight.pos), leaf(parameters.weight.neg)}, leaf(parameters.bias)};
}

Results run(const Layer& layer, const Arguments& arguments) {
  const Tensor x = leaf(arguments.x);
  const Parameters parameters = leaves(arguments.parameters);
  const Tensor y = layer.fused(x, parameters, arguments.dim);
  const auto grads = grad({y}, layer.leaves(x, parameters), {arguments.grad});
  Results results{y.detach(), grads[0]};
  if (layer.has_weight) {
    results.grad_weight = {grads[1], grads[2]};
  }
  if (layer.has_bias) {
    results.grad_bias = grads.back();
  }
  return results;
}

/// The axes from the outermost in memory to the innermost. Only those count that have more than one
/// index in the output `y`; among equal strides an axis of one index in the input `x` is the inner
/// one.
Sizes axes_in_memory(const Tensor& x, const Tensor& y, at::IntArrayRef strides) {
  Sizes axes;
  for (std::int64_t axis = 0; axis < x.dim(); ++axis) {
    if (y.size(axis) > 1) {
      axes.push_back(axis);
    }
  }
  const auto place = [&](std::int64_t axis) { return std::pair(strides[axis], x.size(axis) > 1); };
  std::stable_sort(axes.begin(), axes.end(), [&](std::int64_t a, std::int64_t b) {
    return place(a) > place(b);
  });
  return axes;
}

void expect_format_kept(const Tensor& x, const Tensor& y) {
  if (!x.is_non_overlapping_and_dense() || x.numel() == 0) {
    return;
  }
  EXPECT_TRUE(y.is_non_overlapping_and_dense());
  const auto format = x.suggest_memory_format();
  EXPECT_EQ(y.suggest_memory_format(), format);
  if (x.is_contiguous(format)) {
    EXPECT_EQ(y.strides(), at::empty(y.sizes(), y.options().memory_format(format)).strides());
  } else {
    EXPECT_EQ(axes_in_memory(x, y, y.strides()), axes_in_memory(x, y, x.strides()));
  }
}

TEST_P(Layers, EqualTheComposedExpression) {
  const Layer& layer = GetParam().layer;
  const Arguments arguments = GetParam().arguments(device);
  const Results results = run(layer, arguments);
  SCOPED_TRACE(describe(arguments));
  Expected(layer.contract, arguments).check(results);
  expect_format_kept(arguments.x, results.output);
}

INSTANTIATE_TEST_SUITE_P(
    Chosen,
    Layers,
    testing::ValuesIn(chosen_cases(kBuiltInLayers, kTypes, kMemory, kShapes)),
    kNameOfCase);

INSTANTIATE_TEST_SUITE_P(
    Random, Layers, testing::ValuesIn(random_cases(kBuiltInLayers, 500)), kNameOfCase);

/// The first and second derivatives of a layer with respect to all that can be differentiated: its
/// arguments, and for the second ones the gradient that arrives too.
std::vector<Tensor> derivatives(
    const Layer& layer,
    const std::function<Tensor(const Tensor& x, const Parameters& parameters)>& function,
    const Arguments& arguments) {
  const Tensor x = leaf(arguments.x);
  const Parameters parameters = leaves(arguments.parameters);
  const Tensor arriving = leaf(arguments.grad);
  auto inputs = layer.leaves(x, parameters);
  auto first = grad({function(x, parameters)}, inputs, {arriving}, true, /*create_graph=*/true);
  torch::manual_seed(13);
  Tensor scalar = torch::zeros({}, x.options());
  for (const Tensor& each : first) {
    scalar = scalar + (each * torch::randn(each.sizes(), x.options())).sum() + each.pow(2).sum();
  }
  inputs.push_back(arriving);
  const auto second = grad({scalar}, inputs, {}, true, false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < second.size(); ++i) {
    // A derivative that is zero everywhere may be undefined.
    first.push_back(second[i].defined() ? second[i] : at::zeros_like(inputs[i]));
  }
  return first;
}

class LayersDerivatives : public Layers {};

TEST_P(LayersDerivatives, EqualThoseOfTheComposedExpression) {
  const Layer& layer = GetParam().layer;
  const Arguments arguments = GetParam().arguments(device);
  const auto fused = [&](const Tensor& x, const Parameters& parameters) {
    return layer.fused(x, parameters, arguments.dim);
  };
  const auto composed = [&](const Tensor& x, const Parameters& parameters) {
    Parameters shaped = parameters;
    if (layer.has_weight) {
      shaped.weight.pos = parameters.weight.pos.view(arguments.weight_sizes);
      shaped.weight.neg = parameters.weight.neg.view(arguments.weight_sizes);
    }
    return layer.composed(x, shaped, arguments.dim);
  };
  const auto ours = derivatives(layer, fused, arguments);
  const auto theirs = derivatives(layer, composed, arguments);
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(at::allclose(ours[i], theirs[i], 1e-9, 1e-10)) << "derivative " << i;
  }
}

/// Each axis of a few tensors, counted from the front and from the end.
std::vector<Shape> every_axis() {
  std::vector<Shape> shapes;
  for (const Sizes& sizes : std::vector<Sizes>{{5, 6}, {2, 3, 4, 5}, {2, 70, 3}}) {
    const auto axes = static_cast<std::int64_t>(sizes.size());
    for (std::int64_t dim = -axes; dim < axes; ++dim) {
      shapes.push_back({sizes, dim});
    }
  }
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(
    ,
    LayersDerivatives,
    testing::ValuesIn(chosen_cases(kBuiltInLayers, {at::kDouble}, {kMemory[0]}, every_axis())),
    kNameOfCase);

} // namespace
} // namespace tests
