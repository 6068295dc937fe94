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

} // namespace detail

/// Moves the parameter `bias` of `from`, a convolution or a linear layer, to `to`, a linked layer
/// behind it, or back from there. The tensor itself moves: an optimizer that has it goes on.
/// \tparam From, To module holders (`torch::nn::Conv2d`, `LKReLU`, ...).
/// \throws c10::Error if `from` has no bias or `to` has one.
template <class From, class To>
void move_bias(From& from, To& to) {
  TORCH_CHECK(
      from->bias.defined(), "move_bias: expected ", from->name(), " to have a bias, got none");
  TORCH_CHECK(
      !to->bias.defined(),
      "move_bias: expected ",
      to->name(),
      " to have no bias yet, got one of shape ",
      to->bias.sizes());
  const at::Tensor bias = from->bias;
  detail::set_bias(*from, at::Tensor());
  detail::set_bias(*to, bias);
}

} // namespace linked_neurons
