/// \file
/// The operators of an activation: their schemas and what implements them.
#pragma once

#include <linked_neurons/torch_ops/joint_operators.h>
#include <linked_neurons/torch_ops/operator_backward.h>
#include <linked_neurons/torch_ops/operators.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace linked_neurons::detail {

/// A layer as an operator.
/// \tparam Weights, Numbers as those of `OperatorsWith`.
/// \tparam Options `Types<bool>` where the activation has no weights: keep_output. All have
/// keep_input.
template <class A, class Weights, class Options, class Numbers>
struct Layer;
template <class A, class... W, class... Option, class... N>
struct Layer<A, Types<W...>, Types<Option...>, Types<N...>> {
  /// The layer of LibTorch's own operators, which know autograd, transforms and export.
  static Tensor composed(
      const Tensor& x,
      const W&... weight,
      const OptionalTensor& bias,
      std::int64_t dim,
      Option... keep_output,
      N... number,
      bool keep_input) {
    keep_of(A::name, (false || ... || keep_output), keep_input); // LibTorch's operators keep theirs
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from<A, W...>(weight..., bias, number...);
    return composed::forward<A>(x, parameters, weight_shape(parameters, x.sym_size(dim)), dim);
  }

  /// The layer of the two operators, where there are kernels. (A jagged tensor is a subclass of
  /// Python that knows LibTorch's operators, and no others.)
  static Tensor fused(
      const Tensor& x,
      const W&... weight,
      const OptionalTensor& bias,
      std::int64_t dim,
      Option... keep_output,
      N... number,
      bool keep_input) {
    const auto any = [&](const auto& test) {
      return (test(x) || ... || test(weight)) || (bias && test(*bias));
    };
    if (kernels<A>(x) == nullptr || x.is_nested() || any(is_transformed)) {
      return composed(x, weight..., bias, dim, keep_output..., number..., keep_input);
    }
    const auto keep = keep_of(A::name, (false || ... || keep_output), keep_input);
    dim = check_input(A::name, x, dim);
    const auto parameters = parameters_from<A, W...>(weight..., bias, number...);
    if (at::GradMode::is_enabled() && any([](const Tensor& t) { return t.requires_grad(); })) {
      return OperatorBackward<A>::record(x, parameters, dim, keep);
    }
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    return std::get<0>(Operators<A>::call_forward(x, parameters, dim, false));
  }
};

template <class A>
using LayerOf =
    Layer<A, WeightsOf<A>, std::conditional_t<A::has_weight, Types<>, Types<bool>>, NumbersOf<A>>;

/// How a joint layer is run, from checked arguments.
using RunJoint = Tensor (*)(
    const Tensor& x,
    const Parameters& parameters,
    const Tensor& weight,
    const Tensor& bias,
    c10::SymIntArrayRef numbers,
    std::int64_t dim);

/// Of LibTorch's own operators.
template <class A>
Tensor composed_joint(
    const Tensor& x,
    const Parameters& parameters,
    const Tensor& weight,
    const Tensor& bias,
    c10::SymIntArrayRef numbers,
    std::int64_t dim) {
  const auto kind = weight_shape(parameters, x.sym_size(dim));
  return run_layer(composed::forward<A>(x, parameters, kind, dim), weight, bias, numbers);
}

/// Of our operators, where there are kernels.
template <class A>
Tensor fused_joint(
    const Tensor& x,
    const Parameters& parameters,
    const Tensor& weight,
    const Tensor& bias,
    c10::SymIntArrayRef numbers,
    std::int64_t dim) {
  const auto& [slopes, input_bias, number] = parameters;
  bool differentiated = false;
  bool composes = kernels<A>(x) == nullptr || x.is_nested();
  for (const Tensor* tensor : {&x, &slopes.pos, &slopes.neg, &input_bias, &weight, &bias}) {
    differentiated |= tensor->defined() && tensor->requires_grad();
    composes |= is_transformed(*tensor);
  }
  if (composes) {
    return composed_joint<A>(x, parameters, weight, bias, numbers, dim);
  }
  if (at::GradMode::is_enabled() && differentiated) {
    return JointOperatorBackward<A>::record(x, parameters, weight, bias, numbers, dim);
  }
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const Tensor pair = std::get<0>(Operators<A>::call_forward(x, parameters, dim, false));
  return run_layer(pair, weight, bias, numbers);
}

