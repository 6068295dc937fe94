/// \file
/// The joint layers as functions: a linked activation and the convolution or linear layer behind it
/// as one differentiable step, which keeps z alone for backward.
///
/// The results equal those of the two layers one after the other: the same kernels and the same
/// operators of LibTorch run. Backward computes the pair (2C channels) anew of z (C channels) for
/// the weight's gradient, in one more pass of the forward kernel.
///
/// Input: of a convolution (N, C, ...), or (C, ...) without a batch axis; of a linear layer
/// (..., C). C are the channels of z. Types, memory formats and errors are those of functional.h
/// and of LibTorch's layers. Autocast treats the layer as LibTorch's own.
///
/// ```cpp
/// namespace F = linked_neurons::functional;
/// auto y = F::lk_relu_conv2d(z, weight, bias, F::LinkedConv2dFuncOptions().padding(1));
/// auto y = F::lk_prelu_linear(z, weight_pos, weight_neg, weight, bias);
/// auto y = F::linked_conv2d<Snake>(z, weight);
/// ```
#pragma once

#include <linked_neurons/detail/joint_layers.h>
#include <linked_neurons/joint_options.h>

#include <c10/util/Exception.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace linked_neurons {

namespace detail {

template <std::size_t D>
at::DimVector numbers_of(const torch::ExpandingArray<D>& array) {
  return {array->begin(), array->end()};
}

/// The convolution of a function's options or a module's.
template <std::size_t D, class Options>
Convolution convolution_of(const Options& options, const at::Tensor& weight) {
  using std::get_if; // LibTorch has had a variant of its own
  Convolution layer(D);
  layer.stride = numbers_of<D>(options.stride());
  layer.dilation = numbers_of<D>(options.dilation());
  layer.groups = options.groups();
  if (const auto* const padding = get_if<torch::ExpandingArray<D>>(&options.padding())) {
    layer.padding = numbers_of<D>(*padding);
  } else if (get_if<torch::enumtype::kSame>(&options.padding()) != nullptr) {
    layer.pad_to_same(weight);
  }
  return layer;
}

template <class Activation>
at::Tensor joint_convolution(
    const at::Tensor& input,
    const Parameters& parameters,
    const at::Tensor& weight,
    const at::Tensor& bias,
    const Convolution& layer) {
  const auto batched_axes = static_cast<std::int64_t>(layer.stride.size()) + 2;
  TORCH_CHECK(
      input.defined() && (input.dim() == batched_axes || input.dim() == batched_axes - 1),
      Activation::name,
      layer.suffix(),
      ": expected an input of ",
      batched_axes - 1,
      " or ",
      batched_axes,
      " axes, got ",
      input.defined() ? input.dim() : 0);
  const bool is_batched = input.dim() == batched_axes;
  const at::Tensor output = joint<Activation>(
      is_batched ? input : input.unsqueeze(0),
      parameters,
      std::make_shared<const Convolution>(layer),
      weight,
      bias,
      /*dim=*/1);
  return is_batched ? output : output.squeeze(0);
}

/// What an activation computes with, of a joint layer's options.
template <class Activation, class Options>
Parameters joint_parameters(
    const Pair<at::Tensor>& weight, const at::Tensor& input_bias, const Options& options) {
  Parameters parameters{weight, input_bias};
  if constexpr (Activation::has_number) {
    parameters.number = options.number().value_or(OptionsOf<Activation>().number_of_activation());
  } else {
    TORCH_CHECK(
        !options.number().has_value(),
        Activation::name,
        ": expected no number in the options, since the activation has none, got ",
        *options.number());
  }
  return parameters;
}

inline const std::shared_ptr<const LayerBehind>& linear_layer() {
  static const std::shared_ptr<const LayerBehind> layer = std::make_shared<const LinearLayer>();
  return layer;
}

} // namespace detail

namespace functional {

/// A linked activation and a convolution over D axes, as an object that is called like a function.
/// \tparam Weight as in `FunctionOf`.
template <class Activation, std::size_t D, class... Weight>
class ConvFunctionOf {
 public:
  using Options = LinkedConvFuncOptions<D>;

  /// \param input z: (N, C, sizes) or (C, sizes).
  /// \param activation_weight those of the activation, if it has some, as in `FunctionOf`.
  /// \param weight of the convolution: (out_channels, 2C / groups, kernel sizes).
  /// \param bias of the convolution: (out_channels), or undefined.
  /// \param options of the convolution, and the bias of the input.
  at::Tensor operator()(
      const at::Tensor& input,
      const Weight&... activation_weight,
      const at::Tensor& weight,
      const at::Tensor& bias = {},
      const Options& options = {}) const {
    return detail::joint_convolution<Activation>(
        input,
        detail::joint_parameters<Activation>({activation_weight...}, options.input_bias(), options),
        weight,
        bias,
        detail::convolution_of<D>(options, weight));
  }
};

/// A linked activation and a linear layer, as above.
template <class Activation, class... Weight>
class LinearFunctionOf {
 public:
  using Options = LinkedLinearFuncOptions;

  /// \param input z: (..., C).
  /// \param activation_weight as above.
  /// \param weight of the linear layer: (out_features, 2C).
  /// \param bias of the linear layer: (out_features), or undefined.
  /// \param options the bias of the input.
  at::Tensor operator()(
      const at::Tensor& input,
      const Weight&... activation_weight,
      const at::Tensor& weight,
      const at::Tensor& bias = {},
      const Options& options = {}) const {
    return detail::joint<Activation>(
        input,
        detail::joint_parameters<Activation>({activation_weight...}, options.input_bias(), options),
        detail::linear_layer(),
        weight,
        bias,
        /*dim=*/-1);
  }
};

template <class Activation, std::size_t D>
using ConvFunction = std::conditional_t<
    Activation::has_weight,
    ConvFunctionOf<Activation, D, at::Tensor, at::Tensor>,
    ConvFunctionOf<Activation, D>>;

template <class Activation>
using LinearFunction = std::conditional_t<
    Activation::has_weight,
    LinearFunctionOf<Activation, at::Tensor, at::Tensor>,
    LinearFunctionOf<Activation>>;

/// The functions of any activation: `linked_conv2d<Snake>(z, weight, bias, options)`; of one with
/// weights: `linked_conv2d<PReLU>(z, weight_pos, weight_neg, weight, bias, options)`.
template <class Activation>
inline constexpr ConvFunction<Activation, 1> linked_conv1d = {};
template <class Activation>
inline constexpr ConvFunction<Activation, 2> linked_conv2d = {};
template <class Activation>
inline constexpr ConvFunction<Activation, 3> linked_conv3d = {};
template <class Activation>
inline constexpr LinearFunction<Activation> linked_linear = {};

/// `lk_relu_conv2d` and so on: the functions of the library's own activations.
#define LINKED_NEURONS_FUNCTION(A, function, Module)                      \
  inline constexpr ConvFunction<activation::A, 1> function##_conv1d = {}; \
  inline constexpr ConvFunction<activation::A, 2> function##_conv2d = {}; \
  inline constexpr ConvFunction<activation::A, 3> function##_conv3d = {}; \
  inline constexpr LinearFunction<activation::A> function##_linear = {};
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_FUNCTION)
#undef LINKED_NEURONS_FUNCTION

} // namespace functional

} // namespace linked_neurons
