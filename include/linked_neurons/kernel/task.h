/// \file
/// What a backend is asked to do: tensors that are dense, checked and allocated.
#pragma once

#include <linked_neurons/kernel/arguments.h>
#include <linked_neurons/kernel/types.h>

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace linked_neurons::detail {

struct ForwardTask {
  at::Tensor input;
  at::Tensor output;
  at::Tensor masks; ///< bytes, or undefined where they are not kept
  std::int64_t row;
  Pair<at::Tensor> weight; ///< contiguous, in the computing type; undefined without weights
  ParameterIndex weight_index;
  at::Tensor bias; ///< contiguous, in the computing type; undefined without a bias
  ParameterIndex bias_index;
};

struct BackwardTask {
  at::Tensor grad;
  bool grad_is_uniform;
  at::Tensor input_or_output; ///< the input or the output, or undefined
  at::Tensor masks;
  at::Tensor grad_input;
  std::int64_t row;
  Pair<at::Tensor> weight;
  ParameterIndex weight_index;
  at::Tensor bias; ///< read where `input_or_output` is the input
  ParameterIndex bias_index;
  /// Of `weight_index.count` elements in the computing type; undefined where not wanted.
  Pair<at::Tensor> grad_weight;
  /// Of `bias_index.count` elements in the computing type; undefined where not wanted.
  at::Tensor grad_bias;
};

inline void* address(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr() : nullptr;
}

template <class T>
T* data(const at::Tensor& tensor) {
  return static_cast<T*>(address(tensor));
}

template <class T>
ForwardArguments<T> arguments(const ForwardTask& task) {
  using C = opmath_type<T>;
  return {
      data<T>(task.input),
      data<T>(task.output),
      data<std::uint8_t>(task.masks),
      task.input.numel(),
      task.row,
      {data<C>(task.weight.pos), data<C>(task.weight.neg), task.weight_index},
      {data<C>(task.bias), task.bias_index}};
}

template <class T>
BackwardArguments<T> arguments(const BackwardTask& task) {
  using C = opmath_type<T>;
  return {
      data<T>(task.grad),
      data<T>(task.input_or_output),
      data<std::uint8_t>(task.masks),
      data<T>(task.grad_input),
      task.grad_input.numel(),
      task.row,
      {data<C>(task.weight.pos), data<C>(task.weight.neg), task.weight_index},
      {data<C>(task.bias), task.bias_index},
      task.grad_is_uniform};
}

/// Where the sums of a task go.
template <class C>
Sums<C> sums_of(const BackwardTask& task) {
  return {{data<C>(task.grad_weight.pos), data<C>(task.grad_weight.neg)}, data<C>(task.grad_bias)};
}

/// The entry points of a backend for one activation.
struct Backend {
  void (*forward)(const ForwardTask& task);
  void (*backward)(const BackwardTask& task);
  /// For elements of this type.
  MaskLayout (*mask_layout)(at::ScalarType type);
};

/// For meta tensors, which have a shape and no elements: everything is allocated, nothing computed.
inline constexpr Backend kShapesOnly = {
    [](const ForwardTask& /*task*/) {},
    [](const BackwardTask& /*task*/) {},
    [](at::ScalarType /*type*/) {
      return MaskLayout{1, 8};
    }};

} // namespace linked_neurons::detail
