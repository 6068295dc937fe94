/// \file
/// One node of LibTorch's graph for all activations: what is saved, backward, double backward.
#pragma once

#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/detail/names.h>
#include <linked_neurons/detail/run.h>
#include <linked_neurons/detail/saving_node.h>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace linked_neurons::detail {

/// What a layer's node in LibTorch's graph has, however forward and backward are run: saved
/// tensors, and an edge to each argument.
/// \tparam Base a `SavingNode` with room for them.
template <class Activation, class Base = SavingNode<5>>
class LinkedNode : public Base {
 public:
  using Base::Base;

  std::string name() const override {
    std::string name = "LinkedBackward<"; // g++ 12 warns of operator+ in C++20 (GCC's bug 105651)
    name += Activation::name;
    name += '>';
    return name;
  }

 protected:
  enum SavedIndex { kInputOrOutput, kMasks, kPos, kNeg, kBias };
  enum EdgeIndex { kInputEdge, kPosEdge, kNegEdge, kBiasEdge, kEdges };

  void connect(const at::Tensor& input, const Parameters& parameters) {
    const auto& [weight, bias, number] = parameters;
    this->set_next_edges(torch::autograd::collect_next_edges(input, weight.pos, weight.neg, bias));
  }

  bool wants_weight_gradients() const {
    return this->should_compute_output(kPosEdge) || this->should_compute_output(kNegEdge);
  }

  using Base::save;

  void save(const Parameters& parameters) {
    save(kPos, parameters.weight.pos);
    save(kNeg, parameters.weight.neg);
    save(kBias, parameters.bias);
    this->number_ = parameters.number;
  }
};

/// The node of a layer that runs its kernels itself.
template <class Activation>
class LinkedBackward : public LinkedNode<Activation> {
 public:
  using typename LinkedNode<Activation>::Tensors;

  /// Runs forward, and makes a new node the output's `grad_fn`.
  /// \param keep the output is kept in place of the masks only where it tells them.
  static at::Tensor record(
      const at::Tensor& input,
      const Parameters& parameters,
      ParameterShape kind,
      std::int64_t dim,
      Keep keep) {
    const Kept<Activation> kept(keep);
    const auto node = make_node<LinkedBackward>();
    node->connect(input, parameters);
    ForwardResult result;
    {
      const at::AutoGradMode no_grad(false);
      result = run_forward<Activation>(
          backend_for<Activation>(input, parameters), input, parameters, kind, dim, kept.masks());
    }
    set_history(result.output, node);
    node->kind_ = kind;
    node->dim_ = dim;
    node->mask_layout_ = result.mask_layout;
    node->strides_ = std::move(result.strides);
    node->keeps_input_ = kept.input();
    if (kept.input()) {
      node->save(Node::kInputOrOutput, input);
    } else if (kept.output(node->wants_weight_gradients())) {
      node->save(Node::kInputOrOutput, result.output, true);
    }
    node->save(Node::kMasks, result.masks);
    node->save(parameters);
    return result.output;
  }

 protected:
  Tensors apply(Tensors&& grads) override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    if (!grads[0].defined()) {
      return Tensors(Node::kEdges);
    }
    const at::Tensor grad = without_names(std::move(grads[0]));
    const auto variables = this->saved_variables();
    SavedForBackward saved{
        variables[Node::kInputOrOutput],
        keeps_input_,
        variables[Node::kMasks],
        mask_layout_,
        {{variables[Node::kPos], variables[Node::kNeg]}, variables[Node::kBias], this->number_},
        kind_,
        dim_,
        {this->task_should_compute_output(Node::kPosEdge) ||
             this->task_should_compute_output(Node::kNegEdge),
         this->task_should_compute_output(Node::kBiasEdge)}};
    at::DimVector sizes(grad.sizes().begin(), grad.sizes().end());
    sizes[as_index(dim_)] /= 2;
    composed::Gradients result;
    const Backend* backend = backend_for<Activation>(grad, saved.parameters);
    // After a forward on the composed path there are no strides: its masks have a layout that the
    // kernels do not read.
    if (backend != nullptr && !strides_.empty() && !at::GradMode::is_enabled() &&
        !is_transformed(grad)) {
      result = run_backward<Activation>(*backend, grad, saved, layout_of(sizes, strides_, dim_));
    } else {
      if (mask_layout_.lanes != 0) {
        saved.masks = composed::unpack_masks(saved.masks, mask_layout_, sizes, strides_);
      }
      const auto backward =
          keeps_input_ ? composed::backward<FromInput<Activation>> : composed::backward<Activation>;
      result = backward(
          grad, saved.input_or_output, saved.masks, saved.parameters, kind_, dim_, saved.wanted);
    }
    const auto& [weight, bias, number] = result.parameters;
    return {result.input, weight.pos, weight.neg, bias};
  }

 private:
  using Node = LinkedNode<Activation>;

  ParameterShape kind_ = ParameterShape::one;
  std::int64_t dim_ = 0;
  bool keeps_input_ = false;
  MaskLayout mask_layout_ = {};
  at::DimVector strides_;
};

/// Whether LibTorch's operators would make nodes here: not in an operator that autograd has already
/// seen, to which the thread belongs.
inline bool is_recording() {
  return at::GradMode::is_enabled() &&
         !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradFunctionality);
}

/// The linked layer: checks its arguments, and records for backward only what somebody will
/// differentiate.
template <class Activation>
at::Tensor linked(
    const at::Tensor& input,
    const Parameters& parameters,
    std::int64_t dim,
    Keep keep = Keep::saved) {
  dim = check_input(Activation::name, input, dim);
  const auto& [weight, bias, number] = parameters;
  ParameterShape kind = ParameterShape::one;
  if constexpr (Activation::has_weight) {
    kind = check_weight(Activation::name, weight, input, dim);
  }
  check_bias(Activation::name, bias, input, dim);
  check_number<Activation>(number);
  bool differentiated = false;
  bool composes = is_intercepted();
  bool is_named = false;
  for (const at::Tensor* tensor : {&input, &weight.pos, &weight.neg, &bias}) {
    if (tensor->defined()) {
      differentiated |= tensor->requires_grad();
      composes |= is_transformed(*tensor) || is_subclass(*tensor);
      is_named |= has_names(*tensor);
    }
  }
  if (is_named) {
    at::Tensor output = linked<Activation>(
        without_names(input),
        {{without_names(weight.pos), without_names(weight.neg)}, without_names(bias), number},
        dim,
        keep);
    set_names_of(output, input);
    return output;
  }
  if (composes) {
    return composed::forward<Activation>(input, parameters, kind, dim);
  }
  if (differentiated && is_recording()) {
    return LinkedBackward<Activation>::record(input, parameters, kind, dim, keep);
  }
  return run_forward<Activation>(
             backend_for<Activation>(input, parameters), input, parameters, kind, dim, false)
      .output;
}

} // namespace linked_neurons::detail
