/// \file
/// The linked layers as operators of LibTorch's dispatcher: for Python, TorchScript, torch.compile,
/// torch.export and torch.onnx.export. Compiled into the shared library linked_neurons_torch_ops.
///
///     linked_neurons::lk_relu(Tensor x, Tensor? bias=None, int dim=1) -> Tensor
///     linked_neurons::lk_selu, lk_swish: likewise
///     linked_neurons::lk_prelu(
///         Tensor x, Tensor weight_pos, Tensor weight_neg, Tensor? bias=None, int dim=1) -> Tensor
///
/// Shapes, types and errors are those of functional.h, under autocast too: they take what arrives.
/// Each layer is three operators: the one above, which knows autograd, and `_<name>_forward` and
/// `_<name>_backward`, which run the kernels and tell the shapes of their results without running
/// them. So a compiler sees a training step as operators, and no kernel a tensor without memory.
#include <linked_neurons/detail/autograd.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace linked_neurons::detail {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

/// Whether the kernels take tensors of this device: a tensor of torch.compile has a device and no
/// memory.
template <class A>
bool has_kernels(const Tensor& x) {
  return x.is_cpu() || x.is_meta() || (x.is_cuda() && cuda::backend<A> != nullptr);
}

/// The result for an input of symbolic sizes: as Layout's, without computing anything.
Tensor empty_output(const Tensor& x, std::int64_t dim) {
  c10::SymDimVector sizes(x.sym_sizes().begin(), x.sym_sizes().end());
  const auto format = x.suggest_memory_format();
  const bool is_formatted = x.is_contiguous(format) || !x.is_non_overlapping_and_dense();
  c10::SymDimVector strides(x.sym_strides().begin(), x.sym_strides().end());
  if (!is_formatted) {
    // Axes that lie around the channels move apart.
    const c10::SymInt row = strides[dim] * sizes[dim];
    strides[dim] = 1;
    for (std::int64_t axis = 0; axis < x.dim(); ++axis) {
      if (axis != dim) {
        const bool is_outer = strides[axis] >= row;
        strides[is_outer ? axis : dim] *= is_outer ? c10::SymInt(2) : sizes[axis];
      }
    }
  }
  sizes[dim] *= 2;
  return is_formatted ? at::empty_symint(sizes, x.options().memory_format(format))
                      : at::empty_strided_symint(sizes, strides, x.options());
}

/// The input's gradient for an output of these strides and the sizes of `grad`.
Tensor empty_grad_input(const Tensor& grad, c10::SymIntArrayRef output_strides, std::int64_t dim) {
  c10::SymDimVector sizes(grad.sym_sizes().begin(), grad.sym_sizes().end());
  c10::SymDimVector strides(output_strides.begin(), output_strides.end());
  for (auto& stride : strides) {
    if (stride > output_strides[dim]) {
      stride = stride / 2;
    }
  }
  sizes[dim] = sizes[dim] / 2;
  return at::empty_strided_symint(sizes, strides, grad.options());
}

/// Whether a tensor belongs to a transform (torch.func) or carries a tangent: the composed
/// expression knows how to go on with it.
bool is_transformed(const Tensor& tensor) {
  return tensor.unsafeGetTensorImpl()->key_set().has(c10::DispatchKey::FuncTorchGradWrapper) ||
      tensor._fw_grad(0).defined();
}

/// As check_weight() has it, for symbolic sizes.
Slopes slopes_of(at::TensorList weights, const c10::SymInt& channels) {
  if (weights.empty() || (weights[0].dim() <= 1 && weights[0].sym_numel() == 1)) {
    return Slopes::one;
  }
  const bool is_vector = weights[0].dim() == 1 && weights[0].sym_size(0) == channels;
  return is_vector ? Slopes::per_channel : Slopes::per_element;
}

