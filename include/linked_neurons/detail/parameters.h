/// \file
/// What a layer computes with besides its input.
#pragma once

#include <linked_neurons/activation/activation.h>

#include <ATen/core/Tensor.h>

namespace linked_neurons::detail {

/// How many weights a half has.
enum class ParameterShape { one, per_channel, per_element };

/// What a layer computes with besides its input; undefined where it has none.
struct Parameters {
  Pair<at::Tensor> weight;
  at::Tensor bias;   ///< one number a channel, added to the input before the activation
  double number = 0; ///< that of an activation that has one
};

/// Which of their gradients somebody asks for.
struct Wanted {
  bool weight;
  bool bias;
};

} // namespace linked_neurons::detail
