/// \file
/// The linked layers as functions, in the style of `torch/nn/functional/activation.h`.
///
/// All of them take a tensor of C channels at `options.dim()` (default 1) and return one of 2C:
/// first g(x), then g(-x), equal to `torch::cat({g(x), g(-x)}, dim)`. Of the options they read
/// `dim` and what concerns memory: parameters are arguments here. Input: any shape of at least one
/// axis; double, float, half or bfloat16; any strides. Output: the input's type, device and memory
/// format. Differentiable twice. Bad input throws `c10::Error`.
///
/// Every function is a template, even one of a fixed activation, so that a source file compiles
/// only the functions that it calls.
#pragma once

#include <linked_neurons/detail/layers.h>
#include <linked_neurons/options.h>

#include <type_traits>

namespace linked_neurons::functional {

template <class Activation>
using WithWeights = std::enable_if_t<Activation::has_weight, int>;
template <class Activation>
using WithoutWeights = std::enable_if_t<!Activation::has_weight, int>;

/// The linked layer of any activation struct without weights (activation/activation.h).
/// `bias`, one number a channel, is added to `input` before the activation (in float for 16-bit
/// types, without a rounding in between); it may be undefined. Its type is the input's; beside a
/// 16-bit input float is taken too.
/// \throws c10::Error also if the activation has weights.
template <class Activation>
at::Tensor linked(
    const at::Tensor& input, const at::Tensor& bias, const LinkedOptions& options = {}) {
  TORCH_CHECK(
      !Activation::has_weight,
      "linked: ",
      Activation::name,
      " needs weights for both halves, expected 2 tensors (weight_pos, weight_neg) after the "
      "input, "
      "got 0");
  return detail::linked<Activation>(input, {{}, bias}, options.dim(), options.keep_output());
}

template <class Activation>
at::Tensor linked(const at::Tensor& input, const LinkedOptions& options = {}) {
  return linked<Activation>(input, at::Tensor(), options);
}

/// The linked layer of any activation struct with weights: 1, C, or one for each element (the sizes
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
  static_assert(Activation::has_weight, "this activation has no weights");
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

/// The functions of the library's own activations, `lk_relu` and so on: `linked` of each of them.
///
/// lk_relu: g(x) = max(x, 0). Saves two bits an element for backward, or the output.
/// lk_prelu: g(x) = x for x > 0, else weight * x. Saves two bits an element, the weights and, where
/// these are differentiated, the output. Of the options only `dim` is read: the sizes of the
/// weights say how many they are. lk_selu: g(x) = lambda * x for x > 0, else lambda * alpha * (e^x
/// - 1). Saves the output. lk_swish: g(x) = x * sigmoid(x). Saves the output.
#define LINKED_NEURONS_FUNCTION(A, function, Module)                                          \
  template <class Activation = activation::A, WithoutWeights<Activation> = 0>                 \
  at::Tensor function(const at::Tensor& input, const Module##Options& options = {}) {         \
    return linked<Activation>(input, options);                                                \
  }                                                                                           \
  template <class Activation = activation::A, WithoutWeights<Activation> = 0>                 \
  at::Tensor function(                                                                        \
      const at::Tensor& input, const at::Tensor& bias, const Module##Options& options = {}) { \
    return linked<Activation>(input, bias, options);                                          \
  }                                                                                           \
  template <class Activation = activation::A, WithWeights<Activation> = 0>                    \
  at::Tensor function(                                                                        \
      const at::Tensor& input,                                                                \
      const at::Tensor& weight_pos,                                                           \
      const at::Tensor& weight_neg,                                                           \
      const Module##Options& options = {}) {                                                  \
    return linked<Activation>(input, weight_pos, weight_neg, options.dim());                  \
  }                                                                                           \
  template <class Activation = activation::A, WithWeights<Activation> = 0>                    \
  at::Tensor function(                                                                        \
      const at::Tensor& input,                                                                \
      const at::Tensor& weight_pos,                                                           \
      const at::Tensor& weight_neg,                                                           \
      const at::Tensor& bias,                                                                 \
      const Module##Options& options = {}) {                                                  \
    return linked<Activation>(input, weight_pos, weight_neg, bias, options.dim());            \
  }
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_FUNCTION)
#undef LINKED_NEURONS_FUNCTION

} // namespace linked_neurons::functional
