/// \file
/// The operators `_<name>_forward` and `_<name>_backward` of LibTorch's dispatcher.
#pragma once

#include <linked_neurons/detail/run.h>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros_like.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace linked_neurons::detail {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

/// The kernels for tensors of this device, or null; also for those of torch.compile, which have a
/// device and no memory.
template <class A>
const Backend* kernels(const Tensor& tensor) {
  if (tensor.is_cuda()) {
    return cuda::backend<A>;
  }
  return tensor.is_cpu() ? cpu::backend_here<A>() : tensor.is_meta() ? &kShapesOnly : nullptr;
}

inline Parameters parameters_from(at::TensorList weights, const OptionalTensor& bias) {
  Parameters parameters;
  if (!weights.empty()) {
    parameters.weight = {weights[0], weights[1]};
  }
  parameters.bias = bias.value_or(Tensor());
  return parameters;
}

/// What check_weight() returned, for an input with this many channels.
inline ParameterShape weight_shape(at::TensorList weights, const c10::SymInt& channels) {
  return weights.empty() ? ParameterShape::one : parameter_shape(weights[0].sym_sizes(), channels);
}

/// The output for an input of symbolic sizes, laid out as layout.h has it.
inline Tensor empty_output(const Tensor& x, std::int64_t dim) {
  c10::SymDimVector sizes(x.sym_sizes().begin(), x.sym_sizes().end());
  sizes[dim] *= 2;
  const auto format = x.suggest_memory_format();
  if (x.is_contiguous(format) || !x.is_non_overlapping_and_dense()) {
    return at::empty_symint(sizes, x.options().memory_format(format));
  }
  c10::SymDimVector strides(x.sym_strides().begin(), x.sym_strides().end());
  const c10::SymInt row = strides[dim] * x.sym_size(dim);
  strides[dim] = 1;
  for (std::int64_t axis = 0; axis < x.dim(); ++axis) {
    if (axis != dim) {
      // What lies around the channels moves apart; the rest lies inside one channel.
      const bool is_around = strides[axis] >= row;
      strides[is_around ? axis : dim] *= is_around ? c10::SymInt(2) : sizes[axis];
    }
  }
  return at::empty_strided_symint(sizes, strides, x.options());
}

/// The input's gradient for an output of the sizes of `grad` and of these strides.
inline Tensor empty_grad_input(
    const Tensor& grad, c10::SymIntArrayRef output_strides, std::int64_t dim) {
  c10::SymDimVector sizes(grad.sym_sizes().begin(), grad.sym_sizes().end());
  sizes[dim] = sizes[dim] / 2;
  c10::SymDimVector strides(output_strides.begin(), output_strides.end());
  for (auto& stride : strides) {
    if (stride > output_strides[dim]) {
      stride = stride / 2;
    }
  }
  return at::empty_strided_symint(sizes, strides, grad.options());
}

inline Layout input_layout(const Tensor& grad, at::IntArrayRef output_strides, std::int64_t dim) {
  at::DimVector sizes(grad.sizes().begin(), grad.sizes().end());
  sizes[dim] /= 2;
  return layout_in(memory_order(grad.sizes(), output_strides), sizes, dim);
}

inline Tensor empty_masks(const Tensor& x, const c10::SymInt& bytes) {
  return at::empty_symint({bytes}, x.options().dtype(at::kByte));
}

/// The operators `_<name>_forward` and `_<name>_backward`, and how to call them.
template <class A>
struct Operators {
  /// The output, and the masks: no bytes where they are not saved.
  static std::tuple<Tensor, Tensor> forward(
      const Tensor& x,
      at::TensorList weights,
      const OptionalTensor& bias,
      std::int64_t dim,
      bool keep_masks) {
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from(weights, bias);
    ParameterShape kind = ParameterShape::one;
    if constexpr (A::has_weight) {
      kind = check_weight(A::name, parameters.weight, x, dim);
    }
    check_bias(A::name, parameters.bias, x, dim);
    if (x.numel() == 0) {
      return forward_shapes(x, weights, bias, dim, keep_masks);
    }
    const auto result = run_forward<A>(kernels<A>(x), x, parameters, kind, dim, keep_masks);
    return {result.output, result.masks.defined() ? result.masks : empty_masks(x, 0)};
  }

