/// \file
/// The node of LibTorch's graph for a layer that is operators of its dispatcher.
#pragma once

#include <linked_neurons/detail/autograd.h>
#include <linked_neurons/torch_ops/operator_node.h>
#include <linked_neurons/torch_ops/operators.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <mutex>
#include <utility>

namespace linked_neurons::detail {

/// The node of a layer that is made of operators: forward and backward call the kernels through the
/// dispatcher, so tracing, export and compiled autograd record them.
template <class A>
class OperatorBackward : public LinkedNode<A, OperatorNode> {
  using Node = LinkedNode<A, OperatorNode>;

 public:
  using typename Node::Tensors;

  OperatorBackward() : Node(run, /*saves_output=*/A::saved != Saved::input) {}

  /// Runs forward, and makes a new node the output's `grad_fn`.
  /// \param keep_output in place of the masks, where it tells them.
  static Tensor record(
      const Tensor& x, const Parameters& parameters, std::int64_t dim, bool keep_output) {
    keep_output &= A::output_tells_masks;
    const auto node = make_node<OperatorBackward>();
    node->connect(x, parameters);
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [output, masks] = Operators<A>::call_forward(x, parameters, dim, !keep_output);
    set_history(output, node);
    node->constant_ = dim;
    node->sizes_ = output.sym_strides().vec();
    // The backward operator computes the gradients of those arguments that it is given: of the
    // weights if it is given the output, of the bias if it is given the bias.
    if (A::saved == Saved::input) {
      node->save(Node::kInputOrOutput, x);
    } else if (keep_output || saves_output<A>(node->wants_weight_gradients())) {
      node->save(Node::kInputOrOutput, output, true);
    }
    node->save(Node::kMasks, masks);
    const bool wants_bias = node->should_compute_output(Node::kBiasEdge);
    node->save(
        Parameters{parameters.weight, wants_bias ? parameters.bias : Tensor(), parameters.number});
    return output;
  }

 protected:
  Tensors apply(Tensors&& grads) override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    return run(grads, this->saved_variables(), this->sizes_, this->constant_, this->number_);
  }

 private:
  /// The gradients, in the order of the edges.
  static Tensors run(
      const Tensors& grads,
      const Tensors& saved,
      c10::SymIntArrayRef output_strides,
      std::int64_t dim,
      double number) {
    const Tensor& grad = grads[0];
    if (!grad.defined()) {
      return Tensors(Node::kEdges);
    }
    const Tensor& input_or_output = saved[Node::kInputOrOutput];
    const Tensor& masks = saved[Node::kMasks];
    const Parameters parameters{{saved[Node::kPos], saved[Node::kNeg]}, saved[Node::kBias], number};
    // Where somebody differentiates the gradients once more, they are LibTorch's own operators.
    const bool is_differentiable = at::GradMode::is_enabled() || is_transformed(grad);
    const auto from = is_differentiable
                          ? Operators<A>::template gradients<true>(
                                grad,
                                input_or_output,
                                masks,
                                parameters,
                                C10_AS_INTARRAYREF_SLOW(output_strides),
                                dim)
                          : Operators<A>::call_backward(
                                grad, input_or_output, masks, parameters, output_strides, dim);
    const auto& [weight, bias, none] = from.parameters;
    const auto wanted = [](const Tensor& parameter, const Tensor& gradient) {
      return parameter.defined() ? gradient : Tensor();
    };
    return {
        from.input,
        wanted(input_or_output, weight.pos),
        wanted(input_or_output, weight.neg),
        wanted(parameters.bias, bias)};
  }
};

} // namespace linked_neurons::detail
