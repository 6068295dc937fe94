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
  const auto type = pair.scalar_type();
  return type == at::kDouble || type == weight.scalar_type() ? pair : pair.to(weight.scalar_type());
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

/// Which gradients of a joint layer somebody asks for.
struct JointWanted {
  bool input, slopes, input_bias; ///< of the activation
  bool weight, bias;              ///< of the layer behind
};

/// The gradients of a joint layer; undefined where nobody asked for them.
struct JointGradients {
  composed::Gradients activation;
  at::Tensor weight, bias;
};

/// With respect to the layer behind, of the pair.
inline JointGradients layer_gradients(
    const at::Tensor& grad,
    const at::Tensor& pair,
    const JointArguments& args,
    const JointWanted& wanted) {
  JointGradients result;
  if (wanted.weight) {
    std::tie(result.weight, result.bias) =
        args.layer->weight_gradient(grad, pair, args.weight, wanted.bias);
  } else if (wanted.bias) {
    result.bias = args.layer->bias_gradient(grad);
  }
  return result;
}

inline bool wants_activation(const JointWanted& wanted) {
  return wanted.input || wanted.slopes || wanted.input_bias;
}

/// By the kernels. Where the weight's gradient needs the pair, it is computed anew, and freed
/// before the activation's backward.
template <class Activation>
JointGradients joint_gradients(
    const Backend& backend,
    const at::Tensor& grad,
    const JointArguments& args,
    const JointWanted& wanted) {
  const at::Tensor z = dense(args.input);
  const Layout layout = layout_of(z, args.dim);
  at::Tensor pair;
  if (wanted.weight) {
    pair = as_weight(
        run_forward<Activation>(&backend, z, args.parameters, args.kind, args.dim, false).output,
        args.weight);
  }
  auto result = layer_gradients(grad, pair, args, wanted);
  pair.reset();
  if (wants_activation(wanted)) {
    const at::Tensor like =
        without_memory(layout.output_sizes, layout.output_strides, args.weight.options());
    const SavedForBackward saved{
        z,
        /*is_input=*/true,
        {},
        {},
        args.parameters,
        args.kind,
        args.dim,
        {wanted.slopes, wanted.input_bias}};
    result.activation = run_backward<Activation>(
        backend,
        args.layer->input_gradient(grad, like, args.weight).to(z.scalar_type()),
        saved,
        layout);
  }
  return result;
}

/// By LibTorch's operators, which can be differentiated once more.
/// \param pair computed anew.
template <class Activation>
JointGradients composed_gradients(
    const at::Tensor& grad,
    const at::Tensor& pair,
    const JointArguments& args,
    const JointWanted& wanted) {
  auto result = layer_gradients(grad, pair, args, wanted);
  if (wants_activation(wanted)) {
    const at::Tensor& z = args.input;
    result.activation = composed::backward<FromInput<Activation>>(
        args.layer->input_gradient(grad, pair, args.weight).to(z.scalar_type()),
        z,
        {},
        args.parameters,
        args.kind,
        args.dim,
        {wanted.slopes, wanted.input_bias});
  }
  return result;
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
    const JointWanted wanted{
        wants(kInputEdge),
        wants(kPosEdge) || wants(kNegEdge),
        wants(kInputBiasEdge),
        wants(kWeightEdge),
        wants(kBiasEdge)};
    const auto* const backend = backend_for<Activation>(args.input, args.parameters);
    JointGradients result;
    if (backend == nullptr || at::GradMode::is_enabled() || is_transformed(grad)) {
      const at::Tensor pair =
          as_weight(linked<Activation>(args.input, args.parameters, dim_), args.weight);
      result = composed_gradients<Activation>(grad, pair, args, wanted);
    } else {
      result = joint_gradients<Activation>(*backend, grad, args, wanted);
    }
    const auto& [slopes, input_bias, number] = result.activation.parameters;
    return {
        result.activation.input, slopes.pos, slopes.neg, input_bias, result.weight, result.bias};
  }

 private:
  enum SavedIndex { kInput, kPos, kNeg, kInputBias, kWeight };
  enum EdgeIndex { kInputEdge, kPosEdge, kNegEdge, kInputBiasEdge, kWeightEdge, kBiasEdge, kEdges };

  std::shared_ptr<const LayerBehind> layer_;
  ParameterShape kind_ = ParameterShape::one;
  std::int64_t dim_ = 0;
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

/// \throws c10::Error if the weight of the layer behind does not fit.
/// \param channels of the input.
inline void check_weight_behind(
    const std::string& name,
    const at::Tensor& weight,
    bool fits,
    std::int64_t axes,
    const c10::SymInt& channels) {
  TORCH_CHECK(
      fits,
      name,
      ": expected a weight of ",
      axes,
      " axes for ",
      channels * 2,
      " channels (twice those of the input), got one of shape ",
      weight.sym_sizes());
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
  const bool fits = weight.dim() == layer->weight_axes() &&
                    (!is_axis_of_layer || layer->in_channels(weight) == 2 * input.size(args.dim));
  check_weight_behind(name, weight, fits, layer->weight_axes(), input.sym_size(args.dim));
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
