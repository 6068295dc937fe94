// The layers as LibTorch differentiates them: twice, from any gradient, through views, under
// functorch's transforms; and what is refused. (In forward mode: forward_mode_test.cpp.)
#include "every_layer.h"

#include <ATen/functorch/BatchedTensorImpl.h>
#include <ATen/functorch/DynamicLayer.h>
#include <ATen/functorch/TensorWrapper.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tests {
namespace {

using torch::autograd::grad;

/// Whether neither the first nor the second derivative of a layer jumps at 0.
bool is_smooth_at_0(const Layer& layer) {
  constexpr double kNear = 1e-7;
  const Tensor x = at::tensor({-kNear, kNear}, at::kDouble).view({2, 1}).requires_grad_();
  const Parameters parameters = layer.parameters(x, 1, at::TensorOptions(at::kDouble));
  const Tensor z = layer.has_bias ? (x - parameters.bias).detach().requires_grad_() : x;
  const Tensor y = layer.composed(z, parameters, 1);
  const Tensor arriving = at::tensor({1.0, 0.625}, at::kDouble).expand({2, 2});
  const Tensor first = grad({y}, {z}, {arriving}, true, /*create_graph=*/true)[0];
  // LibTorch knows of no second derivative where all it has are constants.
  const Tensor second = first.requires_grad() ? grad({first.sum()}, {z})[0] : at::zeros_like(first);
  const auto jumps = [](const Tensor& of) { return (of[1] - of[0]).abs().item<double>() > 1e-3; };
  return !jumps(first) && !jumps(second);
}

/// First and second derivatives, in double.
std::vector<Tensor> derivatives(
    const Layer& layer, bool is_fused, const Tensor& at, std::int64_t dim, std::uint64_t seed) {
  torch::manual_seed(seed); // not randn_like: its numbers would follow the memory's order
  const auto options = at::TensorOptions(at::kDouble).requires_grad(true);
  const Tensor x = at.detach().requires_grad_();
  const Parameters parameters = layer.parameters(x, dim, options);
  const Tensor y = (is_fused ? layer.fused : layer.composed)(x, parameters, dim);
  const Tensor arriving = torch::randn(y.sizes(), at::kDouble).requires_grad_();
  auto leaves = layer.leaves(x, parameters);
  auto results = grad({y}, leaves, {arriving}, true, /*create_graph=*/true);
  std::vector<Tensor> directions;
  for (const Tensor& first : results) {
    directions.push_back(torch::randn(first.sizes(), at::kDouble));
  }
  // With respect to the arriving gradient too.
  leaves.push_back(arriving);
  const auto second = grad(results, leaves, directions, true, false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < second.size(); ++i) {
    // LibTorch says undefined for a zero where it knows of it.
    results.push_back(second[i].defined() ? second[i] : at::zeros_like(leaves[i]));
  }
  return results;
}

TEST_P(EveryLayer, IsDifferentiableTwiceOnEachAxis) {
  const Layer& layer = GetParam();
  const bool is_smooth = is_smooth_at_0(layer);
  Tensor x = torch::randn({3, 2, 4, 5}, at::kDouble);
  x = at::where(x.abs() < 0.05, is_smooth ? at::zeros_like(x) : at::ones_like(x), x);
  x[0][0][0][0] = is_smooth ? 0 : 1;
  const std::vector<Tensor> memory = {
      x,
      x.contiguous(at::MemoryFormat::ChannelsLast),
      x.transpose(0, 3).contiguous().transpose(0, 3)};
  for (const Tensor& each : memory) {
    for (std::int64_t dim = -4; dim < 4; ++dim) {
      const auto ours = derivatives(layer, true, each, dim, 7);
      const auto theirs = derivatives(layer, false, each, dim, 7);
      ASSERT_EQ(ours.size(), theirs.size());
      for (std::size_t i = 0; i < ours.size(); ++i) {
        expect_within(
            ours[i],
            theirs[i],
            theirs[i].abs() * 1e-12 + 1e-12,
            "derivative " + std::to_string(i) + " at dim " + std::to_string(dim));
      }
    }
  }
}

TEST_P(EveryLayer, TakesExpandedGradients) {
  const Layer& layer = GetParam();
  const std::vector<std::int64_t> sizes = {2, 6, 5, 7};
  const Tensor cases[] = {
      torch::ones({}).expand(sizes),
      torch::full({1, 1, 1, 1}, 1.0 / 420).expand(sizes),
      torch::randn({1, 6, 1, 1}).expand(sizes),
      torch::randn({2, 1, 5, 7}).expand(sizes),
      torch::randn({2, 6, 1, 7}).expand(sizes)};
  for (const Tensor& expanded : cases) {
    const Tensor x = torch::randn({2, 3, 5, 7}).requires_grad_();
    const Parameters parameters = layer.parameters(x, 1, at::TensorOptions().requires_grad(true));
    const auto leaves = layer.leaves(x, parameters);
    const auto ours = grad({layer.fused(x, parameters, 1)}, leaves, {expanded});
    const auto theirs = grad({layer.fused(x, parameters, 1)}, leaves, {expanded.contiguous()});
    for (std::size_t i = 0; i < ours.size(); ++i) {
      expect_same_bits(ours[i], theirs[i], "an expanded gradient");
    }
  }
}

TEST_P(EveryLayer, IsDifferentiableThroughViews) {
  const Layer& layer = GetParam();
  using View = Tensor (*)(const Tensor& leaf);
  const View views[] = {
      [](const Tensor& leaf) { return leaf.slice(3, 0, 8, 2); },
      [](const Tensor& leaf) { return leaf.slice(1, 0, 6, 2); },
      [](const Tensor& leaf) { return leaf.narrow(2, 1, 3); },
      [](const Tensor& leaf) { return leaf.narrow(1, 1, 2).transpose(0, 2); },
      [](const Tensor& leaf) {
        return leaf.narrow(0, 1, 1).expand({5, -1, -1, -1});
      },
      [](const Tensor& leaf) { return leaf.reshape({-1}); },
      // An axis of one index, with the stride of another place.
      [](const Tensor& leaf) { return leaf.unsqueeze(0).transpose(0, 1); },
      [](const Tensor& leaf) { return leaf.diagonal(0, 2, 3); }};
  for (const View& view : views) {
    const auto run = [&](const auto& function) {
      torch::manual_seed(3);
      const Tensor leaf = torch::randn({4, 6, 5, 8}).requires_grad_();
      const Tensor x = view(leaf);
      const Tensor y = function(x, layer.parameters(x, -1), -1);
      return std::vector<Tensor>{y, grad({y}, {leaf}, {torch::randn(y.sizes())})[0]};
    };
    const auto ours = run(layer.fused);
    const auto theirs = run(layer.composed);
    EXPECT_TRUE(ours[0].allclose(theirs[0], 1e-5, 1e-6));
    EXPECT_TRUE(ours[1].allclose(theirs[1], 1e-5, 1e-5));
  }
}

TEST_P(EveryLayer, WorksUnderVmap) {
  namespace functorch = at::functorch;
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({3, 2, 4, 5}).requires_grad_();
  const auto level = functorch::initAndPushDynamicLayer(
      functorch::TransformType::Vmap, 3, functorch::RandomnessType::Error);
  // Each sample is transposed, and none sees the batch, which lies between its axes.
  const Tensor samples = functorch::addBatchDim(x.transpose(0, 2), 2, level);
  const Tensor linked = layer.fused(samples, layer.parameters(samples, -1), -1);
  functorch::popDynamicLayerAndDeleteMetadata();
  const auto* batched = functorch::maybeGetBatchedImpl(linked);
  ASSERT_NE(batched, nullptr);
  const Tensor y = batched->value().movedim(batched->bdim(), 0);
  const Tensor expected = layer.composed(x.transpose(1, 2), layer.parameters(x, -1), -1);
  EXPECT_TRUE(y.allclose(expected, 1e-5, 1e-6));
  const Tensor arriving = torch::randn(y.sizes());
  const Tensor back = grad({expected}, {x}, {arriving})[0];
  EXPECT_TRUE(grad({y}, {x}, {arriving})[0].allclose(back, 1e-5, 1e-5));
}

TEST_P(EveryLayer, WorksUnderFunctorchsGrad) {
  namespace functorch = at::functorch;
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 4, 5});
  const Tensor arriving = torch::randn({2, 8, 5});
  const auto level =
      functorch::initAndPushDynamicLayer(functorch::TransformType::Grad, {}, {}, true);
  const Tensor wrapped = functorch::makeTensorWrapper(x, level).requires_grad_();
  const Tensor y = layer.fused(wrapped, layer.parameters(x, 1), 1);
  const Tensor back = grad({(y * arriving).sum()}, {wrapped})[0];
  functorch::popDynamicLayerAndDeleteMetadata();
  const auto* gradient = functorch::maybeGetTensorWrapper(back);
  ASSERT_NE(gradient, nullptr);
  x.requires_grad_();
  const Tensor expected = layer.composed(x, layer.parameters(x, 1), 1);
  EXPECT_TRUE(gradient->value().allclose(grad({expected}, {x}, {arriving})[0], 1e-5, 1e-5));
}

/// What comes after it does not depend on what went in, as far as autograd knows.
struct NoGradient : torch::autograd::Function<NoGradient> {
  static Tensor forward(torch::autograd::AutogradContext* /*context*/, const Tensor& x) {
    return x.clone();
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* /*context*/,
      const torch::autograd::variable_list& /*grads*/) {
    return {Tensor()};
  }
};

TEST_P(EveryLayer, PassesOnThatThereIsNoGradient) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 4, 5}).requires_grad_();
  const Tensor y = layer.fused(x, layer.parameters(x, 1), 1);
  (NoGradient::apply(y).sum() + x.sum()).backward();
  EXPECT_TRUE(x.grad().equal(at::ones_like(x)));
}

TEST_P(EveryLayer, RefusesASecondBackwardOfAFreedGraph) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 4, 5}).requires_grad_();
  const Tensor y = layer.fused(x, layer.parameters(x, 1), 1).sum();
  y.backward();
  EXPECT_THROW(y.backward(), c10::Error);
}

} // namespace
} // namespace tests
