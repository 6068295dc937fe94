/// \file
/// A pass of a layer: which kernels take it, what they are given, what forward leaves for backward.
#pragma once

#include <linked_neurons/cpu/backend.h>
#include <linked_neurons/cuda/backend.h>
#include <linked_neurons/detail/composed.h>
#include <linked_neurons/detail/layout.h>
#include <linked_neurons/detail/parameter_view.h>

#include <ATen/ops/empty.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Whether a kernel may read a tensor's memory as it is. It may not for wrappers of functorch's
/// transforms, Python subclasses, and tensors that LibTorch negates, or fills with zeros, only when
/// they are read.
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

/// Whether a tensor is differentiated in a way that LibTorch's operators know and kernels do not:
/// in forward mode, for which it carries a tangent, or by functorch, in a graph of levels.
inline bool is_transformed(const at::Tensor& tensor) {
  return tensor.defined() &&
         (tensor.unsafeGetTensorImpl()->key_set().has(c10::DispatchKey::FuncTorchGradWrapper) ||
          tensor._fw_grad(/*level=*/0).defined());
}

/// Whether something in this thread is given LibTorch's operators before their kernels are,
/// whatever the tensors: a tracer, a mode of Python's, a transform of functorch. It has to be given
/// the layer's too, and no kernel of ours is one of them.
inline bool is_intercepted() {
  const auto included = c10::impl::tls_local_dispatch_key_set().included_;
  return !(included - c10::default_included_set).empty();
}

