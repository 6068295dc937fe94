/// \file
/// One autograd function for all activations: what is saved, backward, double backward.
#pragma once

#include <linked_neurons/detail/composed.h>
#include <linked_neurons/detail/cpu.h>
#include <linked_neurons/detail/cuda.h>
#include <linked_neurons/detail/layout.h>
#include <linked_neurons/detail/parameter_view.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Whether a tensor is what it seems: memory that a kernel may read. Wrappers of functorch's
/// transforms, subclasses, and tensors whose negation or zeros are only promised are not.
inline bool is_plain(const at::Tensor& tensor) {
  using c10::DispatchKey;
  constexpr c10::DispatchKeySet kOthers{
      DispatchKey::Python,
      DispatchKey::Functionalize,
      DispatchKey::Batched,
      DispatchKey::FuncTorchBatched,
      DispatchKey::FuncTorchGradWrapper,
      DispatchKey::Negative,
      DispatchKey::ZeroTensor};
  return !tensor.defined() || !tensor.unsafeGetTensorImpl()->key_set().has_any(kOthers);
}

/// The kernels for an input, or null for the composed path.
template <class Activation>
const Backend* backend_for(const at::Tensor& input, const Parameters& parameters) {
  if (input.is_meta() && is_plain(input)) {
    return &kShapesOnly;
  }
  if (input.numel() == 0 || !is_plain(input) || !is_plain(parameters.weight.pos) ||
      !is_plain(parameters.weight.neg) || !is_plain(parameters.bias)) {
    return nullptr;
  }
  if (input.is_cpu()) {
    return &cpu::backend<Activation>;
  }
  if (input.is_cuda()) {
    if (cuda::backend<Activation> == nullptr) {
      TORCH_WARN_ONCE(
          Activation::name,
          ": this program has no CUDA kernels for this activation; it takes LibTorch's operators, "
          "one after another, which is slower");
    }
    return cuda::backend<Activation>;
  }
  return nullptr;
}

/// Puts the parameters into a task as kernels read them.
template <class Activation, class Task>
void read_parameters(const Parameters& parameters, Slopes kind, const Layout& layout, Task& task) {
  if constexpr (Activation::has_weight) {
    const ParameterView view(kind, layout);
    task.weight = {view.read(parameters.weight.pos), view.read(parameters.weight.neg)};
    task.weight_index = view.index();
  }
  if (parameters.bias.defined()) {
    const ParameterView view(Slopes::per_channel, layout);
    task.bias = view.read(parameters.bias);
    task.bias_index = view.index();
  }
}

/// A forward pass: the output, and what backward needs to know of it.
struct Forwarded {
  at::Tensor output;
  at::DimVector strides; ///< of the dense input that the kernels read; empty on the composed path
  at::Tensor signs;      ///< if the activation keeps them
  SignLayout sign_layout = {0, 0}; ///< no lanes: booleans, as composed::signs gives them
};

/// \param backend the kernels, or null for the composed path.
/// \param kind of the slopes; meaningless for an activation without.
template <class Activation>
Forwarded run_forward(
    const Backend* backend,
    const at::Tensor& input,
    const Parameters& parameters,
    Slopes kind,
    std::int64_t dim,
    bool keep_signs) {
  Forwarded result;
  if (backend == nullptr) {
    result.output = composed::forward<Activation>(input, parameters, kind, dim);
    if constexpr (Activation::saved == Saved::signs) {
      if (keep_signs) {
        result.signs = composed::signs<Activation>(input, parameters.bias, dim);
      }
    }
    return result;
  }
  ForwardTask task;
  task.input = dense(input);
  const Layout layout = layout_of(task.input, dim);
  task.output = layout.empty_output(input.options());
  task.row = layout.row();
  if (Activation::saved == Saved::signs && keep_signs) {
    result.sign_layout = backend->sign_layout(input.scalar_type());
    task.signs = at::empty({sign_bytes(layout.numel)}, input.options().dtype(at::kByte));
  }
  read_parameters<Activation>(parameters, kind, layout, task);
  backend->forward(task);
  result.output = std::move(task.output);
  result.strides = layout.strides;
  result.signs = std::move(task.signs);
  return result;
}

