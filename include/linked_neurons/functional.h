/// \file
/// The linked layers as functions, in the style of `torch/nn/functional/activation.h`.
///
/// All of them take a tensor of C channels at `options.dim()` and return one of 2C: first g(x),
/// then g(-x), equal to `torch::cat({g(x), g(-x)}, dim)`.
///
/// **The channel axis is 1 by default**, as in a batch of images (N, C, H, W) or of vectors (N, C).
/// Any other axis has to be named, or the wrong one is doubled: `dim(-3)` for one image (C, H, W),
/// `dim(-1)` for a batch of sequences (N, L, C) and wherever channels come last.
///
/// Input: any shape of at least one axis; double, float, half or bfloat16; any strides. Output: the
/// input's type, device and memory format. Differentiable twice, and in forward mode. Bad input
/// throws `c10::Error`.
///
/// ```cpp
/// namespace F = linked_neurons::functional;
/// auto y = F::lk_relu(x);
/// auto y = F::lk_relu(x, F::LKReLUFuncOptions().dim(-1));
/// auto y = F::lk_relu(x, bias);
/// auto y = F::lk_prelu(x, weight_pos, weight_neg);
/// torch::nn::Functional layer(F::lk_relu, F::LKReLUFuncOptions().dim(-1));
/// ```
#pragma once

#include <linked_neurons/detail/layers.h>
#include <linked_neurons/options.h>

#include <type_traits>

namespace linked_neurons::functional {

/// The linked layer of an activation struct (activation/activation.h), as an object that is called
/// like a function. A source file compiles only those that it calls.
///
/// \tparam Weight `at::Tensor` for each of the activation's weights: two of them, `weight_pos` for
/// g(x) and `weight_neg` for g(-x), or none. A weight has 1 number, C, or one for each element (the
/// sizes of `input` without axis 0). Its type is the input's; beside a 16-bit input float is taken
/// too.
template <class Activation, class... Weight>
class FunctionOf {
 public:
  using Options = FuncOptionsOf<Activation>;

  at::Tensor operator()(
      const at::Tensor& input, const Weight&... weight, const Options& options = {}) const {
    return (*this)(input, weight..., at::Tensor(), options);
  }

  /// `bias`, one number a channel, is added to `input` before the activation (in float for 16-bit
  /// types, without a rounding in between); it may be undefined. Its type is as a weight's.
  at::Tensor operator()(
      const at::Tensor& input,
      const Weight&... weight,
      const at::Tensor& bias,
      const Options& options) const {
    TORCH_CHECK(
        bias.defined() || options.layer_bias() == 0,
        Activation::name,
        ": expected a bias beside the input, since the options are a layer's with a bias of ",
        options.layer_bias(),
        " channels, got none");
    bool keep_output = false;
    if constexpr (!Activation::has_weight) {
      keep_output = options.keep_output();
    }
    const auto keep = detail::keep_of(Activation::name, keep_output, options.keep_input());
    detail::Parameters parameters{{weight...}, bias};
    if constexpr (Activation::has_number) {
      parameters.number = options.number_of_activation();
    }
    return detail::linked<Activation>(input, parameters, options.dim(), keep);
  }

  /// The same with default options. (A template, so that `{}` in place of `bias` are options.)
  template <
      class Bias,
      std::enable_if_t<std::is_convertible_v<const Bias&, const at::Tensor&>, int> = 0>
  at::Tensor operator()(const at::Tensor& input, const Weight&... weight, const Bias& bias) const {
    return (*this)(input, weight..., bias, Options());
  }
};

template <class Activation>
using Function = std::conditional_t<
    Activation::has_weight,
    FunctionOf<Activation, at::Tensor, at::Tensor>,
    FunctionOf<Activation>>;

/// The function of any activation: `linked<Snake>(x)`.
template <class Activation>
inline constexpr Function<Activation> linked = {};

/// The functions of the library's own activations.
///
/// lk_relu: g(x) = max(x, 0). Saves two bits an element for backward, or the output.
/// lk_prelu: g(x) = x for x > 0, else weight * x. Saves two bits an element, the weights and, where
/// these are differentiated, the output.
/// lk_selu: g(x) = lambda * x for x > 0, else lambda * alpha * (e^x - 1). Saves the output.
/// lk_swish: g(x) = x * sigmoid(x). Saves the output.
/// lk_sin_cos: (sin(x), cos(x)) in place of (g(x), g(-x)). Saves the output.
#define LINKED_NEURONS_FUNCTION(A, function, Module) \
  inline constexpr Function<activation::A> function = {};
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_FUNCTION)
#undef LINKED_NEURONS_FUNCTION

/// What LibTorch calls lk_swish's g.
inline constexpr auto& lk_silu = lk_swish;

} // namespace linked_neurons::functional
