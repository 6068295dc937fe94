/// \file
/// Options of the joint layers, in the style of `torch/nn/options/conv.h` and `linear.h`.
#pragma once

#include <linked_neurons/options.h>

#include <ATen/core/Tensor.h>
#include <torch/arg.h>
#include <torch/enum.h>
#include <torch/expanding_array.h>
#include <torch/nn/options/conv.h>
#include <torch/nn/options/linear.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace linked_neurons {

/// Options of a linked activation and a convolution over D axes behind it, as one layer:
/// `torch::nn::ConvOptions`, and the activation's own.
///
/// ```cpp
/// LKReLUConv2d layer(LinkedConv2dOptions(16, 64, 3).stride(2).padding(1).input_bias(true));
/// LKPReLUConv2d slopes(LinkedConv2dOptions(16, 64, 3).num_parameters(16));
/// ```
template <std::size_t D>
struct LinkedConvOptions {
  using padding_t = torch::nn::detail::conv_padding_t<D>;
  using padding_mode_t = torch::nn::detail::conv_padding_mode_t;

  LinkedConvOptions(
      std::int64_t in_channels, std::int64_t out_channels, torch::ExpandingArray<D> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}

  /// Channels of the input, in front of the activation. The convolution has twice as many.
  TORCH_ARG(std::int64_t, in_channels);

  TORCH_ARG(std::int64_t, out_channels);
  TORCH_ARG(torch::ExpandingArray<D>, kernel_size);
  TORCH_ARG(torch::ExpandingArray<D>, stride) = 1;

  /// Elements at each end of the axes, or `torch::kValid` (none), or `torch::kSame` (as many as
  /// give the output the sizes of the input).
  TORCH_ARG(padding_t, padding) = 0;

  /// What the padding is filled with: the pair with zeros, the input in the other modes.
  TORCH_ARG(padding_mode_t, padding_mode) = torch::kZeros;

  TORCH_ARG(torch::ExpandingArray<D>, dilation) = 1;

  /// Groups of the 2C channels of the pair.
  TORCH_ARG(std::int64_t, groups) = 1;

  /// Whether the convolution has a bias.
  TORCH_ARG(bool, bias) = true;

  /// Whether the layer trains a bias for each channel of the input, which is added before the
  /// activation: in place of the bias of the layer in front, at less cost.
  TORCH_ARG(bool, input_bias) = false;

  /// The number of an activation that has one (`LKELUOptions().alpha()`); without it the default.
  TORCH_ARG(std::optional<double>, number) = std::nullopt;

  /// As in `LinkedWeightsOptions`, for an activation with weights.
  TORCH_ARG(std::int64_t, num_parameters) = 1;
  TORCH_ARG(std::vector<std::int64_t>, shape);
  TORCH_ARG(double, init) = 0.25;
};

using LinkedConv1dOptions = LinkedConvOptions<1>;
using LinkedConv2dOptions = LinkedConvOptions<2>;
using LinkedConv3dOptions = LinkedConvOptions<3>;

/// Options of a linked activation and a linear layer behind it, as one layer:
/// `torch::nn::LinearOptions`, and the activation's own.
struct LinkedLinearOptions {
  LinkedLinearOptions(std::int64_t in_features, std::int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}

  /// Features of the input, in front of the activation. The linear layer has twice as many.
  TORCH_ARG(std::int64_t, in_features);

  TORCH_ARG(std::int64_t, out_features);

  /// Whether the linear layer has a bias.
  TORCH_ARG(bool, bias) = true;

  /// As in `LinkedConvOptions`.
  TORCH_ARG(bool, input_bias) = false;

  /// The number of an activation that has one (`LKELUOptions().alpha()`); without it the default.
  TORCH_ARG(std::optional<double>, number) = std::nullopt;

  /// As in `LinkedWeightsOptions`, for an activation with weights.
  TORCH_ARG(std::int64_t, num_parameters) = 1;
  TORCH_ARG(std::vector<std::int64_t>, shape);
  TORCH_ARG(double, init) = 0.25;
};

namespace functional {

/// Options of a linked activation and a convolution over D axes behind it, as one function.
template <std::size_t D>
struct LinkedConvFuncOptions {
  using padding_t = typename LinkedConvOptions<D>::padding_t;

  TORCH_ARG(torch::ExpandingArray<D>, stride) = 1;
  TORCH_ARG(padding_t, padding) = 0;
  TORCH_ARG(torch::ExpandingArray<D>, dilation) = 1;
  TORCH_ARG(std::int64_t, groups) = 1;

  /// One number a channel, added to the input before the activation; undefined for none.
  TORCH_ARG(at::Tensor, input_bias);

  /// The number of an activation that has one; without it the default.
  TORCH_ARG(std::optional<double>, number) = std::nullopt;
};

using LinkedConv1dFuncOptions = LinkedConvFuncOptions<1>;
using LinkedConv2dFuncOptions = LinkedConvFuncOptions<2>;
using LinkedConv3dFuncOptions = LinkedConvFuncOptions<3>;

/// Options of a linked activation and a linear layer behind it, as one function.
struct LinkedLinearFuncOptions {
  /// As in `LinkedConvFuncOptions`.
  TORCH_ARG(at::Tensor, input_bias);
  TORCH_ARG(std::optional<double>, number) = std::nullopt;
};

} // namespace functional

/// `LKReLUConv2dOptions` and so on, for each of the library's own activations.
#define LINKED_NEURONS_OPTIONS(A, function, Module)  \
  using Module##Conv1dOptions = LinkedConv1dOptions; \
  using Module##Conv2dOptions = LinkedConv2dOptions; \
  using Module##Conv3dOptions = LinkedConv3dOptions; \
  using Module##LinearOptions = LinkedLinearOptions;
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_OPTIONS)
#undef LINKED_NEURONS_OPTIONS

} // namespace linked_neurons