/// A gradient as the kernels read it: laid out as the output was, or a single element.
struct ReadableGradient {
  at::Tensor tensor;
  bool is_uniform;
};

inline ReadableGradient readable(const at::Tensor& grad, const Layout& layout) {
  if (same_strides(layout.output_sizes, grad.strides(), layout.output_strides)) {
    return {grad, false};
  }
  // Expanded from one number, as by sum() and mean(): kernels need not see it materialised.
  const at::DimVector zeros(grad.dim(), 0);
  if (same_strides(grad.sizes(), grad.strides(), zeros)) {
    return {grad, true};
  }
  return {layout.empty_output(grad.options()).copy_(grad), false};
}

inline Wanted wanted_gradients(const Parameters& parameters) {
  const auto wanted = [](const at::Tensor& tensor) {
    return tensor.defined() && tensor.requires_grad();
  };
  return {wanted(parameters.weight.pos) || wanted(parameters.weight.neg), wanted(parameters.bias)};
}

/// What forward left for backward.
struct Saves {
  at::Tensor kept; ///< the input, the output, or undefined
  at::Tensor signs;
  SignLayout sign_layout;
  Parameters parameters;
  Slopes kind;
  std::int64_t dim;
  Wanted wanted;
};

template <class Activation>
composed::Gradients run_backward(
    const Backend& backend, const at::Tensor& grad, const Saves& saves, const Layout& layout) {
  const auto readable_grad = readable(grad, layout);
  BackwardTask task;
  task.grad = readable_grad.tensor;
  task.grad_is_uniform = readable_grad.is_uniform;
  task.kept = Activation::saved == Saved::input ? dense(saves.kept) : saves.kept;
  task.signs = saves.signs;
  task.grad_input = layout.empty_input(grad.options());
  task.row = layout.row();
  read_parameters<Activation>(saves.parameters, saves.kind, layout, task);
  const auto& weight = saves.parameters.weight;
  const auto& bias = saves.parameters.bias;
  if (saves.wanted.weight) {
    task.grad_weight = at::empty({2, task.weight_index.count}, task.weight.pos.options());
  }
  if (saves.wanted.bias) {
    task.grad_bias = at::empty({task.bias_index.count}, task.bias.options());
  }
  backend.backward(task);
  composed::Gradients result;
  result.input = std::move(task.grad_input);
  if (saves.wanted.weight) {
    const ParameterView view(saves.kind, layout);
    result.parameters.weight = {
        view.gradient(task.grad_weight.select(0, 0), weight.pos),
        view.gradient(task.grad_weight.select(0, 1), weight.neg)};
  }
  if (saves.wanted.bias) {
    result.parameters.bias = task.grad_bias.to(bias.scalar_type());
  }
  return result;
}

