#include "optimizer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <torch/types.h>

#include <cmath>

namespace article {
namespace {

// Keras' constants.
constexpr double epsilon = 1e-7;
constexpr double beta1 = 0.9;
constexpr double beta2 = 0.999;
constexpr double rho = 0.9;

/// The piece of `flat` that starts at `offset`, in the form of `parameter`: filters with their
/// channels last, as the images are.
at::Tensor view_like(const at::Tensor& flat, std::int64_t offset, const at::Tensor& parameter) {
  const at::Tensor piece = flat.narrow(0, offset, parameter.numel());
  if (parameter.dim() != 4) {
    return piece.view(parameter.sizes());
  }
  return piece.view({parameter.size(0), parameter.size(2), parameter.size(3), parameter.size(1)})
      .permute({0, 3, 1, 2});
}

} // namespace

FlatParameters::FlatParameters(const torch::nn::Module& network) {
  const std::vector<at::Tensor> parameters = network.parameters();
  std::int64_t count = 0;
  for (const at::Tensor& parameter : parameters) {
    count += parameter.numel();
  }
  values = at::empty({count}, parameters.at(0).options().requires_grad(false));
  gradients = at::zeros_like(values);
  std::int64_t offset = 0;
  for (const at::Tensor& parameter : parameters) {
    const at::Tensor value = view_like(values, offset, parameter);
    value.copy_(parameter.detach());
    parameter.set_data(value);
    parameter.mutable_grad() = view_like(gradients, offset, parameter);
    offset += parameter.numel();
  }
}

Optimizer::Optimizer(const Settings& settings, const FlatParameters& parameters)
    : settings_(settings), values_(parameters.values), gradients_(parameters.gradients) {
  std::size_t count = 1;
  if (settings.optimizer == "adam") {
    count = 2;
  } else if (settings.optimizer == "sgd" && settings.momentum == 0) {
    count = 0;
  }
  for (std::size_t i = 0; i < count; ++i) {
    state.push_back(at::zeros_like(values_));
  }
}

void Optimizer::step(double factor) {
  const torch::NoGradGuard guard;
  const at::Tensor& gradient = gradients_;
  double lr = factor * settings_.lr / (1 + settings_.decay * static_cast<double>(steps));
  ++steps;
  if (settings_.optimizer == "adam") {
    const auto count = static_cast<double>(steps);
    lr *= std::sqrt(1 - std::pow(beta2, count)) / (1 - std::pow(beta1, count));
    state[0].mul_(beta1).add_(gradient, 1 - beta1);
    state[1].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
    values_.addcdiv_(state[0], state[1].sqrt().add_(epsilon), -lr);
  } else if (settings_.optimizer == "rmsprop") {
    state[0].mul_(rho).addcmul_(gradient, gradient, 1 - rho);
    values_.addcdiv_(gradient, state[0].sqrt().add_(epsilon), -lr);
  } else {
    if (settings_.momentum != 0) {
      state[0].mul_(settings_.momentum).sub_(gradient, lr);
      values_.add_(state[0], settings_.momentum);
    }
    values_.sub_(gradient, lr);
  }
}

} // namespace article
