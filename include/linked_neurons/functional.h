/// \file
/// The linked layers as functions, in the style of `torch/nn/functional/activation.h`.
///
/// All of them take a tensor of C channels at `options.dim()` (default 1) and return one of 2C:
/// first g(x), then g(-x), equal to `torch::cat({g(x), g(-x)}, dim)`. Of the options they read
/// `dim` and what concerns memory: parameters are arguments here. Input: any shape of at least one
/// axis; double, float, half or bfloat16; any strides. Output: the input's type, device and memory
/// format. Differentiable twice. Bad input throws `c10::Error`.
///
/// Each is a template, also where it names its activation: so a file compiles what it calls.
#pragma once

#include <linked_neurons/detail/layers.h>
#include <linked_neurons/options.h>

namespace linked_neurons::functional {

/// The linked layer of any activation struct without slopes (activation/activation.h).
/// `bias`, one number a channel, is added to `input` before the activation (in float for 16-bit
/// types, without a rounding in between); it may be undefined. Its type is the input's; beside a
/// 16-bit input float is taken too.
/// \throws c10::Error also if the activation has slopes.
template <class Activation>
at::Tensor linked(
    const at::Tensor& input, const at::Tensor& bias, const LinkedOptions& options = {}) {
  TORCH_CHECK(
      !Activation::has_weight,
      "linked: ",
      Activation::name,
      " needs slopes for both halves, expected 2 tensors (weight_pos, weight_neg) after the input, "
      "got 0");
  return detail::linked<Activation>(input, {{}, bias}, options.dim(), options.keep_output());
}

template <class Activation>
at::Tensor linked(const at::Tensor& input, const LinkedOptions& options = {}) {
  return linked<Activation>(input, at::Tensor(), options);
}

/// The linked layer of any activation struct with slopes: 1, C, or one for each element (the sizes
/// of `input` without axis 0) in each of `weight_pos`, for g(x), and `weight_neg`, for g(-x). Their
/// type is the input's; beside a 16-bit input float is taken too.
/// `bias` as above.
template <class Activation>
at::Tensor linked(
    const at::Tensor& input,
    const at::Tensor& weight_pos,
    const at::Tensor& weight_neg,
    const at::Tensor& bias,
    const LinkedOptions& options = {}) {
  static_assert(Activation::has_weight, "this activation has no slopes");
  return detail::linked<Activation>(
      input, {{weight_pos, weight_neg}, bias}, options.dim(), options.keep_output());
}

template <class Activation>
at::Tensor linked(
    const at::Tensor& input,
    const at::Tensor& weight_pos,
    const at::Tensor& weight_neg,
    const LinkedOptions& options = {}) {
  return linked<Activation>(input, weight_pos, weight_neg, at::Tensor(), options);
}

/// LK-ReLU: g(x) = max(x, 0). Keeps two bits an element for backward, or the output.
template <class Activation = activation::ReLU>
at::Tensor lk_relu(const at::Tensor& input, const LKReLUOptions& options = {}) {
  return linked<Activation>(input, options);
}
/// LK-ReLU of input + bias.
template <class Activation = activation::ReLU>
at::Tensor lk_relu(
    const at::Tensor& input, const at::Tensor& bias, const LKReLUOptions& options = {}) {
  return linked<Activation>(input, bias, options);
}

/// LK-PReLU: g(x) = x for x > 0, else slope * x. Keeps two bits an element, the slopes and, where
/// these are differentiated, the output. Of the options only `dim` is read: the slopes' own size
/// says how many they are.
template <class Activation = activation::PReLU>
at::Tensor lk_prelu(
    const at::Tensor& input,
    const at::Tensor& weight_pos,
    const at::Tensor& weight_neg,
    const LKPReLUOptions& options = {}) {
  return linked<Activation>(input, weight_pos, weight_neg, options.dim());
}
/// LK-PReLU of input + bias.
template <class Activation = activation::PReLU>
at::Tensor lk_prelu(
    const at::Tensor& input,
    const at::Tensor& weight_pos,
    const at::Tensor& weight_neg,
    const at::Tensor& bias,
    const LKPReLUOptions& options = {}) {
  return linked<Activation>(input, weight_pos, weight_neg, bias, options.dim());
}

/// LK-SELU: g(x) = lambda * x for x > 0, else lambda * alpha * (e^x - 1). Keeps the output.
template <class Activation = activation::SELU>
at::Tensor lk_selu(const at::Tensor& input, const LKSELUOptions& options = {}) {
  return linked<Activation>(input, options);
}
/// LK-SELU of input + bias.
template <class Activation = activation::SELU>
at::Tensor lk_selu(
    const at::Tensor& input, const at::Tensor& bias, const LKSELUOptions& options = {}) {
  return linked<Activation>(input, bias, options);
}

/// LK-Swish: g(x) = x * sigmoid(x). Keeps the output.
template <class Activation = activation::Swish>
at::Tensor lk_swish(const at::Tensor& input, const LKSwishOptions& options = {}) {
  return linked<Activation>(input, options);
}
/// LK-Swish of input + bias.
template <class Activation = activation::Swish>
at::Tensor lk_swish(
    const at::Tensor& input, const at::Tensor& bias, const LKSwishOptions& options = {}) {
  return linked<Activation>(input, bias, options);
}

} // namespace linked_neurons::functional
