/// \file
/// The joint layers as operators: a layer's operator `_<name>_forward` and then LibTorch's own of
/// the layer behind, and `_<name>_joint_backward`, which computes the pair anew.
///
/// Backward is one operator, so that a compiler does not find the second forward in it, take it for
/// the first, and keep the pair in between.
#pragma once

#include <linked_neurons/detail/joint.h>
#include <linked_neurons/torch_ops/operator_node.h>
#include <linked_neurons/torch_ops/operators.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace linked_neurons::detail {

/// What an operator is told of the layer behind: stride, padding and dilation of each axis and the
/// groups of a convolution, one after another; of a linear layer nothing.
using LayerNumbers = std::vector<c10::SymInt>;

/// As LibTorch does, takes one number for all axes too.
inline LayerNumbers convolution_numbers(
    c10::SymIntArrayRef stride,
    c10::SymIntArrayRef padding,
    c10::SymIntArrayRef dilation,
    c10::SymInt groups) {
  const std::size_t axes = std::max({stride.size(), padding.size(), dilation.size()});
  LayerNumbers numbers;
  for (const auto& each : {stride, padding, dilation}) {
    TORCH_CHECK(
        each.size() == 1 || each.size() == axes,
        "expected stride, padding and dilation to have a number for each of ",
        axes,
        " axes, got ",
        each);
    for (std::size_t axis = 0; axis < axes; ++axis) {
      numbers.push_back(each[each.size() == 1 ? 0 : axis]);
    }
  }
  numbers.push_back(std::move(groups));
  return numbers;
}

/// The axes that a convolution is over; none: it is a linear layer.
template <class Numbers>
std::size_t axes_of(const Numbers& numbers) {
  return numbers.size() / 3;
}

/// The end of a joint layer's name.
inline std::string suffix_of(std::size_t axes) {
  return axes == 0 ? "_linear" : std::string("_conv").append(std::to_string(axes)).append("d");
}

inline std::shared_ptr<const LayerBehind> layer_of(at::IntArrayRef numbers) {
  if (numbers.empty()) {
    return std::make_shared<const LinearLayer>();
  }
  const std::size_t axes = axes_of(numbers);
  const auto layer = std::make_shared<Convolution>(axes);
  const auto part = [&](std::size_t index) {
    const auto found = numbers.slice(index * axes, axes);
    return at::DimVector(found.begin(), found.end());
  };
  layer->stride = part(0);
  layer->padding = part(1);
  layer->dilation = part(2);
  layer->groups = numbers.back();
  return layer;
}

/// The layer behind, with the arguments cast as autocast does.
inline Tensor run_layer(
    const Tensor& pair, const Tensor& weight, const Tensor& bias, c10::SymIntArrayRef numbers) {
  const Tensor input = as_weight(pair, weight);
  if (numbers.empty()) {
    return at::linear(input, weight, bias);
  }
  const std::size_t axes = axes_of(numbers);
  const std::vector<c10::SymInt> no_padding(axes, 0);
  return at::convolution_symint(
      input,
      weight,
      bias,
      numbers.slice(0, axes),
      numbers.slice(axes, axes),
      numbers.slice(2 * axes, axes),
      /*transposed=*/false,
      no_padding,
      numbers.back());
}

/// Which gradients somebody asks for: of x, the slopes, the input's bias, the weight and the bias.
using JointFlags = std::array<bool, 5>;

inline JointWanted wanted_of(const JointFlags& flags) {
  const auto& [input, slopes, input_bias, weight, bias] = flags;
  return {input, slopes, input_bias, weight, bias};
}

/// A result in the order in memory that its shape function says it has.
inline Tensor laid_out_as(const Tensor& like, const Tensor& tensor) {
  const Tensor order = dense(like);
  return same_strides(tensor.sizes(), tensor.strides(), order.strides())
             ? tensor
             : at::empty_like(order, tensor.options()).copy_(tensor);
}

/// The operator `_<name>_joint_backward`, and how to call it.
/// \tparam Weights, Numbers as those of `OperatorsWith`.
template <class A, class Weights, class Numbers>
struct JointOperatorsWith;
template <class A, class... W, class... N>
struct JointOperatorsWith<A, Types<W...>, Types<N...>> {
  /// The gradients of x, the slopes, the input's bias, the weight and the bias: no elements where
  /// they are not wanted.
  using Backward = std::tuple<Tensor, W..., Tensor, Tensor, Tensor>;

