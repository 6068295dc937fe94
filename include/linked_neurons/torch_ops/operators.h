/// \file
/// The operators `_<name>_forward` and `_<name>_backward` of LibTorch's dispatcher.
#pragma once

#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/detail/check.h>
#include <linked_neurons/detail/run.h>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros_like.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

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

/// Which gradients somebody asks for besides that of x: of the weights, and of the bias.
using LayerFlags = std::array<bool, 2>;

inline Wanted wanted_of(const LayerFlags& flags) {
  const auto& [weight, bias] = flags;
  return {weight, bias};
}

template <class... T>
struct Types {};

/// `Types` of `Tensor`, once for each of the activation's weights: two of them, or none.
template <class A>
using WeightsOf = std::conditional_t<A::has_weight, Types<Tensor, Tensor>, Types<>>;

/// `Types<double>` where the activation has a number of its own.
template <class A>
using NumbersOf = std::conditional_t<A::has_number, Types<double>, Types<>>;

/// From the arguments of an operator, of which it checks the number.
/// \tparam W those of `WeightsOf<A>`.
template <class A, class... W>
Parameters parameters_from(
    const W&... weight, const OptionalTensor& bias, double number = Parameters().number) {
  check_number<A>(number);
  return {{weight...}, bias.value_or(Tensor()), number};
}

/// Calls a function with the weights of the activation, or with its number, or with nothing.
template <class A, class Function>
auto call_with(const Function& function, const Parameters& parameters) {
  if constexpr (A::has_weight) {
    return function(parameters.weight.pos, parameters.weight.neg);
  } else if constexpr (A::has_number) {
    return function(parameters.number);
  } else {
    return function();
  }
}