Pair<Tensor> pair_of(at::TensorList weights) {
  return weights.empty() ? Pair<Tensor>{} : Pair<Tensor>{weights[0], weights[1]};
}

Tensor no_signs(const Tensor& x) {
  return at::empty({0}, x.options().dtype(at::kByte));
}

/// Throwaway: until the kernels add it.
Tensor biased(const Tensor& x, const OptionalTensor& bias, std::int64_t dim) {
  if (!bias) {
    return x;
  }
  at::SymDimVector sizes(x.dim() - dim, 1);
  sizes[0] = bias->sym_size(0);
  return (x + bias->view_symint(sizes)).to(x.scalar_type());
}

/// The composed expression, which LibTorch differentiates, transforms and exports.
template <class A, class... W>
Tensor composed_layer(
    const Tensor& x, const W&... weight, const OptionalTensor& bias, std::int64_t dim) {
  dim = check_input(A::name, x, dim);
  const std::vector<Tensor> weights{weight...};
  return composed::forward<A>(
      biased(x, bias, dim), pair_of(weights), slopes_of(weights, x.sym_size(dim)), dim);
}

/// The operators `_<name>_forward` and `_<name>_backward` of one activation.
template <class A>
struct Operators {
  using Forward = std::tuple<Tensor, Tensor>;

  /// The output, and the signs: no bytes where they are not kept.
  static Forward forward(
      const Tensor& x,
      at::TensorList weights,
      const OptionalTensor& bias,
      std::int64_t dim,
      bool keep_signs) {
    dim = check_input(A::name, x, dim);
    const auto weight = pair_of(weights);
    Slopes kind = Slopes::one;
    if constexpr (A::has_weight) {
      kind = check_weight(A::name, weight, x, dim);
    }
    if (x.numel() == 0) {
      return forward_shapes(x, weights, bias, dim, keep_signs);
    }
    auto result =
        run_forward<A>(&kernels(x, weight), biased(x, bias, dim), weight, kind, dim, keep_signs);
    return {result.output, result.signs.defined() ? result.signs : no_signs(x)};
  }

  static Forward forward_shapes(
      const Tensor& x,
      at::TensorList /*weights*/,
      const OptionalTensor& /*bias*/,
      std::int64_t dim,
      bool keep_signs) {
    dim = check_input(A::name, x, dim);
    if (A::saved != Saved::signs || !keep_signs) {
      return {empty_output(x, dim), no_signs(x)};
    }
    const c10::SymInt blocks = (x.sym_numel() + (kBlock - 1)) / kBlock;
    return {
        empty_output(x, dim),
        at::empty_symint({blocks * (kSignBits * kBlock / 8)}, x.options().dtype(at::kByte))};
  }

  /// The gradients of x; of `bias`, which is there if that is wanted; of the weights, if `output`
  /// is there.
  static std::vector<Tensor> backward(
      const Tensor& grad,
      const OptionalTensor& output,
      const Tensor& signs,
      at::TensorList weights,
      const OptionalTensor& bias,
      at::IntArrayRef output_strides,
      std::int64_t dim) {
    if (grad.numel() == 0) {
      return backward_shapes(
          grad, output, signs, weights, bias, c10::fromIntArrayRefSlow(output_strides), dim);
    }
    const auto result = run_backward<A>(
        kernels(grad, pair_of(weights)),
        grad,
        saves(grad, output, signs, weights, dim),
        input_layout(grad, output_strides, dim));
    return gradients(result, weights, output.has_value(), bias, dim);
  }

  static std::vector<Tensor> backward_shapes(
      const Tensor& grad,
      const OptionalTensor& output,
      const Tensor& /*signs*/,
      at::TensorList weights,
      const OptionalTensor& bias,
      c10::SymIntArrayRef output_strides,
      std::int64_t dim) {
    std::vector<Tensor> result{empty_grad_input(grad, output_strides, dim)};
    // Zeros, since this serves inputs without elements too.
    if (bias) {
      result.push_back(at::zeros_like(*bias));
    }
    if (A::has_weight && output) {
      result.push_back(at::zeros_like(weights[0]));
      result.push_back(at::zeros_like(weights[1]));
    }
    return result;
  }

