/// \file
/// A linked activation and the layer behind it as one node of LibTorch's graph, which keeps z.
///
/// A convolution keeps its input for the gradient of its weight. Behind a linked activation that is
/// the pair, of 2C channels. Here backward computes the pair anew of z, of C channels.
#pragma once

#include <linked_neurons/detail/autograd.h>
#include <linked_neurons/detail/layer_behind.h>

#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>

namespace linked_neurons::detail {

/// What a joint layer is called with, checked.
struct JointArguments {
  at::Tensor input; ///< z
  Parameters parameters;
  ParameterShape kind;
  std::int64_t dim;
  std::shared_ptr<const LayerBehind> layer;
  at::Tensor weight, bias; ///< of the layer
};

/// The pair in the type of the layer's weight, which under autocast is another one.
inline at::Tensor as_weight(const at::Tensor& pair, const at::Tensor& weight) {
  return pair.scalar_type() == at::kDouble ? pair : pair.to(weight.scalar_type());
}

template <class Activation>
at::Tensor run_joint(const JointArguments& args) {
  const at::Tensor pair = run_forward<Activation>(
                              backend_for<Activation>(args.input, args.parameters),
                              args.input,
                              args.parameters,
                              args.kind,
                              args.dim,
                              false)
                              .output;
  return args.layer->forward(as_weight(pair, args.weight), args.weight, args.bias);
}

/// The node of a joint layer.
template <class Activation>
class JointBackward : public SavingNode<5> {
 public:
  std::string name() const override {
    std::string name = "LinkedBackward<";
    name += Activation::name;
    name += layer_->suffix();
    name += '>';
    return name;
  }

  /// Runs forward, and makes a new node the output's `grad_fn`.
  static at::Tensor record(const JointArguments& args) {
    const auto node = make_node<JointBackward>();
    const auto& [weight, bias, number] = args.parameters;
    node->set_next_edges(torch::autograd::collect_next_edges(
        args.input, weight.pos, weight.neg, bias, args.weight, args.bias));
    at::Tensor output;
    {
      const at::AutoGradMode no_grad(false);
      output = run_joint<Activation>(args);
    }
    set_history(output, node);
    node->layer_ = args.layer;
    node->kind_ = args.kind;
    node->dim_ = args.dim;
    node->save(kInput, args.input);
    node->save(kPos, weight.pos);
    node->save(kNeg, weight.neg);
    node->save(kInputBias, bias);
    node->save(kWeight, args.weight);
    node->number_ = number;
    return output;
  }

 protected:
  Tensors apply(Tensors&& grads) override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    const at::Tensor grad = std::move(grads[0]);
    if (!grad.defined()) {
      return Tensors(kEdges);
    }
    auto variables = this->saved_variables();
    const JointArguments args{
        std::move(variables[kInput]),
        {{std::move(variables[kPos]), std::move(variables[kNeg])},
         std::move(variables[kInputBias]),
         number_},
        kind_,
        dim_,
        layer_,
        std::move(variables[kWeight]),
        {}};
    const auto wants = [&](EdgeIndex edge) { return this->task_should_compute_output(edge); };
    const bool wants_slopes = wants(kPosEdge) || wants(kNegEdge);
    const auto* const backend = backend_for<Activation>(args.input, args.parameters);
    const bool composes = backend == nullptr || at::GradMode::is_enabled() || is_transformed(grad);
    at::Tensor grad_weight;
    at::Tensor grad_bias;
    at::Tensor like; // the pair; on the composed path, which may be differentiated, itself
    if (wants(kWeightEdge) || composes) {
      const at::Tensor pair =
          as_weight(linked<Activation>(args.input, args.parameters, dim_), args.weight);
      std::tie(grad_weight, grad_bias) =
          layer_->weight_gradient(grad, pair, args.weight, wants(kBiasEdge));
      like = composes ? pair : without_memory(pair.sizes(), pair.strides(), pair.options());
    } else if (wants(kBiasEdge)) {
      grad_bias = layer_->bias_gradient(grad);
    }
    composed::Gradients from;
    if (wants(kInputEdge) || wants_slopes || wants(kInputBiasEdge)) {
      const SavedForBackward saved{
          args.input,
          /*is_input=*/true,
          {},
          {},
          args.parameters,
          kind_,
          dim_,
          {wants_slopes, wants(kInputBiasEdge)}};
      from = composes ? activation_gradients(grad, like, saved, args.weight)
                      : activation_gradients(grad, like, saved, args.weight, *backend);
    }
    const auto& [weight, bias, number] = from.parameters;
    return {from.input, weight.pos, weight.neg, bias, grad_weight, grad_bias};
  }