inline OptionalTensor optional(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

/// What check_weight() returned, for an input with this many channels.
inline ParameterShape weight_shape(const Parameters& parameters, const c10::SymInt& channels) {
  const Tensor& weight = parameters.weight.pos;
  return weight.defined() ? parameter_shape(weight.sym_sizes(), channels) : ParameterShape::one;
}

/// `x` itself where its axes lie in memory in the order of these strides, else a copy that does so:
/// a DTensor has strides, and the part of it that one process holds may lie otherwise.
inline Tensor in_order(const Tensor& x, c10::SymIntArrayRef strides) {
  if (x.sym_strides() == strides) {
    return x;
  }
  const auto sizes = C10_AS_INTARRAYREF_SLOW_ALLOC(x.sym_sizes());
  const auto order = memory_order(sizes, C10_AS_INTARRAYREF_SLOW_ALLOC(strides));
  const auto dense = dense_strides(sizes, order);
  if (same_strides(sizes, C10_AS_INTARRAYREF_SLOW_ALLOC(x.sym_strides()), dense)) {
    return x;
  }
  return at::empty_strided(sizes, dense, x.options()).copy_(x);
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

/// A result that nobody asked for.
inline Tensor nothing(const Tensor& like) {
  return at::empty({0}, like.options());
}

/// The operators `_<name>_forward` and `_<name>_backward`, and how to call them.
/// \tparam Weights `WeightsOf<A>`.
/// \tparam Numbers `NumbersOf<A>`.
template <class A, class Weights, class Numbers>
struct OperatorsWith;
template <class A, class... W, class... N>
struct OperatorsWith<A, Types<W...>, Types<N...>> {
  /// The output, and the masks: no bytes where they are not saved.
  using Forward = std::tuple<Tensor, Tensor>;
  /// The gradients of x, of the weights and of the bias: no elements where they are not wanted.
  using Backward = std::tuple<Tensor, W..., Tensor>;

  /// \param strides of x as its caller knows it, which give the order of its axes in memory.
  static Forward forward(
      const Tensor& x,
      const W&... weight,
      const OptionalTensor& bias,
      std::int64_t dim,
      c10::SymIntArrayRef strides,
      bool keep_masks,
      N... number) {
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from<A, W...>(weight..., bias, number...);
    ParameterShape kind = ParameterShape::one;
    if constexpr (A::has_weight) {
      kind = check_weight(A::name, parameters.weight, x, dim);
    }
    check_bias(A::name, parameters.bias, x, dim);
    if (x.numel() == 0) {
      return forward_shapes(x, weight..., bias, dim, strides, keep_masks, number...);
    }
    const auto result =
        run_forward<A>(kernels<A>(x), in_order(x, strides), parameters, kind, dim, keep_masks);
    return {result.output, result.masks.defined() ? result.masks : empty_masks(x, 0)};
  }

  static Forward forward_shapes(
      const Tensor& x,
      const W&... /*weight*/,
      const OptionalTensor& /*bias*/,
      std::int64_t dim,
      c10::SymIntArrayRef strides,
      bool keep_masks,
      N... /*number*/) {
    dim = check_input(A::name, x, dim);
    const bool has_masks = A::saved == Saved::masks && keep_masks;
    return {
        empty_output(in_order(x, strides), dim),
        empty_masks(x, has_masks ? mask_bytes(x.sym_numel()) : 0)};
  }

  /// The gradients of x, and of what else is wanted.
  /// \param input_or_output what backward starts from, `is_input` says which of the two. Undefined,
  ///     it is the masks that backward starts from, and no gradient of a weight is wanted.
  /// \tparam Composed of LibTorch's operators, which it can differentiate once more.
  template <bool Composed>
  static composed::Gradients gradients(
      const Tensor& grad,
      const Tensor& input_or_output,
      const Tensor& masks,
      const Parameters& parameters,
      at::IntArrayRef output_strides,
      std::int64_t dim,
      bool is_input,
      const Wanted& wanted) {
    const Backend& backend = *kernels<A>(grad);
    const auto layout = input_layout(grad, output_strides, dim);
    const bool from_masks = A::saved == Saved::masks && !is_input &&
                            !(A::output_tells_masks && input_or_output.defined());
    SavedForBackward saved{
        input_or_output,
        is_input,
        from_masks ? masks : Tensor(),
        backend.mask_layout(grad.scalar_type()),
        parameters,
        weight_shape(parameters, layout.channels),
        dim,
        wanted};
    if constexpr (!Composed) {
      if (saved.is_input) {
        saved.input_or_output = in_order(input_or_output, c10::fromIntArrayRefSlow(layout.strides));
      }
      return run_backward<A>(backend, grad, saved, layout);
    }
    if (from_masks) {
      saved.masks = composed::unpack_masks(masks, saved.mask_layout, layout.sizes, layout.strides);
    }
    const auto backward = is_input ? composed::backward<FromInput<A>> : composed::backward<A>;
    return backward(
        grad, saved.input_or_output, saved.masks, saved.parameters, saved.kind, dim, saved.wanted);
  }

  template <bool Composed>
  static Backward backward(
      const Tensor& grad,
      const OptionalTensor& input_or_output,
      const Tensor& masks,
      const W&... weight,
      const OptionalTensor& bias,
      at::IntArrayRef output_strides,
      std::int64_t dim,
      bool is_input,
      const LayerFlags& flags,
      N... number) {
    if (grad.numel() == 0) {
      return backward_shapes(
          grad,
          input_or_output,
          masks,
          weight...,
          bias,
          c10::fromIntArrayRefSlow(output_strides),
          dim,
          is_input,
          flags,
          number...);
    }
    const auto parameters = parameters_from<A, W...>(weight..., bias, number...);
    const auto from = gradients<Composed>(
        grad,
        input_or_output.value_or(Tensor()),
        masks,
        parameters,
        output_strides,
        dim,
        is_input,
        wanted_of(flags));
    const auto wanted = [&](const Tensor& gradient) {
      return gradient.defined() ? gradient : nothing(grad);
    };
    const auto& [weights, grad_bias, none] = from.parameters;
    if constexpr (A::has_weight) {
      return {from.input, wanted(weights.pos), wanted(weights.neg), wanted(grad_bias)};
    } else {
      return {from.input, wanted(grad_bias)};
    }
  }

  static Backward backward_shapes(
      const Tensor& grad,
      const OptionalTensor& /*input_or_output*/,
      const Tensor& /*masks*/,
      const W&... weight,
      const OptionalTensor& bias,
      c10::SymIntArrayRef output_strides,
      std::int64_t dim,
      bool /*is_input*/,
      const LayerFlags& flags,
      N... /*number*/) {
    const auto wanted = wanted_of(flags);
    // Zeros, since this serves inputs without elements too.
    return {
        empty_grad_input(grad, output_strides, dim),
        (wanted.weight ? at::zeros_like(weight) : nothing(grad))...,
        wanted.bias ? at::zeros_like(*bias) : nothing(grad)};
  }

  static Forward call_forward(
      const Tensor& input, const Parameters& parameters, std::int64_t dim, bool keep_masks) {
    static const auto handle = find<decltype(forward)>("forward");
    const Tensor x = dense(input);
    const auto call = [&](const W&... weight, const N&... number) {
      return handle.call(
          x, weight..., optional(parameters.bias), dim, x.sym_strides(), keep_masks, number...);
    };
    return call_with<A>(call, parameters);
  }

  static composed::Gradients call_backward(
      const Tensor& grad,
      const Tensor& input_or_output,
      const Tensor& masks,
      const Parameters& parameters,
      c10::SymIntArrayRef output_strides,
      std::int64_t dim,
      bool is_input,
      const LayerFlags& flags) {
    static const auto handle = find<decltype(backward_shapes)>("backward");
    const auto call = [&](const W&... weight, const N&... number) {
      return handle.call(
          grad,
          optional(input_or_output),
          masks,
          weight...,
          optional(parameters.bias),
          output_strides,
          dim,
          is_input,
          flags,
          number...);
    };
    const auto results = call_with<A>(call, parameters);
    if constexpr (A::has_weight) {
      const auto& [x, pos, neg, bias] = results;
      return {x, {{pos, neg}, bias}};
    } else {
      const auto& [x, bias] = results;
      return {x, {{}, bias}};
    }
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

template <class A>
using Operators = OperatorsWith<A, WeightsOf<A>, NumbersOf<A>>;

} // namespace linked_neurons::detail
