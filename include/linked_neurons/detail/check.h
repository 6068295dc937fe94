/// \file
/// Bad input is refused by name: the function, what was expected, what came.
#pragma once

#include <linked_neurons/detail/parameters.h>
#include <linked_neurons/kernel/types.h>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Whether a tensor is a subclass of Python's, which answers for itself what it can do.
inline bool is_subclass(const at::Tensor& tensor) {
  return tensor.defined() && tensor.unsafeGetTensorImpl()->key_set().has(c10::DispatchKey::Python);
}

/// Checks that a tensor's elements lie in memory as its sizes and strides say.
/// \param which the name of a parameter, or null for the input.
/// \throws c10::Error
inline void check_layout(const char* name, const char* which, const at::Tensor& tensor) {
  if ((tensor.layout() == at::kStrided && !tensor.is_nested()) || is_subclass(tensor)) {
    return;
  }
  const char* const subject = which == nullptr ? "" : which;
  const char* const verb = which == nullptr ? "" : " to be ";
  TORCH_CHECK(
      !tensor.is_nested(),
      name,
      ": expected ",
      subject,
      verb,
      "a tensor of one shape, got a nested one of layout ",
      tensor.layout(),
      " (of nested inputs only those of layout Jagged, which Python has, are taken)");
  TORCH_CHECK(
      false,
      name,
      ": expected ",
      subject,
      verb,
      "a strided tensor, got one of layout ",
      tensor.layout());
}

/// Checks the number of an activation that has one.
/// \throws c10::Error
template <class Activation>
void check_number([[maybe_unused]] double number) {
  if constexpr (Activation::has_number) {
    TORCH_CHECK(
        number >= Activation::least_number,
        Activation::name,
        ": expected ",
        Activation::number_name,
        " to be a number of at least ",
        Activation::least_number,
        ", got ",
        number);
  }
}

/// Checks an input and its channel axis; returns the axis counted from the front.
/// \throws c10::Error
inline std::int64_t check_input(const char* name, const at::Tensor& input, std::int64_t dim) {
  TORCH_CHECK(input.defined(), name, ": expected a tensor, got an undefined one");
  check_layout(name, nullptr, input);
  const auto type = input.scalar_type();
  TORCH_CHECK(
      type == at::kDouble || type == at::kFloat || is_16_bit(type),
      name,
      ": expected a tensor of type Double, Float, Half or BFloat16, got ",
      type);
  TORCH_CHECK(
      input.dim() > 0,
      name,
      ": expected a tensor with a channel axis, got a scalar (a tensor of 0 axes)");
  TORCH_CHECK(
      dim >= -input.dim() && dim < input.dim(),
      name,
      ": expected dim in [",
      -input.dim(),
      ", ",
      input.dim() - 1,
      "] for a tensor of ",
      input.dim(),
      " axes, got ",
      dim);
  return dim < 0 ? dim + input.dim() : dim;
}

/// Checks that a trained tensor goes with a checked input: its type and its device.
/// \throws c10::Error
inline void check_parameter(
    const char* name, const char* which, const at::Tensor& parameter, const at::Tensor& input) {
  const auto type = input.scalar_type();
  TORCH_CHECK(
      parameter.defined(), name, ": expected ", which, " to be a tensor, got an undefined one");
  check_layout(name, which, parameter);
  TORCH_CHECK(
      parameter.scalar_type() == type || (is_16_bit(type) && parameter.scalar_type() == at::kFloat),
      name,
      ": expected ",
      which,
      " of type ",
      type,
      is_16_bit(type) ? " or Float" : "",
      ", as the input, got ",
      parameter.scalar_type());
  TORCH_CHECK(
      parameter.device() == input.device(),
      name,
      ": expected ",
      which,
      " on ",
      input.device(),
      ", as the input, got ",
      parameter.device());
}

/// Checks the bias that goes with a checked input, if there is one.
/// \throws c10::Error
inline void check_bias(
    const char* name, const at::Tensor& bias, const at::Tensor& input, std::int64_t dim) {
  if (!bias.defined()) {
    return;
  }
  check_parameter(name, "bias", bias, input);
  TORCH_CHECK(
      bias.dim() == 1 && bias.sym_size(0) == input.sym_size(dim),
      name,
      ": expected bias of shape [",
      input.sym_size(dim),
      "] (the channels at dim ",
      dim,
      "), got ",
      bias.sym_sizes());
}

/// Which shape a weight of these sizes has, beside an input of so many channels.
/// \tparam Int std::int64_t, or a symbolic number, as in `Sizes`.
template <class Sizes, class Int>
ParameterShape parameter_shape(const Sizes& sizes, const Int& channels) {
  if (sizes.empty() || (sizes.size() == 1 && sizes[0] == 1)) {
    return ParameterShape::one;
  }
  const bool is_per_channel = sizes.size() == 1 && sizes[0] == channels;
  return is_per_channel ? ParameterShape::per_channel : ParameterShape::per_element;
}

/// Checks the weights that go with a checked input; returns which shape they have.
/// \throws c10::Error
inline ParameterShape check_weight(
    const char* name, const Pair<at::Tensor>& weight, const at::Tensor& input, std::int64_t dim) {
  const auto elements = input.sym_sizes().slice(1);
  const auto check_one = [&](const char* which, const at::Tensor& tensor) {
    check_parameter(name, which, tensor, input);
    const auto shape = parameter_shape(tensor.sym_sizes(), input.sym_size(dim));
    TORCH_CHECK(
        shape != ParameterShape::per_element || tensor.sym_sizes() == elements,
        name,
        ": expected ",
        which,
        " to have 1 weight, ",
        input.sym_size(dim),
        " (the channels at dim ",
        dim,
        ") or one an element (shape ",
        elements,
        "), got ",
        tensor.sym_numel(),
        " of shape ",
        tensor.sym_sizes());
    return shape;
  };
  const ParameterShape pos = check_one("weight_pos", weight.pos);
  const ParameterShape neg = check_one("weight_neg", weight.neg);
  TORCH_CHECK(
      pos == neg,
      name,
      ": expected weight_pos and weight_neg of one shape, got ",
      weight.pos.sym_sizes(),
      " and ",
      weight.neg.sym_sizes());
  return pos;
}

} // namespace linked_neurons::detail
