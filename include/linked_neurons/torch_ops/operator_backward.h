/// \file
/// The node of LibTorch's graph for a layer that is operators of its dispatcher.
#pragma once

#include <linked_neurons/detail/autograd.h>
#include <linked_neurons/torch_ops/operator_node.h>
#include <linked_neurons/torch_ops/operators.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>

#include <array>
#include <cstddef>
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

  OperatorBackward() : Node(run) {}

  /// Runs forward, and makes a new node the output's `grad_fn`.
  /// \param keep the output is kept in place of the masks only where it tells them.
  static Tensor record(const Tensor& x, const Parameters& parameters, std::int64_t dim, Keep keep) {
    const Kept<A> kept(keep);
    const auto node = make_node<OperatorBackward>();
    node->connect(x, parameters);
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [output, masks] = Operators<A>::call_forward(x, parameters, dim, kept.masks());
    set_history(output, node);
    const bool wants_weights = node->wants_weight_gradients();
    const bool wants_bias = node->should_compute_output(Node::kBiasEdge);
    node->constant_ = to_constant(Flags{kept.input(), wants_weights, wants_bias}) | dim << kFlags;
    node->sizes_ = output.sym_strides().vec();
    if (kept.input()) {
      node->save(Node::kInputOrOutput, x);
    } else if (kept.output(wants_weights)) {
      node->save(Node::kInputOrOutput, output, true);
      node->saves_output_ = true;
    }
    node->save(Node::kMasks, masks);
    // From the input, the input of the activation is computed anew.
    const bool reads_bias = kept.input() || wants_bias;
    node->save(
        Parameters{parameters.weight, reads_bias ? parameters.bias : Tensor(), parameters.number});
    return output;
  }

 protected:
  Tensors apply(Tensors&& grads) override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    return run(grads, this->saved_variables(), this->sizes_, this->constant_, this->number_);
  }

 private:
  /// Whether the input is kept, and the gradients that are wanted: of the weights, of the bias. The
  /// axis stands beside them in the node's constant.
  static constexpr std::size_t kFlags = 3;
  using Flags = std::array<bool, kFlags>;

  /// The gradients, in the order of the edges.
  static Tensors run(
      const Tensors& grads,
      const Tensors& saved,
      c10::SymIntArrayRef output_strides,
      std::int64_t constant,
      double number) {
    const Tensor& grad = grads[0];
    if (!grad.defined()) {
      return Tensors(Node::kEdges);
    }
    const auto [is_input, wants_weights, wants_bias] = to_flags<kFlags>(constant);
    const std::int64_t dim = constant >> kFlags;
    const Tensor& input_or_output = saved[Node::kInputOrOutput];
    const Tensor& masks = saved[Node::kMasks];
    const Parameters parameters{{saved[Node::kPos], saved[Node::kNeg]}, saved[Node::kBias], number};
    // Where somebody differentiates the gradients once more, they are LibTorch's own operators.
    const bool is_differentiable = at::GradMode::is_enabled() || is_transformed(grad);
    const auto from = is_differentiable ? Operators<A>::template gradients<true>(
                                              grad,
                                              input_or_output,
                                              masks,
                                              parameters,
                                              C10_AS_INTARRAYREF_SLOW(output_strides),
                                              dim,
                                              is_input,
                                              {wants_weights, wants_bias})
                                        : Operators<A>::call_backward(
                                              grad,
                                              input_or_output,
                                              masks,
                                              parameters,
                                              output_strides,
                                              dim,
                                              is_input,
                                              {wants_weights, wants_bias});
    const auto& [weight, bias, none] = from.parameters;
    const auto result = [](bool is_wanted, const Tensor& gradient) {
      return is_wanted ? gradient : Tensor();
    };
    return {
        from.input,
        result(wants_weights, weight.pos),
        result(wants_weights, weight.neg),
        result(wants_bias, bias)};
  }
};

} // namespace linked_neurons::detail
