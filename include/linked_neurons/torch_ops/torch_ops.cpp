/// \file
/// The linked layers as operators of LibTorch's dispatcher: for Python, TorchScript, torch.compile,
/// torch.export and torch.onnx.export. The shared library linked_neurons_torch_ops is this file.
///
///     linked_neurons::lk_relu(
///         Tensor x, Tensor? bias=None, int dim=1, bool keep_output=False) -> Tensor
///     linked_neurons::lk_prelu(
///         Tensor x, Tensor weight_pos, Tensor weight_neg, Tensor? bias=None, int dim=1) -> Tensor
///     linked_neurons::settle_allocator() -> bool
///
/// There is one for each activation of the list (activation/all.h): as the first where it has no
/// weights, as the second where it has. Shapes, types and errors are those of functional.h.
/// Autocast does not change their input.
///
/// Each layer is three operators: the one above, which knows autograd, and `_<name>_forward` and
/// `_<name>_backward`, which run the kernels and tell the shapes of their results without running
/// them. So a compiler sees a training step as operators, and no kernel sees a tensor without
/// memory.
#include <linked_neurons/settle_allocator.h>
#include <linked_neurons/torch_ops/operator_backward.h>
#include <linked_neurons/torch_ops/operators.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

namespace linked_neurons::detail {
namespace {

template <class... T>
struct Types {};

/// A layer as an operator.
/// \tparam Weights `Types` of `Tensor`, once for each of the activation's weights.
/// \tparam Options `Types<bool>` where the activation has none: keep_output.
template <class A, class Weights, class Options>
struct Layer;
template <class A, class... W, class... Option>
struct Layer<A, Types<W...>, Types<Option...>> {
  /// The layer of LibTorch's own operators, which know autograd, transforms and export.
  static Tensor composed(
      const Tensor& x,
      const W&... weight,
      const OptionalTensor& bias,
      std::int64_t dim,
      Option... /*keep_output*/) {
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from<W...>(weight..., bias);
    return composed::forward<A>(x, parameters, weight_shape(parameters, x.sym_size(dim)), dim);
  }

  /// The layer of the two operators, where there are kernels. (A jagged tensor is a subclass of
  /// Python that knows LibTorch's operators, and no others.)
  static Tensor fused(
      const Tensor& x,
      const W&... weight,
      const OptionalTensor& bias,
      std::int64_t dim,
      Option... keep_output) {
    const auto any = [&](const auto& test) {
      return (test(x) || ... || test(weight)) || (bias && test(*bias));
    };
    if (kernels<A>(x) == nullptr || x.is_nested() || any(is_transformed)) {
      return composed(x, weight..., bias, dim, keep_output...);
    }
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from<W...>(weight..., bias);
    if (at::GradMode::is_enabled() && any([](const Tensor& t) { return t.requires_grad(); })) {
      return OperatorBackward<A>::record(x, parameters, dim, (false || ... || keep_output));
    }
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    return std::get<0>(Operators<A>::call_forward(x, parameters, dim, false));
  }
};

template <class A>
using LayerOf = std::conditional_t<
    A::has_weight,
    Layer<A, Types<Tensor, Tensor>, Types<>>,
    Layer<A, Types<>, Types<bool>>>;

/// Defines and implements the three operators of an activation.
template <class A>
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
  const std::string grad_weights =
      A::has_weight ? "Tensor grad_weight_pos, Tensor grad_weight_neg, " : "";
  const std::string options = A::has_weight ? "" : ", bool keep_output=False";
  define(name + "(Tensor x, " + weights + "Tensor? bias=None, int dim=1" + options + ") -> Tensor");
  define(
      forward + "(Tensor x, " + weights +
      "Tensor? bias, int dim, SymInt[] strides, bool keep_masks)" +
      " -> (Tensor output, Tensor masks)");
  define(
      backward + "(Tensor grad, Tensor? output, Tensor masks, " + weights + "Tensor? bias, " +
      "SymInt[] output_strides, int dim) -> (Tensor grad_x, " + grad_weights + "Tensor grad_bias)");

  // Inference mode passes Autograd by. What CompositeImplicitAutograd holds is how exporters, that
  // to ONNX among them, take the layer apart; they would not if CPU or CUDA were named here.
  // Autocast, unless told otherwise, leaves the inputs alone.
  implement(name, DispatchKey::Autograd, LayerOf<A>::fused);
  implement(name, DispatchKey::CompositeExplicitAutograd, LayerOf<A>::fused);
  implement(name, DispatchKey::CompositeImplicitAutograd, LayerOf<A>::composed);
  implement(name, DispatchKey::FuncTorchBatched, LayerOf<A>::composed);
  implement(forward, DispatchKey::Meta, Operators<A>::forward_shapes);
  implement(backward, DispatchKey::Meta, Operators<A>::backward_shapes);
  // Many gradients at once: torch.autograd.grad's is_grads_batched, torch.func.vmap.
  for (const auto key : {DispatchKey::Batched, DispatchKey::FuncTorchBatched}) {
    implement(backward, key, Operators<A>::template backward<true>);
  }
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
#define LINKED_NEURONS_OPERATORS(A, function, Module) \
  ln::detail::add_operators<ln::activation::A>(library);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_OPERATORS)
  library.def("settle_allocator() -> bool", ln::settle_allocator);
}