  static std::tuple<Tensor, Tensor> forward_shapes(
      const Tensor& x,
      at::TensorList /*weights*/,
      const OptionalTensor& /*bias*/,
      std::int64_t dim,
      bool keep_masks) {
    dim = check_input(A::name, x, dim);
    const bool has_masks = A::saved == Saved::masks && keep_masks;
    return {empty_output(x, dim), empty_masks(x, has_masks ? mask_bytes(x.sym_numel()) : 0)};
  }

  /// The gradients of x, of `bias` if that is there, and of the weights if `output` is.
  /// \tparam Composed of LibTorch's operators, which it can differentiate once more.
  template <bool Composed>
  static std::vector<Tensor> backward(
      const Tensor& grad,
      const OptionalTensor& output,
      const Tensor& masks,
      at::TensorList weights,
      const OptionalTensor& bias,
      at::IntArrayRef output_strides,
      std::int64_t dim) {
    if (grad.numel() == 0) {
      return backward_shapes(
          grad, output, masks, weights, bias, c10::fromIntArrayRefSlow(output_strides), dim);
    }
    const Backend& backend = *kernels<A>(grad);
    const auto layout = input_layout(grad, output_strides, dim);
    SavedForBackward saved{
        output.value_or(Tensor()),
        masks,
        backend.mask_layout(grad.scalar_type()),
        parameters_from(weights, bias),
        weight_shape(weights, layout.channels),
        dim,
        {A::has_weight && output.has_value(), bias.has_value()}};
    composed::Gradients from;
    if constexpr (Composed) {
      if (A::saved == Saved::masks) {
        saved.masks =
            composed::unpack_masks(masks, saved.mask_layout, layout.sizes, layout.strides);
      }
      from = composed::backward<A>(
          grad,
          saved.input_or_output,
          saved.masks,
          saved.parameters,
          saved.kind,
          dim,
          saved.wanted);
    } else {
      from = run_backward<A>(backend, grad, saved, layout);
    }
    std::vector<Tensor> result;
    result.reserve(4); // also, g++ warns of writes past the end of a vector that starts with one
    result.push_back(from.input);
    if (saved.wanted.bias) {
      result.push_back(from.parameters.bias);
    }
    if (saved.wanted.weight) {
      result.push_back(from.parameters.weight.pos);
      result.push_back(from.parameters.weight.neg);
    }
    return result;
  }

  static std::vector<Tensor> backward_shapes(
      const Tensor& grad,
      const OptionalTensor& output,
      const Tensor& /*masks*/,
      at::TensorList weights,
      const OptionalTensor& bias,
      c10::SymIntArrayRef output_strides,
      std::int64_t dim) {
    std::vector<Tensor> result{empty_grad_input(grad, output_strides, dim)};
    // Zeros, since this serves inputs without elements too.
    if (bias) {
      result.push_back(at::zeros_like(*bias));
    }
    if (output) {
      for (const Tensor& weight : weights) {
        result.push_back(at::zeros_like(weight));
      }
    }
    return result;
  }

  static auto call_forward() {
    static const auto handle = find<decltype(forward)>("forward");
    return handle;
  }

  static auto call_backward() {
    static const auto handle = find<decltype(backward_shapes)>("backward");
    return handle;
  }

 private:
  template <class Signature>
  static auto find(const char* pass) {
    const auto name = std::string("linked_neurons::_") + A::name + "_" + pass;
    return c10::Dispatcher::singleton()
        .findSchemaOrThrow(name.c_str(), "")
        .template typed<Signature>();
  }
};

} // namespace linked_neurons::detail