template <class Activation>
struct LinkedFunction : torch::autograd::Function<LinkedFunction<Activation>> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  /// \param tensors those of `Parameters` that there are: an autograd function takes no undefined
  /// ones.
  template <class... Tensor>
  static at::Tensor forward(
      Context* context,
      const at::Tensor& input,
      std::int64_t dim,
      std::int64_t kind,
      const Tensor&... tensors) {
    const Parameters parameters = parameters_of(tensors...);
    const auto& [weight, bias] = parameters;
    const Wanted wanted = wanted_gradients(parameters);
    const auto result = run_forward<Activation>(
        backend_for<Activation>(input, parameters), input, parameters, Slopes(kind), dim, true);
    at::Tensor kept;
    if (Activation::saved == Saved::input) {
      kept = input;
    } else if (keeps_output<Activation>(wanted.weight)) {
      kept = result.output;
    }
    context->save_for_backward({kept, result.signs, weight.pos, weight.neg, bias});
    auto& data = context->saved_data;
    data["dim"] = dim;
    data["kind"] = kind;
    data["sign_lanes"] = result.sign_layout.lanes;
    data["signs_each"] = result.sign_layout.each;
    data["weight_gradients"] = wanted.weight;
    data["bias_gradient"] = wanted.bias;
    data["strides"] = at::IntArrayRef(result.strides);
    return result.output;
  }

  static Tensors backward(Context* context, const Tensors& grads) {
    const auto saved = context->get_saved_variables();
    auto& data = context->saved_data;
    Saves saves{
        saved[0],
        saved[1],
        {static_cast<int>(data["sign_lanes"].toInt()),
         static_cast<int>(data["signs_each"].toInt())},
        {{saved[2], saved[3]}, saved[4]},
        Slopes(data["kind"].toInt()),
        data["dim"].toInt(),
        {data["weight_gradients"].toBool(), data["bias_gradient"].toBool()}};
    const at::Tensor& grad = grads[0];
    at::DimVector sizes(grad.sizes().begin(), grad.sizes().end());
    sizes[saves.dim] /= 2;
    const auto strides = data["strides"].toIntVector();
    composed::Gradients result;
    const Backend* backend = backend_for<Activation>(grad, saves.parameters);
    // What the composed path left no kernel reads.
    if (backend != nullptr && !strides.empty() && !at::GradMode::is_enabled()) {
      result =
          run_backward<Activation>(*backend, grad, saves, layout_of(sizes, strides, saves.dim));
    } else {
      if (saves.sign_layout.lanes != 0) {
        saves.signs = composed::unpack_signs(saves.signs, saves.sign_layout, sizes, strides);
      }
      result = composed::backward<Activation>(
          grad, saves.kept, saves.signs, saves.parameters, saves.kind, saves.dim, saves.wanted);
    }
    Tensors gradients{result.input, {}, {}};
    const auto& [weight, bias] = result.parameters;
    if constexpr (Activation::has_weight) {
      gradients.insert(gradients.end(), {weight.pos, weight.neg});
    }
    if (saves.parameters.bias.defined()) {
      gradients.push_back(bias);
    }
    return gradients;
  }
};

/// The linked layer: checks its arguments, and records for backward only what somebody will
/// differentiate.
template <class Activation>
at::Tensor linked(const at::Tensor& input, const Parameters& parameters, std::int64_t dim) {
  dim = check_input(Activation::name, input, dim);
  const auto& [weight, bias] = parameters;
  Slopes kind = Slopes::one;
  if constexpr (Activation::has_weight) {
    kind = check_weight(Activation::name, weight, input, dim);
  }
  check_bias(Activation::name, bias, input, dim);
  bool differentiated = false;
  bool forward_mode = false;
  for (const at::Tensor* tensor : {&input, &weight.pos, &weight.neg, &bias}) {
    if (tensor->defined()) {
      differentiated |= tensor->requires_grad();
      forward_mode |= tensor->_fw_grad(0).defined();
    }
  }
  TORCH_CHECK(
      !forward_mode,
      Activation::name,
      ": expected no tangents, got some: forward-mode differentiation is not supported");
  // Grad mode is off inside a function's forward, so this is the place to ask.
  if (at::GradMode::is_enabled() && differentiated) {
    const auto apply = [&](const auto&... tensors) {
      return LinkedFunction<Activation>::apply(
          input, dim, static_cast<std::int64_t>(kind), tensors...);
    };
    if constexpr (Activation::has_weight) {
      return bias.defined() ? apply(weight.pos, weight.neg, bias) : apply(weight.pos, weight.neg);
    } else {
      return bias.defined() ? apply(bias) : apply();
    }
  }
  return run_forward<Activation>(
             backend_for<Activation>(input, parameters), input, parameters, kind, dim, false)
      .output;
}

} // namespace linked_neurons::detail
