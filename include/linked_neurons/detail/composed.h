/// \file
/// The composed path: an activation's struct on whole tensors, one LibTorch operator a step.
///
/// It serves the devices that have no kernels, and double backward, which LibTorch's autograd
/// derives from it. 16-bit types go through float and are rounded once, as in the kernels.
#pragma once

#include <linked_neurons/detail/check.h>
#include <linked_neurons/kernel/arguments.h>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
// What Activation's vocabulary means for tensors.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/erfc.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/where.h>

#include <cstdint>

namespace linked_neurons::detail::composed {

/// `tensor` in the type that computes; an undefined one stays so.
inline at::Tensor widened(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(to_opmath_type(tensor.scalar_type())) : tensor;
}

inline Pair<at::Tensor> halves(const at::Tensor& tensor, std::int64_t dim) {
  const std::int64_t channels = tensor.size(dim) / 2;
  return {
      widened(tensor.narrow(dim, 0, channels)), widened(tensor.narrow(dim, channels, channels))};
}

/// A weight (or a bias: one number a channel) as it broadcasts against an input of `axes` axes. The
/// sizes of neither are looked at: they may be symbols.
inline at::Tensor broadcastable(
    const at::Tensor& weight, ParameterShape kind, std::int64_t dim, std::int64_t axes) {
  if (kind != ParameterShape::per_channel) {
    return weight;
  }
  at::DimVector sizes = {-1};
  sizes.resize(static_cast<std::size_t>(axes - dim), 1);
  return weight.view(sizes);
}

/// Both weights as they broadcast against `like`, in the type that computes.
inline Pair<at::Tensor> broadcast(
    const Pair<at::Tensor>& weight, ParameterShape kind, const at::Tensor& like, std::int64_t dim) {
  if (!weight.pos.defined()) {
    return {};
  }
  const auto one = [&](const at::Tensor& each) {
    return widened(broadcastable(each, kind, dim, like.dim()));
  };
  return {one(weight.pos), one(weight.neg)};
}

/// What the activation is applied to, in the type that computes.
inline at::Tensor biased(const at::Tensor& input, const at::Tensor& bias, std::int64_t dim) {
  if (!bias.defined()) {
    return widened(input);
  }
  return widened(input) +
         widened(broadcastable(bias, ParameterShape::per_channel, dim, input.dim()));
}

/// Elementwise gradients summed for the parameters that they belong to.
inline at::Tensor sum_for(
    const at::Tensor& parameter, ParameterShape kind, const at::Tensor& each, std::int64_t dim) {
  return each.sum_to_size(broadcastable(parameter, kind, dim, each.dim()).sizes())
      .view(parameter.sizes())
      .to(parameter.scalar_type());
}

template <class Activation>
at::Tensor forward(
    const at::Tensor& input, const Parameters& parameters, ParameterShape kind, std::int64_t dim) {
  const auto y = detail::forward<Activation>(
      biased(input, parameters.bias, dim),
      broadcast(parameters.weight, kind, input, dim),
      parameters.number);
  return at::cat({y.pos, y.neg}, dim).to(input.scalar_type());
}

/// Both halves' masks as booleans, stacked along a new first axis.
template <class Activation>
at::Tensor masks(const at::Tensor& input, const at::Tensor& bias, std::int64_t dim) {
  const auto bits = Activation::masks(biased(input, bias, dim));
  return at::stack({bits.pos, bits.neg});
}

/// Kernels' masks, bits in groups, as `masks` above gives them, for a tensor of these sizes and
/// strides.
inline at::Tensor unpack_masks(
    const at::Tensor& bytes,
    const MaskLayout& layout,
    at::IntArrayRef sizes,
    at::IntArrayRef strides) {
  const at::Tensor bits = at::arange(8, bytes.options());
  const at::Tensor planes = bytes.unsqueeze(1)
                                .bitwise_right_shift(bits)
                                .bitwise_and(1)
                                .ne(0)
                                .view({-1, layout.lanes, kMaskBits, layout.each})
                                .permute({2, 0, 3, 1})
                                .reshape({kMaskBits, -1});
  return at::stack(
      {planes.select(0, 0).as_strided(sizes, strides),
       planes.select(0, 1).contiguous().as_strided(sizes, strides)});
}

/// Gradients with respect to the input and, where wanted, the parameters.
struct Gradients {
  at::Tensor input;
  Parameters parameters;
};

/// `input_or_output` is the input or the output, as the activation has it; `masks` as above, or
/// undefined where the output tells them.
template <class Activation>
Gradients backward(
    const at::Tensor& grad,
    const at::Tensor& input_or_output,
    const at::Tensor& masks,
    const Parameters& parameters,
    ParameterShape kind,
    std::int64_t dim,
    const Wanted& wanted) {
  SavedValues<at::Tensor, at::Tensor> saved;
  if constexpr (Activation::saved == Saved::input) {
    saved.input = biased(input_or_output, parameters.bias, dim);
  } else if (input_or_output.defined()) {
    saved.output = halves(input_or_output, dim);
  }
  if constexpr (Activation::saved == Saved::masks) {
    if (masks.defined()) {
      saved.masks = {masks.select(0, 0), masks.select(0, 1)};
    } else if constexpr (Activation::output_tells_masks) {
      saved.masks = Activation::masks_of_output(saved.output);
    }
  }
  const auto grads = halves(grad, dim);
  const auto& weight = parameters.weight;
  const auto broadcast_weight = broadcast(weight, kind, grad, dim);
  Gradients result;
  const at::Tensor grad_z =
      detail::backward<Activation>(saved, grads, broadcast_weight, parameters.number);
  result.input = grad_z.to(grad.scalar_type());
  if constexpr (Activation::has_weight) {
    if (wanted.weight) {
      const auto each = detail::weight_gradient<Activation>(saved, grads, broadcast_weight);
      result.parameters.weight = {
          sum_for(weight.pos, kind, each.pos, dim), sum_for(weight.neg, kind, each.neg, dim)};
    }
  }
  if (wanted.bias) {
    result.parameters.bias = sum_for(parameters.bias, ParameterShape::per_channel, grad_z, dim);
  }
  return result;
}

} // namespace linked_neurons::detail::composed