/// Checks the arguments, casts them as autocast does, and runs the layer on a batch.
inline Tensor run_checked(
    const char* activation,
    RunJoint run,
    const Tensor& x,
    const Parameters& parameters,
    const Tensor& weight,
    const OptionalTensor& bias,
    const LayerNumbers& numbers) {
  const auto axes = static_cast<std::int64_t>(axes_of(numbers));
  const auto name = std::string(activation).append(suffix_of(axes_of(numbers)));
  check_input(name.c_str(), x, -1);
  TORCH_CHECK(
      axes == 0 || x.dim() == axes + 1 || x.dim() == axes + 2,
      name,
      ": expected an input of ",
      axes + 1,
      " or ",
      axes + 2,
      " axes, got ",
      x.dim());
  const bool adds_batch = x.dim() == axes + 1 && axes > 0;
  const Tensor input = adds_batch ? x.unsqueeze(0) : x;
  const std::int64_t dim = input.dim() - 1 - axes;
  const c10::SymInt channels = input.sym_size(dim);
  const auto groups = numbers.empty() ? c10::SymInt(1) : numbers.back();
  check_weight_behind(
      name,
      weight,
      weight.dim() == axes + 2 && weight.sym_size(1) * groups == channels * 2,
      axes + 2,
      channels);
  const Tensor output =
      run(input, parameters, autocast(weight), autocast(bias.value_or(Tensor())), numbers, dim);
  return adds_batch ? output.squeeze(0) : output;
}

/// A joint layer as operators.
/// \tparam Weights, Numbers as those of `OperatorsWith`.
template <class A, class Weights, class Numbers>
struct JointLayer;
template <class A, class... W, class... N>
struct JointLayer<A, Types<W...>, Types<N...>> {
  /// Over as many axes as there are numbers in `stride`.
  template <RunJoint run>
  static Tensor convolution(
      const Tensor& x,
      const W&... slopes,
      const Tensor& weight,
      const OptionalTensor& bias,
      c10::SymIntArrayRef stride,
      c10::SymIntArrayRef padding,
      c10::SymIntArrayRef dilation,
      c10::SymInt groups,
      const OptionalTensor& input_bias,
      N... number) {
    const auto numbers = convolution_numbers(stride, padding, dilation, std::move(groups));
    const auto parameters = parameters_from<A, W...>(slopes..., input_bias, number...);
    return run_checked(A::name, run, x, parameters, weight, bias, numbers);
  }

  template <RunJoint run>
  static Tensor linear(
      const Tensor& x,
      const W&... slopes,
      const Tensor& weight,
      const OptionalTensor& bias,
      const OptionalTensor& input_bias,
      N... number) {
    const auto parameters = parameters_from<A, W...>(slopes..., input_bias, number...);
    return run_checked(A::name, run, x, parameters, weight, bias, {});
  }
};

template <class A>
using JointLayerOf = JointLayer<A, WeightsOf<A>, NumbersOf<A>>;

template <class Function>
void implement(
    torch::Library& library, const std::string& name, c10::DispatchKey key, Function* function) {
  library.impl(name.c_str(), torch::dispatch(key, function));
}

inline void define(torch::Library& library, const std::string& schema) {
  library.def(schema.c_str(), {at::Tag::pt2_compliant_tag});
}

/// Implements an operator that a user calls.
// Inference mode passes Autograd by. What CompositeImplicitAutograd holds is how exporters, that to
// ONNX among them, take the layer apart; they would not if CPU or CUDA were named here. Autocast,
// unless told otherwise, leaves the inputs alone.
template <class Function>
void implement_layer(
    torch::Library& library, const std::string& name, Function* fused, Function* composed) {
  using c10::DispatchKey;
  implement(library, name, DispatchKey::Autograd, fused);
  implement(library, name, DispatchKey::CompositeExplicitAutograd, fused);
  implement(library, name, DispatchKey::CompositeImplicitAutograd, composed);
  implement(library, name, DispatchKey::FuncTorchBatched, composed);
}

/// Implements an operator that runs the kernels.
template <class A, class Function, class Shapes>
void implement_kernels(
    torch::Library& library, const std::string& name, Function* kernels, Shapes* shapes) {
  using c10::DispatchKey;
  implement(library, name, DispatchKey::Meta, shapes);
  implement(library, name, DispatchKey::CPU, kernels);
  if (cuda::backend<A> != nullptr) {
    implement(library, name, DispatchKey::CUDA, kernels);
  }
}

