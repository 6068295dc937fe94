// What a layer is compared with: LibTorch's own expression for it and that expression's gradients.
#pragma once

#include "every_activation.h"

#include <linked_neurons/activation/optional.h>
#include <linked_neurons/functional.h>

#include <torch/types.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tests {

namespace ln = linked_neurons;
using at::Tensor;

/// The number that the tests give an activation that has one: nobody's default.
template <class Activation>
inline constexpr double kNumber = Activation::has_number ? 0.3 : 0;

/// One half of each layer, by LibTorch's operators; `weight` broadcasts against `z`.
inline Tensor base(ln::activation::ReLU /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  return at::relu(z);
}
inline Tensor base(ln::activation::PReLU /*activation*/, const Tensor& z, const Tensor& weight) {
  return at::where(z > 0, z, weight * z);
}
inline Tensor base(ln::activation::SELU /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  // Not at::selu: before LibTorch 2.0 that computes exp(z) - 1, which has no digits near zero.
  // Nor clamp_max, whose derivative at the bound depends on LibTorch's version.
  const Tensor at_most_0 = at::where(z > 0, at::zeros_like(z), z);
  const Tensor curved =
      at::expm1(at_most_0) * (ln::activation::SELU::kLambda * ln::activation::SELU::kAlpha);
  return at::where(z > 0, z * ln::activation::SELU::kLambda, curved);
}
/// At infinity LibTorch multiplies it by 0 and gives NaN; the layers give the limits.
inline Tensor with_limits(const Tensor& z, const Tensor& y) {
  return at::where(z.isinf(), at::relu(z), y);
}
inline Tensor base(
    ln::activation::Swish /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  return with_limits(z, at::silu(z));
}
inline Tensor base(
    ln::activation::LeakyReLU /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  return at::leaky_relu(z, kNumber<ln::activation::LeakyReLU>);
}
inline Tensor base(ln::activation::ELU /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  const Tensor at_most_0 = at::where(z > 0, at::zeros_like(z), z);
  return at::where(z > 0, z, at::expm1(at_most_0) * kNumber<ln::activation::ELU>);
}
inline Tensor base(ln::activation::GELU /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  // Not at::gelu, whose negative tail has no digits.
  return with_limits(z, z * (at::erfc(z * -0.70710678118654752440) * 0.5));
}
inline Tensor base(
    ln::activation::GELUTanh /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  // The smaller of sigmoid(v) and sigmoid(-v), so that the derivative has all digits too.
  const Tensor v = (z + z * z * z * 0.044715) * 1.59576912160573071176;
  const Tensor part = z * at::sigmoid(at::where(z > 0, -v, v));
  return with_limits(z, at::where(z > 0, z - part, part));
}
inline Tensor base(
    ln::activation::Hardswish /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  // Not at::hardswish, whose derivative at 3 and -3 depends on LibTorch's version.
  return at::where(z >= 3, z, at::where(z > -3, z * (z + 3) / 6, at::zeros_like(z)));
}
inline Tensor base(ln::activation::Mish /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  return with_limits(z, at::mish(z));
}
inline Tensor base(
    ln::activation::Softplus /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  // Not at::softplus, which is z beyond 20. Nor |z|, whose derivative at 0 is 0.
  const Tensor rest = at::log1p(at::exp(at::where(z > 0, -z, z)));
  return at::where(z > 0, z, at::zeros_like(z)) + rest;
}

/// Both halves: a base and its negated twin, but of LK-SinCos, which has none.
template <class Activation>
ln::Pair<Tensor> both_halves(
    Activation activation, const Tensor& z, const ln::Pair<Tensor>& weights) {
  return {base(activation, z, weights.pos), base(activation, -z, weights.neg)};
}
inline ln::Pair<Tensor> both_halves(
    ln::activation::SinCos /*activation*/, const Tensor& z, const ln::Pair<Tensor>& /*weights*/) {
  return {at::sin(z), at::cos(z)};
}

/// What a layer computes with besides its input; undefined where it has none.
struct Parameters {
  ln::Pair<Tensor> weight;
  Tensor bias; ///< one number a channel
};

/// A bias, one number a channel, as it broadcasts against x.
inline Tensor broadcast_bias(const Tensor& bias, const Tensor& x, std::int64_t dim) {
  std::vector<std::int64_t> sizes(x.dim() - at::maybe_wrap_dim(dim, x.dim()), 1);
  sizes[0] = bias.numel();
  return bias.view(sizes);
}

/// The whole layer; the weights broadcast against x.
template <class Activation>
Tensor composed(
    const Tensor& x, const ln::Pair<Tensor>& weights, std::int64_t dim, const Tensor& bias = {}) {
  const Tensor z = bias.defined() ? x + broadcast_bias(bias, x, dim) : x;
  const auto y = both_halves(Activation{}, z, weights);
  return at::cat({y.pos, y.neg}, dim);
}

/// What a layer's forward and backward pass are given.
struct Arguments {
  Tensor x;
  Tensor grad; ///< with respect to the output
  std::int64_t dim = 1;
  Parameters parameters = {};
  std::vector<std::int64_t> weight_sizes = {}; ///< with which the weights broadcast against x
};

/// What they give back.
struct Results {
  Tensor output;
  Tensor grad_input;
  ln::Pair<Tensor> grad_weight = {}; ///< undefined without weights
  Tensor grad_bias = {};             ///< undefined without a bias
};

inline const std::vector<at::ScalarType> kTypes = {
    at::kFloat, at::kDouble, at::kHalf, at::kBFloat16};

/// As a part of a case's name: "float", "bfloat16".
inline std::string label(at::ScalarType type) {
  std::string name = c10::toString(type);
  std::transform(
      name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

inline bool is_16_bit(at::ScalarType type) {
  return type == at::kHalf || type == at::kBFloat16;
}

/// The type in which a layer computes: 16-bit numbers become floats, and are rounded once.
inline at::ScalarType computing_type(at::ScalarType type) {
  return is_16_bit(type) ? at::kFloat : type;
}

/// The results of the composed expression on the CPU, computed in `type` and left in it. Only the
/// sum with a bias is rounded to the type in which the layer computes, whatever `type` is.
template <class Activation>
Results reference(const Arguments& arguments, at::ScalarType type) {
  const auto& [weight, bias] = arguments.parameters;
  const std::int64_t dim = arguments.dim;
  Tensor z = arguments.x.detach().cpu();
  Tensor bias_of_z;
  if (bias.defined()) {
    const auto computing = computing_type(z.scalar_type());
    bias_of_z = broadcast_bias(bias.detach().cpu().to(computing), z, dim);
    z = z.to(computing) + bias_of_z;
  }
  z = z.to(type).requires_grad_();
  std::vector<Tensor> leaves = {z};
  ln::Pair<Tensor> weights;
  if (Activation::has_weight) {
    for (const Tensor& half : {weight.pos, weight.neg}) {
      leaves.push_back(half.detach().cpu().to(type).requires_grad_());
    }
    weights = {leaves[1].view(arguments.weight_sizes), leaves[2].view(arguments.weight_sizes)};
  }
  const Tensor y = composed<Activation>(z, weights, dim);
  const auto grads = torch::autograd::grad({y}, leaves, {arguments.grad.cpu().to(type)});
  Results results{y.detach(), grads[0]};
  if (Activation::has_weight) {
    results.grad_weight = {grads[1], grads[2]};
  }
  if (bias.defined()) {
    results.grad_bias = grads[0].sum_to_size(bias_of_z.sizes()).view(bias.sizes());
  }
  return results;
}

} // namespace tests
