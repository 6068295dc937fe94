/// \file
/// The linked layers as operators of LibTorch's dispatcher: for Python, TorchScript, torch.compile,
/// torch.export and torch.onnx.export. The shared library linked_neurons_torch_ops is this file.
///
///     linked_neurons::lk_relu(
///         Tensor x, Tensor? bias=None, int dim=1, bool keep_output=False, *,
///         bool keep_input=False) -> Tensor
///     linked_neurons::lk_prelu(
///         Tensor x, Tensor weight_pos, Tensor weight_neg, Tensor? bias=None, int dim=1, *,
///         bool keep_input=False) -> Tensor
///     linked_neurons::lk_relu_conv2d(
///         Tensor x, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0,
///         SymInt[2] dilation=1, SymInt groups=1, Tensor? input_bias=None) -> Tensor
///     linked_neurons::lk_relu_linear(
///         Tensor x, Tensor weight, Tensor? bias=None, Tensor? input_bias=None) -> Tensor
///     linked_neurons::settle_allocator() -> bool
///
/// There is one for each activation of the list (activation/all.h): as the first where it has no
/// weights, as the second where it has. (The library linked_neurons_optional_torch_ops has those of
/// activation/optional.h, with the number of an activation that has one behind all else.) Shapes,
/// types and errors are those of functional.h. Autocast does not change their input. Those of joint
/// layers, conv1d and conv3d too, are as joint_functional.h has them, with weight_pos and
/// weight_neg behind x where the activation has weights.
///
/// Each layer is three operators: the one above, which knows autograd, and `_<name>_forward` and
/// `_<name>_backward`, which run the kernels and tell the shapes of their results without running
/// them. So a compiler sees a training step as operators, and no kernel sees a tensor without
/// memory. The joint layers have `_<name>_joint_backward` besides.
#include <linked_neurons/settle_allocator.h>
#include <linked_neurons/torch_ops/layer_operators.h>

TORCH_LIBRARY(linked_neurons, library) {
  namespace ln = linked_neurons;
#define LINKED_NEURONS_OPERATORS(A, function, Module) \
  ln::detail::add_operators<ln::activation::A>(library);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_OPERATORS)
  library.def("settle_allocator() -> bool", ln::settle_allocator);
}