  /// As `backward`, of LibTorch's operators, which it can differentiate once more.
  static std::vector<Tensor> composed_backward(
      const Tensor& grad,
      const OptionalTensor& output,
      const Tensor& signs,
      at::TensorList weights,
      const OptionalTensor& bias,
      at::IntArrayRef output_strides,
      std::int64_t dim) {
    auto saved = saves(grad, output, signs, weights, dim);
    if constexpr (A::saved == Saved::signs) {
      const auto layout = input_layout(grad, output_strides, dim);
      saved.signs =
          composed::unpack_signs(signs, saved.sign_group, layout.sizes, layout.strides);
    }
    const auto result = composed::backward<A>(
        grad, saved.kept, saved.signs, saved.weight, saved.kind, dim, saved.weight_gradients);
    return gradients(result, weights, output.has_value(), bias, dim);
  }

 private:
  static const Backend& kernels(const Tensor& tensor, const Pair<Tensor>& weight) {
    const Backend* backend = backend_for<A>(tensor, weight);
    TORCH_CHECK(backend != nullptr, A::name, ": no kernels for device ", tensor.device());
    return *backend;
  }

  static Saves saves(
      const Tensor& grad,
      const OptionalTensor& output,
      const Tensor& signs,
      at::TensorList weights,
      std::int64_t dim) {
    const auto weight = pair_of(weights);
    return {
        output.value_or(Tensor()),
        signs,
        kernels(grad.detach(), weight).sign_group(grad.scalar_type()),
        weight,
        slopes_of(weights, grad.size(dim) / 2),
        dim,
        A::has_weight && output.has_value()};
  }

  static Layout input_layout(const Tensor& grad, at::IntArrayRef strides, std::int64_t dim) {
    const auto order = memory_order(grad.sizes(), strides);
    at::DimVector sizes(grad.sizes().begin(), grad.sizes().end());
    sizes[dim] /= 2;
    return layout_in(order, sizes, dim);
  }

  static std::vector<Tensor> gradients(
      const composed::Gradients& from,
      at::TensorList /*weights*/,
      bool has_output,
      const OptionalTensor& bias,
      std::int64_t dim) {
    std::vector<Tensor> result{from.input};
    if (bias) {
      auto axes = std::vector<std::int64_t>(from.input.dim());
      std::iota(axes.begin(), axes.end(), 0);
      axes.erase(axes.begin() + dim);
      result.push_back(
          axes.empty() ? from.input : from.input.sum(axes).to(bias->scalar_type()));
    }
    if (A::has_weight && has_output) {
      result.push_back(from.weight.pos);
      result.push_back(from.weight.neg);
    }
    return result;
  }
};

template <class A>
struct LayerFunction : torch::autograd::Function<LayerFunction<A>> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  template <class... W>
  static Tensor forward(
      Context* context,
      const Tensor& x,
      const OptionalTensor& bias,
      std::int64_t dim,
      const W&... weight) {
    const auto [output, signs] = call_forward<A>(x, {weight...}, bias, dim, true);
    const bool keep = keeps_output<A>((false || ... || weight.requires_grad()));
    const bool bias_gradient = bias && bias->requires_grad();
    context->save_for_backward(
        {keep ? output : Tensor(), signs, bias_gradient ? *bias : Tensor(), weight...});
    context->saved_data["output_strides"] = output.sym_strides();
    context->saved_data["dim"] = dim;
    return output;
  }

  static Tensors backward(Context* context, const Tensors& grads) {
    static const auto compiled = operator_named<decltype(Operators<A>::backward_shapes)>("_backward");
    const auto saved = context->get_saved_variables();
    ...
  }
};
