/// \file
/// The bias of a convolution or linear layer as the bias of the linked layer behind it, and back.
///
/// LibTorch adds a convolution's bias in a pass of its own on CUDA, and sums its gradient in
/// another; a linked layer does both inside its own two. A network that is built, or loaded from a
/// checkpoint, in the usual way takes the advantage by moving the bias, and moves it back before it
/// is saved:
/// ```cpp
/// torch::nn::Conv2d conv(3, 16, 3);
/// linked_neurons::LKReLU act;
/// torch::load(...);                     // conv.weight, conv.bias
/// linked_neurons::move_bias(conv, act); // conv.weight, act.bias: the same network
/// ```
#pragma once

#include <linked_neurons/modules.h>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <type_traits>

namespace linked_neurons {

namespace detail {

/// The registered parameters of a module, which LibTorch lets one add to and not change.
struct RegisteredParameters : torch::nn::Module {
  static auto& of(torch::nn::Module& module) {
    return module.*(&RegisteredParameters::parameters_);
  }
};

/// Options say of a bias whether there is one, or of how many channels.
template <class Impl>
void set_bias(Impl& module, const at::Tensor& bias) {
  using Option = std::decay_t<decltype(module.options.bias())>;
  if constexpr (std::is_same_v<Option, bool>) {
    module.options.bias(bias.defined());
  } else {
    module.options.bias(bias.defined() ? bias.size(0) : 0);
  }
  module.bias = bias;
  RegisteredParameters::of(module)["bias"] = bias;
}

/// The axis of the channels in what a linear layer or a convolution gives, counted from the end, as
/// inputs with a batch axis and those without have it alike.
template <class Impl>
auto channel_axis(const Impl& module) -> std::decay_t<decltype(module.options.out_channels())> {
  return 1 - module.weight.dim();
}
template <class Impl>
auto channel_axis(const Impl& module) -> std::decay_t<decltype(module.options.out_features())> {
  static_cast<void>(module);
  return -1;
}

/// Checks that a linked layer can have its channels at an axis, counted from the end, and be so
/// many.
/// \throws c10::Error
template <class Activation>
void check_follows(const LinkedImpl<Activation>& layer, std::int64_t axis, std::int64_t channels) {
  const std::int64_t dim = layer.options.dim();
  TORCH_CHECK(
      dim >= 0 ? dim <= 1 || axis == -1 : dim == axis,
      "move_bias: expected ",
      layer.name(),
      " to have the channels at dim ",
      axis,
      ", where those of the other layer are, got dim ",
      dim);
  for (const at::Tensor& weight : {layer.weight_pos, layer.weight_neg}) {
    const bool is_one_an_element = weight.defined() && weight.dim() > 1;
    TORCH_CHECK(
        !weight.defined() || weight.numel() == 1 ||
            (weight.dim() >= (is_one_an_element ? -axis : 1) &&
             weight.size(is_one_an_element ? axis : 0) == channels),
        "move_bias: expected ",
        layer.name(),
        " to have 1 weight, or weights for the ",
        channels,
        " channels of the bias, got weights of shape ",
        weight.sizes());
  }
}

template <class Module>
struct IsLinked : std::false_type {};
template <class Activation>
struct IsLinked<LinkedImpl<Activation>> : std::true_type {};

} // namespace detail

/// Moves the parameter `bias` of `from`, a convolution or a linear layer, to `to`, a linked layer
/// behind it, or back from there. The tensor itself moves: an optimizer that has it goes on.
///
/// The network stays the same as long as the linked layer's `dim` is the axis of the other's
/// channels: the last one behind a linear layer, so that a layer with the default `dim`, 1, takes
/// inputs of two axes there. Until the bias is moved back the linked layer checks that, and throws
/// `c10::Error` for any other input.
/// \tparam From, To module holders (`torch::nn::Conv2d`, `LKReLU`, ...).
/// \throws c10::Error if `from` has no bias or `to` has one, or if the linked layer's options
/// cannot go with the other layer's channels.
template <class From, class To>
void move_bias(From& from, To& to) {
  constexpr bool kForth = detail::IsLinked<std::decay_t<decltype(*to)>>::value;
  static_assert(
      kForth != detail::IsLinked<std::decay_t<decltype(*from)>>::value,
      "move_bias: one of the two is a linked layer");
  TORCH_CHECK(
      from->bias.defined(), "move_bias: expected ", from->name(), " to have a bias, got none");
  TORCH_CHECK(
      !to->bias.defined(),
      "move_bias: expected ",
      to->name(),
      " to have no bias yet, got one of shape ",
      to->bias.sizes());
  const at::Tensor bias = from->bias;
  const auto connect = [&](auto& layer, const auto& other) {
    const std::int64_t axis = detail::channel_axis(other);
    detail::check_follows(layer, axis, bias.size(0));
    layer.bias_axis = layer.bias_axis == axis ? 0 : axis;
  };
  if constexpr (kForth) {
    connect(*to, *from);
  } else {
    connect(*from, *to);
  }
  detail::set_bias(*from, at::Tensor());
  detail::set_bias(*to, bias);
}

} // namespace linked_neurons