/// The kernels for an input, or null for the composed path.
template <class Activation>
const Backend* backend_for(const at::Tensor& input, const Parameters& parameters) {
  if (is_intercepted()) {
    return nullptr;
  }
  if (input.is_meta() && is_plain(input)) {
    return &kShapesOnly;
  }
  if (!is_plain(input) || input.numel() == 0 || !is_plain(parameters.weight.pos) ||
      !is_plain(parameters.weight.neg) || !is_plain(parameters.bias)) {
    return nullptr;
  }
  if (input.is_cpu()) {
    return cpu::backend_here<Activation>();
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

/// The memory of a tensor, or null where it is undefined.
inline void* address(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr() : nullptr;
}

/// Points `args` to the parameters as kernels read them: to tensors that the caller keeps for as
/// long.
template <class Activation, class Arguments>
[[nodiscard]] Parameters read_parameters(
    const Parameters& parameters, ParameterShape kind, const Layout& layout, Arguments& args) {
  Parameters read;
  args.number = parameters.number;
  if constexpr (Activation::has_weight) {
    const ParameterView view(kind, layout);
    read.weight = {view.read(parameters.weight.pos), view.read(parameters.weight.neg)};
    args.weight = {{address(read.weight.pos), address(read.weight.neg)}, view.index()};
  }
  if (parameters.bias.defined()) {
    const ParameterView view(ParameterShape::per_channel, layout);
    read.bias = view.read(parameters.bias);
    args.bias = {address(read.bias), view.index()};
  }
  return read;
}

/// A forward pass: the output, and what backward needs to know of it.
struct ForwardResult {
  at::Tensor output;
  at::DimVector strides; ///< of the dense input that the kernels read; empty on the composed path
  at::Tensor masks;      ///< undefined where none were saved
  MaskLayout mask_layout = {0, 0}; ///< no lanes: booleans, as composed::masks gives them
};

/// \param backend the kernels, or null for the composed path.
/// \param kind of the weights; meaningless for an activation without.
template <class Activation>
ForwardResult run_forward(
    const Backend* backend,
    const at::Tensor& input,
    const Parameters& parameters,
    ParameterShape kind,
    std::int64_t dim,
    bool keep_masks) {
  ForwardResult result;
  if (backend == nullptr) {
    result.output = composed::forward<Activation>(input, parameters, kind, dim);
    if constexpr (Activation::saved == Saved::masks) {
      if (keep_masks) {
        result.masks = composed::masks<Activation>(input, parameters.bias, dim);
      }
    }
    return result;
  }
  const at::Tensor dense_input = dense(input);
  const Layout layout = layout_of(dense_input, dim);
  result.output = layout.empty_output(input.options());
  result.strides = layout.strides;
  if (Activation::saved == Saved::masks && keep_masks) {
    result.mask_layout = backend->mask_layout(input.scalar_type());
    result.masks = at::empty({mask_bytes(layout.numel)}, input.options().dtype(at::kByte));
  }
  ForwardArguments args = {};
  args.input = address(dense_input);
  args.output = address(result.output);
  args.masks = static_cast<std::uint8_t*>(address(result.masks));
  args.numel = layout.numel;
  args.row = layout.row();
  const Parameters read = read_parameters<Activation>(parameters, kind, layout, args);
  backend->forward(args, input.scalar_type(), input.device());
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
  const at::DimVector zeros(as_index(grad.dim()), 0);
  if (same_strides(grad.sizes(), grad.strides(), zeros)) {
    return {grad, true};
  }
  return {layout.empty_output(grad.options()).copy_(grad), false};
}

/// What a layer keeps for backward: what its activation saves, or what an option says instead.
enum class Keep { saved, output, input };

/// From the options of a layer.
inline Keep keep_of(const char* name, bool keep_output, bool keep_input) {
  TORCH_CHECK(
      !keep_output || !keep_input,
      name,
      ": expected keep_output or keep_input to be true, got both");
  return keep_input ? Keep::input : keep_output ? Keep::output : Keep::saved;
}

/// The same of one activation: which values are kept.
template <class Activation>
class Kept {
 public:
  explicit Kept(Keep keep)
      : input_(Activation::saved == Saved::input || keep == Keep::input),
        output_for_masks_(keep == Keep::output && Activation::output_tells_masks) {}

  bool input() const {
    return input_;
  }
  /// The masks, of an activation that has some.
  bool masks() const {
    return !input_ && !output_for_masks_;
  }
  bool output(bool wants_weight_gradients) const {
    return !input_ && (output_for_masks_ || saves_output<Activation>(wants_weight_gradients));
  }

 private:
  bool input_;
  bool output_for_masks_;
};

/// What forward left for backward.
struct SavedForBackward {
  at::Tensor input_or_output; ///< the input, the output, or undefined
  bool is_input;              ///< which of the two
  at::Tensor masks;
  MaskLayout mask_layout;
  Parameters parameters;
  ParameterShape kind;
  std::int64_t dim;
  Wanted wanted;
};

template <class Activation>
composed::Gradients run_backward(
    const Backend& backend,
    const at::Tensor& grad,
    const SavedForBackward& saved,
    const Layout& layout) {
  const auto readable_grad = readable(grad, layout);
  const at::Tensor input_or_output =
      saved.is_input ? dense(saved.input_or_output) : saved.input_or_output;
  composed::Gradients result;
  result.input = layout.empty_input(grad.options());
  BackwardArguments args = {};
  args.grad = address(readable_grad.tensor);
  args.grad_is_uniform = readable_grad.is_uniform;
  args.input_or_output = address(input_or_output);
  args.masks = static_cast<const std::uint8_t*>(address(saved.masks));
  args.grad_input = address(result.input);
  args.numel = layout.numel;
  args.row = layout.row();
  const Parameters read = read_parameters<Activation>(saved.parameters, saved.kind, layout, args);
  const auto& weight = saved.parameters.weight;
  const auto& bias = saved.parameters.bias;
  const ParameterView weight_view(saved.kind, layout);
  const ParameterView bias_view(ParameterShape::per_channel, layout);
  Parameters sums;
  if (saved.wanted.weight) {
    sums.weight = {weight_view.empty_sums(weight.pos), weight_view.empty_sums(weight.neg)};
    args.grad_weight = {address(sums.weight.pos), address(sums.weight.neg)};
  }
  if (saved.wanted.bias) {
    sums.bias = bias_view.empty_sums(bias);
    args.grad_bias = address(sums.bias);
  }
  const auto run = saved.is_input ? backend.backward_from_input : backend.backward;
  run(args, grad.scalar_type(), grad.device());
  if (saved.wanted.weight) {
    result.parameters.weight = {
        weight_view.gradient(sums.weight.pos, weight.pos),
        weight_view.gradient(sums.weight.neg, weight.neg)};
  }
  if (saved.wanted.bias) {
    result.parameters.bias = bias_view.gradient(sums.bias, bias);
  }
  return result;
}

} // namespace linked_neurons::detail