/// Implements one for many gradients at once: torch.autograd.grad's is_grads_batched,
/// torch.func.vmap.
template <class Function>
void implement_batched(torch::Library& library, const std::string& name, Function* composed) {
  implement(library, name, c10::DispatchKey::Batched, composed);
  implement(library, name, c10::DispatchKey::FuncTorchBatched, composed);
}

/// What the schemas have behind all other arguments: the activation's number, if it has one.
/// \param is_given without a default.
template <class A>
std::string number_argument([[maybe_unused]] bool is_given = false) {
  if constexpr (A::has_number) {
    struct Default : A::template NumberOption<Default> {};
    std::ostringstream argument;
    argument.precision(std::numeric_limits<double>::max_digits10);
    argument << ", float " << A::number_name;
    if (!is_given) {
      argument << "=" << Default().number_of_activation();
    }
    return argument.str();
  } else {
    return "";
  }
}

/// Defines and implements the operators of an activation.
template <class A>
void add_operators(torch::Library& library) {
  const std::string name = A::name;
  const std::string forward = "_" + name + "_forward";
  const std::string backward = "_" + name + "_backward";
  const std::string joint_backward = "_" + name + "_joint_backward";
  const std::string weights = A::has_weight ? "Tensor weight_pos, Tensor weight_neg, " : "";
  const std::string grad_weights =
      A::has_weight ? "Tensor grad_weight_pos, Tensor grad_weight_neg, " : "";
  const std::string options = A::has_weight ? "" : ", bool keep_output=False";
  const std::string number = number_argument<A>();
  const std::string given_number = number_argument<A>(/*is_given=*/true);
  const std::string layer = "(Tensor x, " + weights + "Tensor weight, Tensor? bias=None, ";

  define(
      library,
      name + "(Tensor x, " + weights + "Tensor? bias=None, int dim=1" + options + number +
          ", *, bool keep_input=False) -> Tensor");
  implement_layer(library, name, LayerOf<A>::fused, LayerOf<A>::composed);

  define(
      library,
      forward + "(Tensor x, " + weights +
          "Tensor? bias, int dim, SymInt[] strides, bool keep_masks" + given_number +
          ") -> (Tensor output, Tensor masks)");
  implement_kernels<A>(library, forward, Operators<A>::forward, Operators<A>::forward_shapes);

  define(
      library,
      backward + "(Tensor grad, Tensor? input_or_output, Tensor masks, " + weights +
          "Tensor? bias, SymInt[] output_strides, int dim, bool is_input, bool[2] wanted" +
          given_number + ") -> (Tensor grad_x, " + grad_weights + "Tensor grad_bias)");
  implement_kernels<A>(
      library, backward, Operators<A>::template backward<false>, Operators<A>::backward_shapes);
  implement_batched(library, backward, Operators<A>::template backward<true>);

  for (const char* const axes : {"1", "2", "3"}) {
    std::string convolution = name;
    convolution.append("_conv").append(axes).append("d");
    std::string schema = convolution + layer;
    for (const char* const option : {"stride=1", "padding=0", "dilation=1"}) {
      schema.append("SymInt[").append(axes).append("] ").append(option).append(", ");
    }
    schema.append("SymInt groups=1, Tensor? input_bias=None").append(number).append(") -> Tensor");
    define(library, schema);
    implement_layer(
        library,
        convolution,
        JointLayerOf<A>::template convolution<fused_joint<A>>,
        JointLayerOf<A>::template convolution<composed_joint<A>>);
  }
  define(library, name + "_linear" + layer + "Tensor? input_bias=None" + number + ") -> Tensor");
  implement_layer(
      library,
      name + "_linear",
      JointLayerOf<A>::template linear<fused_joint<A>>,
      JointLayerOf<A>::template linear<composed_joint<A>>);

  define(
      library,
      joint_backward + "(Tensor grad, Tensor x, " + weights +
          "Tensor weight, Tensor? input_bias, SymInt[] layer, bool[5] wanted" + given_number +
          ") -> (Tensor grad_x, " + grad_weights +
          "Tensor grad_input_bias, Tensor grad_weight, Tensor grad_bias)");
  implement_kernels<A>(
      library,
      joint_backward,
      JointOperators<A>::template backward<false>,
      JointOperators<A>::backward_shapes);
  implement_batched(library, joint_backward, JointOperators<A>::template backward<true>);
}

} // namespace linked_neurons::detail
