/// \file
/// The node of LibTorch's graph for a layer that is operators of its dispatcher.
#pragma once

#include <linked_neurons/detail/autograd.h>
#include <linked_neurons/torch_ops/operators.h>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/dynamo/compiled_autograd.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace linked_neurons::detail {

/// The node of a layer that is made of operators: forward and backward call the kernels through the
/// dispatcher, so tracing, export and compiled autograd record them.
template <class A>
class OperatorBackward : public LinkedNode<A> {
 public:
  using typename LinkedNode<A>::Tensors;

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
    node->dim_ = dim;
    node->output_strides_ = output.sym_strides().vec();
    // The backward operator computes the gradients of those arguments that it is given: of the
    // weights if it is given the output, of the bias if it is given the bias.
    if (keep_output || saves_output<A>(node->wants_weight_gradients())) {
      node->save(Node::kInputOrOutput, output, true);
    }
    node->save(Node::kMasks, masks);
    const bool wants_bias = node->should_compute_output(Node::kBiasEdge);
    node->save({parameters.weight, wants_bias ? parameters.bias : Tensor()});
    return output;
  }

  // For compiled autograd (torch/csrc/dynamo/compiled_autograd.h says how), which collects what a
  // node holds, puts symbols in its place, and asks for a function of these.

  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    args.collect(this->name());
    for (std::size_t i = 0; i < this->saved_.size(); ++i) {
      args.collect(this->saved_[i], i == Node::kInputOrOutput);
    }
    args.collect(output_strides_);
    args.collect(dim_);
  }

  Tensors apply_with_saved(
      const Tensors& grads, torch::dynamo::autograd::SwapSavedVariables& swap) override {
    namespace compiled = torch::dynamo::autograd;
    using Edges = std::vector<std::optional<torch::autograd::InputMetadata>>;
    for (auto& each : this->saved_) {
      swap.before(each);
    }
    swap.before(output_strides_);
    compiled::PackedArgs packed;
    packed.pack(this->saved_variables());
    packed.pack(output_strides_);
    packed.pack(dim_);
    const auto& args = packed.vec();
    std::vector<at::TypePtr> types;
    types.reserve(args.size());
    for (const auto& each : args) {
      types.push_back(each.type());
    }
    const auto& compiler = compiled::getPyCompilerInterface();
    const auto function = compiler->bind_function(
        swap.get_py_compiler(),
        this->name(),
        run_packed,
        types,
        /*is_custom_function=*/true,
        /*is_traceable=*/true);
    auto result = compiler->call_function(
        swap.get_py_compiler(),
        "apply_functional",
        function,
        grads,
        args,
        compiled::IValuePacker<Edges>::pack(compiled::get_input_metadata(this->next_edges())));
    for (auto& each : this->saved_) {
      swap.after(each);
    }
    swap.after(output_strides_);
    return result;
  }

 protected:
  Tensors apply(Tensors&& grads) override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    return run(grads, this->saved_variables(), output_strides_, dim_);
  }

 private:
  using Node = LinkedNode<A>;

  static Tensors run_packed(const Tensors& grads, const std::vector<at::IValue>& args) {
    torch::dynamo::autograd::PackedArgs packed(args);
    const auto saved = packed.unpack<Tensors>();
    const auto output_strides = packed.unpack<std::vector<c10::SymInt>>();
    return run(grads, saved, output_strides, packed.unpack<std::int64_t>());
  }

  /// The gradients, in the order of the edges.
  static Tensors run(
      const Tensors& grads,
      const Tensors& saved,
      c10::SymIntArrayRef output_strides,
      std::int64_t dim) {
    const Tensor& grad = grads[0];
    if (!grad.defined()) {
      return Tensors(Node::kEdges);
    }
    const Tensor& output = saved[Node::kInputOrOutput];
    const Tensor& masks = saved[Node::kMasks];
    const Parameters parameters{{saved[Node::kPos], saved[Node::kNeg]}, saved[Node::kBias]};
    // Where somebody differentiates the gradients once more, they are LibTorch's own operators.
    const bool is_differentiable = at::GradMode::is_enabled() || is_transformed(grad);
    const auto from =
        is_differentiable
            ? Operators<A>::template gradients<true>(
                  grad, output, masks, parameters, C10_AS_INTARRAYREF_SLOW(output_strides), dim)
            : Operators<A>::call_backward(grad, output, masks, parameters, output_strides, dim);
    const auto& [weight, bias, number] = from.parameters;
    const auto wanted = [](const Tensor& parameter, const Tensor& gradient) {
      return parameter.defined() ? gradient : Tensor();
    };
    return {
        from.input,
        wanted(output, weight.pos),
        wanted(output, weight.neg),
        wanted(parameters.bias, bias)};
  }

  std::int64_t dim_ = 0;
  std::vector<c10::SymInt> output_strides_;
};

} // namespace linked_neurons::detail