  /// \tparam Composed of LibTorch's operators, which know transforms.
  template <bool Composed>
  static Backward backward(
      const Tensor& grad,
      const Tensor& x,
      const W&... slopes,
      const Tensor& weight,
      const OptionalTensor& input_bias,
      at::IntArrayRef numbers,
      JointFlags flags,
      N... number) {
    const auto parameters = parameters_from<A, W...>(slopes..., input_bias, number...);
    const auto args = arguments(x, parameters, weight, numbers);
    const auto wanted = wanted_of(flags);
    const Backend* const backend = Composed || x.numel() == 0 ? nullptr : kernels<A>(x);
    auto from = backend == nullptr ? composed_gradients<A>(grad, pair_of(args), args, wanted)
                                   : joint_gradients<A>(*backend, grad, args, wanted);
    if (backend != nullptr && wanted.weight) {
      from.weight = laid_out_as(weight, from.weight);
    }
    const auto result = [&](bool is_wanted, const Tensor& gradient) {
      return is_wanted ? gradient : nothing(grad);
    };
    const auto& [of_slopes, of_bias, none] = from.activation.parameters;
    const Tensor of_x = result(wanted.input, from.activation.input);
    const Tensor of_input_bias = result(wanted.input_bias, of_bias);
    const Tensor of_weight = result(wanted.weight, from.weight);
    const Tensor of_layer_bias = result(wanted.bias, from.bias);
    if constexpr (A::has_weight) {
      return {
          of_x,
          result(wanted.slopes, of_slopes.pos),
          result(wanted.slopes, of_slopes.neg),
          of_input_bias,
          of_weight,
          of_layer_bias};
    } else {
      return {of_x, of_input_bias, of_weight, of_layer_bias};
    }
  }

  static Backward backward_shapes(
      const Tensor& grad,
      const Tensor& x,
      const W&... slopes,
      const Tensor& weight,
      const OptionalTensor& input_bias,
      c10::SymIntArrayRef /*numbers*/,
      JointFlags flags,
      N... /*number*/) {
    const auto wanted = wanted_of(flags);
    const auto shape = [&](bool is_wanted, const Tensor& like) {
      return is_wanted ? at::empty_like(dense(like)) : nothing(grad);
    };
    return {
        shape(wanted.input, x),
        shape(wanted.slopes, slopes)...,
        shape(wanted.input_bias, input_bias.value_or(x)),
        shape(wanted.weight, weight),
        wanted.bias ? at::empty_symint({weight.sym_size(0)}, weight.options()) : nothing(grad)};
  }

  static JointGradients call_backward(
      const Tensor& grad,
      const Tensor& x,
      const Parameters& parameters,
      const Tensor& weight,
      c10::SymIntArrayRef numbers,
      const JointFlags& flags) {
    static const auto handle =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow(
                std::string("linked_neurons::_").append(A::name).append("_joint_backward").c_str(),
                "")
            .template typed<decltype(backward_shapes)>();
    const auto call = [&](const W&... slopes, const N&... number) {
      return handle.call(
          grad, x, slopes..., weight, optional(parameters.bias), numbers, flags, number...);
    };
    const auto results = call_with<A>(call, parameters);
    if constexpr (A::has_weight) {
      const auto& [of_x, pos, neg, of_input_bias, of_weight, of_bias] = results;
      return {{of_x, {{pos, neg}, of_input_bias}}, of_weight, of_bias};
    } else {
      const auto& [of_x, of_input_bias, of_weight, of_bias] = results;
      return {{of_x, {{}, of_input_bias}}, of_weight, of_bias};
    }
  }

  static JointArguments arguments(
      const Tensor& x,
      const Parameters& parameters,
      const Tensor& weight,
      at::IntArrayRef numbers) {
    const auto layer = layer_of(numbers);
    const std::int64_t dim = layer->channel_axis(x.dim());
    const auto kind = weight_shape(parameters, x.sym_size(dim));
    return {x, parameters, kind, dim, layer, weight, {}};
  }

  /// Of LibTorch's operators.
  static Tensor pair_of(const JointArguments& args) {
    const auto pair = composed::forward<A>(args.input, args.parameters, args.kind, args.dim);
    return as_weight(pair, args.weight);
  }
};

