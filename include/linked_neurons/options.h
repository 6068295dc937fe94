/// \file
/// Options of the linked layers, in the style of `torch/nn/options/activation.h`.
#pragma once

#include <linked_neurons/activation/all.h>

#include <torch/arg.h>

#include <cstdint>
#include <type_traits>
#include <vector>

namespace linked_neurons {

/// Options of every linked layer without trained weights.
///
/// ```cpp
/// LKReLU layer(LKReLUOptions().dim(-1).bias(64));
/// ```
struct LinkedOptions {
  /* implicit */ LinkedOptions(std::int64_t dim = 1) : dim_(dim) {}

  /// The channel axis, along which the two halves are concatenated; negative counts from the end.
  TORCH_ARG(std::int64_t, dim);

  /// Channels of the input, if the layer shall train a bias for each that it adds to the input
  /// before the activation; 0: none. It takes the place of the bias of the convolution or linear
  /// layer in front, at less cost (see move_bias.h).
  TORCH_ARG(std::int64_t, bias) = 0;

  /// Keep the output for backward where two bits an element are kept otherwise (LK-ReLU). The bits
  /// are less to read, and so faster; the output costs no memory if the next layer keeps it anyway.
  TORCH_ARG(bool, keep_output) = false;
};

/// Options of every linked layer with trained weights.
///
/// ```cpp
/// LKPReLU layer(LKPReLUOptions().num_parameters(64).init(0));
/// ```
struct LinkedWeightsOptions {
  /// Weights of each half: 1, or C, one for each channel of the input.
  TORCH_ARG(std::int64_t, num_parameters) = 1;

  /// Instead, one weight for each element of the input: its sizes without the batch axis.
  TORCH_ARG(std::vector<std::int64_t>, shape);

  /// The weights' initial value.
  TORCH_ARG(double, init) = 0.25;

  /// The channel axis, along which the two halves are concatenated; negative counts from the end.
  TORCH_ARG(std::int64_t, dim) = 1;

  /// As `LinkedOptions::bias`.
  TORCH_ARG(std::int64_t, bias) = 0;
};

/// The options of an activation's layer.
template <class Activation>
using OptionsOf = std::conditional_t<Activation::has_weight, LinkedWeightsOptions, LinkedOptions>;

/// `LKReLUOptions` and so on, one for each of the library's own modules.
#define LINKED_NEURONS_OPTIONS(A, function, Module) \
  using Module##Options = OptionsOf<activation::A>;
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_OPTIONS)
#undef LINKED_NEURONS_OPTIONS

} // namespace linked_neurons
