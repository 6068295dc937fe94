/// \file
/// The linked layers as operators of LibTorch's dispatcher: for Python, TorchScript, torch.compile,
/// torch.export and torch.onnx.export. The shared library linked_neurons_torch_ops is this file.
///
///     linked_neurons::lk_relu(Tensor x, Tensor? bias=None, int dim=1) -> Tensor
///     linked_neurons::lk_selu, lk_swish: likewise
///     linked_neurons::lk_prelu(
///         Tensor x, Tensor weight_pos, Tensor weight_neg, Tensor? bias=None, int dim=1) -> Tensor
///
/// Shapes, types and errors are those of functional.h, under autocast too: they take what arrives.
/// Each layer is three operators: the one above, which knows autograd, and `_<name>_forward` and
/// `_<name>_backward`, which run the kernels and tell the shapes of their results without running
/// them. So a compiler sees a training step as operators, and no kernel sees a tensor without
/// memory.
#include <linked_neurons/detail/run.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace linked_neurons::detail {
namespace {

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

/// Whether a tensor belongs to a transform of torch.func or carries a tangent.
bool is_transformed(const Tensor& tensor) {
  return is_functorch_differentiated(tensor) || tensor._fw_grad(0).defined();
}

Parameters parameters_from(at::TensorList weights, const OptionalTensor& bias) {
  Parameters parameters;
  if (!weights.empty()) {
    parameters.weight = {weights[0], weights[1]};
  }
  parameters.bias = bias.value_or(Tensor());
  return parameters;
}

/// What check_weight() returned, for an input with this many channels.
Slopes slopes_of(at::TensorList weights, const c10::SymInt& channels) {
  if (weights.empty() || (weights[0].dim() <= 1 && weights[0].sym_numel() == 1)) {
    return Slopes::one;
  }
  const bool is_vector = weights[0].dim() == 1 && weights[0].sym_size(0) == channels;
  return is_vector ? Slopes::per_channel : Slopes::per_element;
}

/// The output for an input of symbolic sizes, laid out as layout.h has it.
Tensor empty_output(const Tensor& x, std::int64_t dim) {
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
Tensor empty_grad_input(const Tensor& grad, c10::SymIntArrayRef output_strides, std::int64_t dim) {
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

Layout input_layout(const Tensor& grad, at::IntArrayRef output_strides, std::int64_t dim) {
  at::DimVector sizes(grad.sizes().begin(), grad.sizes().end());
  sizes[dim] /= 2;
  return layout_in(memory_order(grad.sizes(), output_strides), sizes, dim);
}

Tensor empty_signs(const Tensor& x, const c10::SymInt& bytes) {
  return at::empty_symint({bytes}, x.options().dtype(at::kByte));
}

/// The operators `_<name>_forward` and `_<name>_backward`, and how to call them.
template <class A>
struct Operators {
  /// The output, and the signs: no bytes where they are not kept.
  static std::tuple<Tensor, Tensor> forward(
      const Tensor& x,
      at::TensorList weights,
      const OptionalTensor& bias,
      std::int64_t dim,
      bool keep_signs) {
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from(weights, bias);
    Slopes kind = Slopes::one;
    if constexpr (A::has_weight) {
      kind = check_weight(A::name, parameters.weight, x, dim);
    }
    check_bias(A::name, parameters.bias, x, dim);
    if (x.numel() == 0) {
      return forward_shapes(x, weights, bias, dim, keep_signs);
    }
    const auto result = run_forward<A>(kernels<A>(x), x, parameters, kind, dim, keep_signs);
    return {result.output, result.signs.defined() ? result.signs : empty_signs(x, 0)};
  }

  static std::tuple<Tensor, Tensor> forward_shapes(
      const Tensor& x,
      at::TensorList /*weights*/,
      const OptionalTensor& /*bias*/,
      std::int64_t dim,
      bool keep_signs) {
    dim = check_input(A::name, x, dim);
    const bool has_signs = A::saved == Saved::signs && keep_signs;
    return {empty_output(x, dim), empty_signs(x, has_signs ? sign_bytes(x.sym_numel()) : 0)};
  }

  /// The gradients of x, of `bias` if that is there, and of the weights if `output` is.
  /// \tparam Composed of LibTorch's operators, which it can differentiate once more.
  template <bool Composed>
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
    const Backend& backend = *kernels<A>(grad);
    const auto layout = input_layout(grad, output_strides, dim);
    Saves saves{
        output.value_or(Tensor()),
        signs,
        backend.sign_layout(grad.scalar_type()),
        parameters_from(weights, bias),
        slopes_of(weights, layout.channels),
        dim,
        {A::has_weight && output.has_value(), bias.has_value()}};
    composed::Gradients from;
    if constexpr (Composed) {
      if (A::saved == Saved::signs) {
        saves.signs =
            composed::unpack_signs(signs, saves.sign_layout, layout.sizes, layout.strides);
      }
      from = composed::backward<A>(
          grad, saves.kept, saves.signs, saves.parameters, saves.kind, dim, saves.wanted);
    } else {
      from = run_backward<A>(backend, grad, saves, layout);
    }
    std::vector<Tensor> result;
    result.reserve(4); // also, g++ warns of writes past the end of a vector that starts with one
    result.push_back(from.input);
    if (saves.wanted.bias) {
      result.push_back(from.parameters.bias);
    }
    if (saves.wanted.weight) {
      result.push_back(from.parameters.weight.pos);
      result.push_back(from.parameters.weight.neg);
    }
    return result;
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

/// LinkedBackward of operators: forward and backward reach the kernels by way of the dispatcher.
template <class A>
struct OperatorFunction : torch::autograd::Function<OperatorFunction<A>> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  static Tensor forward(
      Context* context,
      const Tensor& x,
      at::TensorList weights,
      const OptionalTensor& bias,
      std::int64_t dim) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [output, signs] = Operators<A>::call_forward().call(x, weights, bias, dim, true);
    const auto differentiated = [](const Tensor& tensor) { return tensor.requires_grad(); };
    const bool weight_gradients = std::any_of(weights.begin(), weights.end(), differentiated);
    Tensors saved{signs, {}, {}};
    if (keeps_output<A>(weight_gradients)) {
      saved[1] = output;
    }
    if (bias && differentiated(*bias)) {
      saved[2] = *bias;
    }
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["output_strides"] = output.sym_strides();
    context->saved_data["dim"] = dim;
    return output;
  }

  static Tensors backward(Context* context, const Tensors& grads) {
    const auto saved = context->get_saved_variables();
    const auto optional = [](const Tensor& tensor) {
      return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
    };
    const auto output = optional(saved[1]);
    const auto bias = optional(saved[2]);
    const auto weights = at::TensorList(saved).slice(3);
    const auto& strides = context->saved_data["output_strides"];
    const auto dim = context->saved_data["dim"].toInt();
    auto results =
        at::GradMode::is_enabled()
            ? Operators<A>::template backward<true>(
                  grads[0], output, saved[0], weights, bias, strides.toIntVector(), dim)
            : Operators<A>::call_backward().call(
                  grads[0], output, saved[0], weights, bias, strides.toSymIntVector(), dim);
    // In the order of forward's arguments.
    const std::size_t first_weight = bias ? 2 : 1;
    Tensors gradients{results[0]};
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const bool wanted = first_weight + i < results.size();
      gradients.push_back(wanted ? results[first_weight + i] : Tensor());
    }
    gradients.push_back(bias ? results[1] : Tensor());
    gradients.emplace_back(); // dim
    return gradients;
  }
};

/// The layer of LibTorch's own operators, which know autograd, transforms and export.
/// \tparam W `Tensor`, once for each of the activation's weights.
template <class A, class... W>
Tensor composed_layer(
    const Tensor& x, const W&... weight, const OptionalTensor& bias, std::int64_t dim) {
  dim = check_input(A::name, x, dim);
  const std::vector<Tensor> weights{weight...};
  return composed::forward<A>(
      x, parameters_from(weights, bias), slopes_of(weights, x.sym_size(dim)), dim);
}

/// The layer of the two operators, where there are kernels.
template <class A, class... W>
Tensor layer(const Tensor& x, const W&... weight, const OptionalTensor& bias, std::int64_t dim) {
  const auto any = [&](const auto& test) {
    return (test(x) || ... || test(weight)) || (bias && test(*bias));
  };
  if (kernels<A>(x) == nullptr || any(is_transformed)) {
    return composed_layer<A, W...>(x, weight..., bias, dim);
  }
  dim = check_input(A::name, x, dim);
  const std::vector<Tensor> weights{weight...};
  // Grad mode is off inside a function's forward, so this is the place to ask.
  if (at::GradMode::is_enabled() && any([](const Tensor& t) { return t.requires_grad(); })) {
    return OperatorFunction<A>::apply(x, at::TensorList(weights), bias, dim);
  }
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return std::get<0>(Operators<A>::call_forward().call(x, weights, bias, dim, false));
}

/// Defines and implements the three operators of an activation.
template <class A, class... W>
void add_operators(torch::Library& library) {
  using c10::DispatchKey;
  const auto define = [&](const std::string& schema) {
    library.def(schema.c_str(), {at::Tag::pt2_compliant_tag});
  };
  const auto implement = [&](const std::string& name, DispatchKey key, auto* function) {
    library.impl(name.c_str(), torch::dispatch(key, function));
  };
  const std::string name = A::name;
  const std::string forward = "_" + name + "_forward";
  const std::string backward = "_" + name + "_backward";
  const std::string weights = A::has_weight ? "Tensor weight_pos, Tensor weight_neg, " : "";
  define(name + "(Tensor x, " + weights + "Tensor? bias=None, int dim=1) -> Tensor");
  define(
      forward + "(Tensor x, Tensor[] weights, Tensor? bias, int dim, bool keep_signs)"
                " -> (Tensor output, Tensor signs)");
  define(
      backward + "(Tensor grad, Tensor? output, Tensor signs, Tensor[] weights, Tensor? bias,"
                 " SymInt[] output_strides, int dim) -> Tensor[]");

  // Inference mode passes Autograd by. What CompositeImplicitAutograd holds is how exporters, that
  // to ONNX among them, take the layer apart; they would not if CPU or CUDA were named here.
  // Autocast, unless told otherwise, leaves the inputs alone.
  implement(name, DispatchKey::Autograd, layer<A, W...>);
  implement(name, DispatchKey::CompositeExplicitAutograd, layer<A, W...>);
  implement(name, DispatchKey::CompositeImplicitAutograd, composed_layer<A, W...>);
  implement(name, DispatchKey::FuncTorchBatched, composed_layer<A, W...>);
  implement(forward, DispatchKey::Meta, Operators<A>::forward_shapes);
  implement(backward, DispatchKey::Meta, Operators<A>::backward_shapes);
  for (const auto key : {DispatchKey::CPU, DispatchKey::CUDA}) {
    if (key == DispatchKey::CPU || cuda::backend<A> != nullptr) {
      implement(forward, key, Operators<A>::forward);
      implement(backward, key, Operators<A>::template backward<false>);
    }
  }
}

} // namespace
} // namespace linked_neurons::detail

TORCH_LIBRARY(linked_neurons, library) {
  namespace ln = linked_neurons;
  ln::detail::add_operators<ln::activation::ReLU>(library);
  ln::detail::add_operators<ln::activation::PReLU, at::Tensor, at::Tensor>(library);
  ln::detail::add_operators<ln::activation::SELU>(library);
  ln::detail::add_operators<ln::activation::Swish>(library);
}