template <class A>
using JointOperators = JointOperatorsWith<A, WeightsOf<A>, NumbersOf<A>>;

/// The node of a joint layer that is made of operators.
template <class A>
class JointOperatorBackward : public OperatorNode {
 public:
  JointOperatorBackward() : OperatorNode(run) {}

  std::string name() const override {
    std::string name = "LinkedBackward<";
    name += A::name;
    name += suffix_of(axes_of(sizes_));
    name += '>';
    return name;
  }

  /// Runs forward, and makes a new node the output's `grad_fn`.
  static Tensor record(
      const Tensor& x,
      const Parameters& parameters,
      const Tensor& weight,
      const Tensor& bias,
      c10::SymIntArrayRef numbers,
      std::int64_t dim) {
    const auto& [slopes, input_bias, number] = parameters;
    const auto node = make_node<JointOperatorBackward>();
    node->set_next_edges(
        torch::autograd::collect_next_edges(x, slopes.pos, slopes.neg, input_bias, weight, bias));
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    const Tensor pair =
        std::get<0>(Operators<A>::call_forward(x, parameters, dim, /*keep_masks=*/false));
    Tensor output = run_layer(pair, weight, bias, numbers);
    set_history(output, node);
    node->sizes_ = numbers.vec();
    node->constant_ = to_constant(flags_of(
        [&](int edge) { return node->should_compute_output(static_cast<std::size_t>(edge)); }));
    node->save(kInput, x);
    node->save(kPos, slopes.pos);
    node->save(kNeg, slopes.neg);
    node->save(kInputBias, input_bias);
    node->save(kWeight, weight);
    node->number_ = number;
    return output;
  }

 protected:
  Tensors apply(Tensors&& grads) override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    const auto flags = flags_of(
        [&](int edge) { return this->task_should_compute_output(static_cast<std::size_t>(edge)); });
    return run(grads, saved_variables(), sizes_, to_constant(flags), number_);
  }

 private:
  enum SavedIndex { kInput, kPos, kNeg, kInputBias, kWeight };
  enum EdgeIndex { kInputEdge, kPosEdge, kNegEdge, kInputBiasEdge, kWeightEdge, kBiasEdge, kEdges };

  template <class Wants>
  static JointFlags flags_of(const Wants& wants) {
    return {
        wants(kInputEdge),
        wants(kPosEdge) || wants(kNegEdge),
        wants(kInputBiasEdge),
        wants(kWeightEdge),
        wants(kBiasEdge)};
  }

  /// The gradients, in the order of the edges.
  static Tensors run(
      const Tensors& grads,
      const Tensors& saved,
      c10::SymIntArrayRef numbers,
      std::int64_t wanted_flags,
      double number) {
    const Tensor& grad = grads[0];
    if (!grad.defined()) {
      return Tensors(kEdges);
    }
    const auto flags = to_flags<std::tuple_size_v<JointFlags>>(wanted_flags);
    const auto wanted = wanted_of(flags);
    const Tensor& x = saved[kInput];
    const Tensor& weight = saved[kWeight];
    const Parameters parameters{{saved[kPos], saved[kNeg]}, saved[kInputBias], number};
    JointGradients from;
    // Where somebody differentiates the gradients once more, they are LibTorch's own operators.
    if (at::GradMode::is_enabled() || is_transformed(grad)) {
      using Joint = JointOperators<A>;
      const auto args = Joint::arguments(x, parameters, weight, C10_AS_INTARRAYREF_SLOW(numbers));
      from = composed_gradients<A>(grad, Joint::pair_of(args), args, wanted);
    } else {
      from = JointOperators<A>::call_backward(grad, x, parameters, weight, numbers, flags);
    }
    const auto result = [](bool is_wanted, const Tensor& gradient) {
      return is_wanted ? gradient : Tensor();
    };
    const auto& [slopes, input_bias, none] = from.activation.parameters;
    return {
        result(wanted.input, from.activation.input),
        result(wanted.slopes, slopes.pos),
        result(wanted.slopes, slopes.neg),
        result(wanted.input_bias, input_bias),
        result(wanted.weight, from.weight),
        result(wanted.bias, from.bias)};
  }
};

} // namespace linked_neurons::detail
