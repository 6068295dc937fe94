/// \file
/// Compares a linked layer with the LibTorch expression that it stands for.
#pragma once

#include <torch/torch.h>

#include <cstdio>
#include <functional>

using Function = std::function<torch::Tensor(const torch::Tensor&)>;

/// An output, its first and its second derivatives with respect to the input.
struct Derivatives {
  torch::Tensor value, first, second;
};

/// For the gradient `grad` arriving at the output, and `twice` arriving at the input's gradient.
inline Derivatives differentiate(
    const Function& function,
    const torch::Tensor& at,
    const torch::Tensor& grad,
    const torch::Tensor& twice) {
  const auto x = at.detach().requires_grad_();
  const auto value = function(x);
  const auto first = torch::autograd::grad({value}, {x}, {grad}, true, /*create_graph=*/true)[0];
  const auto second = torch::autograd::grad({first}, {x}, {twice})[0];
  return {value.detach(), first.detach(), second};
}

/// Prints the largest differences, and whether all are below `tolerance`.
inline bool agree(
    const char* what,
    const Function& layer,
    const Function& composed,
    const torch::Tensor& x,
    double tolerance) {
  const auto grad = torch::randn_like(composed(x));
  const auto twice = torch::randn_like(x);
  const auto ours = differentiate(layer, x, grad, twice);
  // The reference is computed in double.
  const auto reference = differentiate(
      composed, x.to(torch::kDouble), grad.to(torch::kDouble), twice.to(torch::kDouble));
  const auto error = [](const torch::Tensor& a, const torch::Tensor& b) {
    return (a.to(torch::kDouble) - b).abs().max().item<double>();
  };
  const double forward = error(ours.value, reference.value);
  const double backward = error(ours.first, reference.first);
  const double again = error(ours.second, reference.second);
  // Written so that a NaN disagrees.
  const bool good = forward <= tolerance && backward <= tolerance && again <= tolerance;
  std::printf(
      "%-24s forward %.1e, backward %.1e, double backward %.1e: %s\n",
      what,
      forward,
      backward,
      again,
      good ? "ok" : "TOO LARGE");
  return good;
}
