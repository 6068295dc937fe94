/// \file
/// What a backend is: the kernels of one activation for one kind of device.
#pragma once

#include <linked_neurons/kernel/arguments.h>
#include <linked_neurons/kernel/types.h>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace linked_neurons::detail {

/// The entry points of a backend for one activation. The memory that they are given is dense,
/// checked and allocated; `type` is that of the elements of the input, and `device` where they lie.
struct Backend {
  void (*forward)(const ForwardArguments& args, at::ScalarType type, at::Device device);
  void (*backward)(const BackwardArguments& args, at::ScalarType type, at::Device device);
  /// The same, but `input_or_output` is the input, and there are no masks.
  void (*backward_from_input)(
      const BackwardArguments& args, at::ScalarType type, at::Device device);
  /// For elements of this type.
  MaskLayout (*mask_layout)(at::ScalarType type);
};

/// For meta tensors, which have a shape and no elements: everything is allocated, nothing computed.
inline constexpr Backend kShapesOnly = {
    [](const ForwardArguments& /*args*/, at::ScalarType /*type*/, at::Device /*device*/) {},
    [](const BackwardArguments& /*args*/, at::ScalarType /*type*/, at::Device /*device*/) {},
    [](const BackwardArguments& /*args*/, at::ScalarType /*type*/, at::Device /*device*/) {},
    [](at::ScalarType /*type*/) {
      return MaskLayout{1, 8};
    }};

} // namespace linked_neurons::detail