 private:
  enum SavedIndex { kInput, kPos, kNeg, kInputBias, kWeight };
  enum EdgeIndex { kInputEdge, kPosEdge, kNegEdge, kInputBiasEdge, kWeightEdge, kBiasEdge, kEdges };

  composed::Gradients activation_gradients(
      const at::Tensor& grad,
      const at::Tensor& like,
      const SavedForBackward& saved,
      const at::Tensor& weight) const {
    const at::Tensor& z = saved.input_or_output;
    return composed::backward<FromInput<Activation>>(
        layer_->input_gradient(grad, like, weight).to(z.scalar_type()),
        z,
        {},
        saved.parameters,
        kind_,
        dim_,
        saved.wanted);
  }

  /// \param like undefined where nobody needed the pair.
  composed::Gradients activation_gradients(
      const at::Tensor& grad,
      at::Tensor like,
      const SavedForBackward& saved,
      const at::Tensor& weight,
      const Backend& backend) const {
    const at::Tensor z = dense(saved.input_or_output);
    const Layout layout = layout_of(z, dim_);
    if (!like.defined()) {
      like = without_memory(layout.output_sizes, layout.output_strides, weight.options());
    }
    const at::Tensor grad_pair = layer_->input_gradient(grad, like, weight).to(z.scalar_type());
    return run_backward<Activation>(backend, grad_pair, saved, layout);
  }

  std::shared_ptr<const LayerBehind> layer_;
  ParameterShape kind_ = ParameterShape::one;
  std::int64_t dim_ = 0;
  double number_ = 0;
};

/// Casts a tensor as autocast does for LibTorch's own convolutions; without autocast, gives it
/// back.
inline at::Tensor autocast(const at::Tensor& tensor) {
  const auto enabled =
      c10::autocast_dispatch_keyset - c10::impl::tls_local_dispatch_key_set().excluded_;
  if (enabled.empty() || !tensor.defined() || tensor.is_meta()) {
    return tensor;
  }
  const auto device = tensor.device().type();
  if (!enabled.has(at::autocast::get_autocast_dispatch_key_from_device_type(device)) ||
      !at::autocast::is_eligible(tensor, device)) {
    return tensor;
  }
  const auto type = at::autocast::get_lower_precision_fp_from_device_type(device);
  return at::autocast::cached_cast(type, tensor, device);
}

/// The joint layer: checks its arguments, and records for backward only what somebody will
/// differentiate.
/// \param input with a batch axis, if the layer is a convolution.
/// \param dim where the activation has its channels; elsewhere than the layer has them, the two
/// are computed one after the other.
template <class Activation>
at::Tensor joint(
    const at::Tensor& input,
    const Parameters& parameters,
    const std::shared_ptr<const LayerBehind>& layer,
    const at::Tensor& weight,
    const at::Tensor& bias,
    std::int64_t dim) {
  const std::string name = std::string(Activation::name).append(layer->suffix());
  JointArguments args{
      input, parameters, ParameterShape::one, dim, layer, autocast(weight), autocast(bias)};
  args.dim = check_input(name.c_str(), input, dim);
  const auto& [slopes, input_bias, number] = parameters;
  if constexpr (Activation::has_weight) {
    args.kind = check_weight(name.c_str(), slopes, input, args.dim);
  }
  check_bias(name.c_str(), input_bias, input, args.dim);
  check_number<Activation>(number);
  TORCH_CHECK(weight.defined(), name, ": expected weight to be a tensor, got an undefined one");
  const bool is_axis_of_layer = args.dim == layer->channel_axis(input.dim());
  TORCH_CHECK(
      weight.dim() == layer->weight_axes() &&
          (!is_axis_of_layer || layer->in_channels(weight) == 2 * input.size(args.dim)),
      name,
      ": expected a weight of ",
      layer->weight_axes(),
      " axes for ",
      2 * input.size(args.dim),
      " channels (twice those of the input), got one of shape ",
      weight.sizes());
  bool differentiated = false;
  bool composes = is_intercepted() || !is_axis_of_layer;
  for (const at::Tensor* tensor : {&input, &slopes.pos, &slopes.neg, &input_bias, &weight, &bias}) {
    if (tensor->defined()) {
      differentiated |= tensor->requires_grad();
      composes |= is_transformed(*tensor) || is_subclass(*tensor) || has_names(*tensor);
    }
  }
  if (composes) {
    const at::Tensor pair = linked<Activation>(input, parameters, args.dim);
    return layer->forward(as_weight(pair, args.weight), args.weight, args.bias);
  }
  return differentiated && is_recording() ? JointBackward<Activation>::record(args)
                                          : run_joint<Activation>(args);
}

} // namespace linked_neurons::detail
