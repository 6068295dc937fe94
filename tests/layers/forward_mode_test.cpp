// The layers under forward-mode differentiation: tangents, which go with numbers through a
// function, compared with those of the composed expression.
#include "every_layer.h"

#include <torch/csrc/autograd/forward_grad.h>

#include <functional>

namespace tests {
namespace {

using torch::autograd::grad;

/// Forward mode, which is on while an object of this class lives.
class ForwardMode {
 public:
  ForwardMode() = default;
  ForwardMode(const ForwardMode&) = delete;
  ForwardMode& operator=(const ForwardMode&) = delete;
  ~ForwardMode() {
    torch::autograd::ForwardADLevel::release_idx(level_);
  }

  Tensor dual(const Tensor& primal, const Tensor& tangent) const {
    return at::_make_dual(primal, tangent, static_cast<std::int64_t>(level_));
  }

  /// The tangent, or zeros, which LibTorch says as an undefined one.
  Tensor tangent(const Tensor& dual) const {
    const Tensor& tangent = dual._fw_grad(level_);
    return tangent.defined() ? tangent.clone() : at::zeros_like(dual);
  }

 private:
  std::uint64_t level_ = torch::autograd::ForwardADLevel::get_next_idx();
};

/// In double, and not close to a kink.
Tensor input() {
  const Tensor x = torch::randn({3, 4, 5}, at::kDouble);
  return at::where(x.abs() < 0.05, at::ones_like(x), x);
}

Tensor random_like(const Tensor& like) {
  return torch::randn(like.sizes(), at::kDouble);
}

void expect_close(const Tensor& ours, const Tensor& theirs, const std::string& what) {
  expect_within(ours, theirs, theirs.abs() * 1e-12 + 1e-12, what);
}

TEST_P(EveryLayer, TakesTangentsOfEachArgument) {
  const Layer& layer = GetParam();
  const std::size_t arguments = layer.leaves({}, {}).size();
  for (const std::int64_t dim : {0, 1, -1}) {
    // Of one argument after the other, and then of all.
    for (std::size_t which = 0; which <= arguments; ++which) {
      const auto jvp = [&](const auto& function) {
        torch::manual_seed(5);
        const ForwardMode mode;
        std::size_t i = 0;
        const auto dual = [&](const Tensor& argument) {
          const std::size_t at = i++;
          return which == at || which == arguments ? mode.dual(argument, random_like(argument))
                                                   : argument;
        };
        const Tensor primal = input();
        Parameters parameters = layer.parameters(primal, dim, at::kDouble);
        const Tensor x = dual(primal);
        if (layer.has_weight) {
          parameters.weight.pos = dual(parameters.weight.pos);
          parameters.weight.neg = dual(parameters.weight.neg);
        }
        if (layer.has_bias) {
          parameters.bias = dual(parameters.bias);
        }
        const Tensor y = function(x, parameters, dim);
        Tensor tangent = mode.tangent(y);
        EXPECT_FALSE(tangent.equal(at::zeros_like(tangent)));
        return tangent;
      };
      expect_close(
          jvp(layer.fused), jvp(layer.composed), "tangent of argument " + std::to_string(which));
    }
  }
}

// LibTorch has no tangents for all of its own gradients (silu's): what follows is compared with
// backward over backward. The two are the same, since each element depends on one other only.

TEST_P(EveryLayer, IsDifferentiableForwardOverBackward) {
  const Layer& layer = GetParam();
  const Tensor x = input().requires_grad_();
  const Parameters parameters = layer.parameters(x, 1, at::kDouble);
  const Tensor direction = random_like(x);

  const Tensor y = layer.composed(x, parameters, 1);
  const Tensor arriving = random_like(y);
  const Tensor first = grad({y}, {x}, {arriving}, true, /*create_graph=*/true)[0];
  Tensor second = at::zeros_like(x);
  if (first.requires_grad()) { // LibTorch knows that LK-PReLU's first derivative is constant.
    const Tensor found = grad({first}, {x}, {direction}, true, false, /*allow_unused=*/true)[0];
    second = found.defined() ? found : second;
  }

  const ForwardMode mode;
  const Tensor ours = layer.fused(mode.dual(x, direction), parameters, 1);
  expect_close(mode.tangent(grad({ours}, {x}, {arriving})[0]), second, "tangent of the gradient");
}

TEST_P(EveryLayer, TakesATangentOfTheArrivingGradient) {
  const Layer& layer = GetParam();
  const Tensor x = input().requires_grad_();
  const Parameters parameters = layer.parameters(x, 1, at::kDouble);
  const Tensor y = layer.composed(x, parameters, 1);
  const Tensor direction = random_like(y);
  const Tensor expected = grad({y}, {x}, {direction})[0];

  const ForwardMode mode;
  const Tensor arriving = mode.dual(random_like(y), direction);
  const Tensor ours = grad({layer.fused(x, parameters, 1)}, {x}, {arriving})[0];
  expect_close(mode.tangent(ours), expected, "tangent of the gradient");
}

} // namespace
} // namespace tests
