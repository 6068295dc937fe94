/// \file
/// Linked layers that `linked_neurons.h` has not: include this header beside it. Modules, functions
/// and options are as those of the other layers; a source file compiles the layers that it uses.
///
/// ```cpp
/// torch::nn::Sequential net(torch::nn::Conv2d(3, 16, 3), linked_neurons::LKGELU());
/// auto y = linked_neurons::functional::lk_elu(x, LKELUFuncOptions().alpha(0.5).dim(-1));
/// ```
///
/// A program wants a line in a `.cu` file for their CUDA kernels, as for an activation of its own:
/// `LINKED_NEURONS_CUDA_KERNELS(linked_neurons::activation::GELU)`.
#pragma once

#include <linked_neurons/activation/optional.h>
#include <linked_neurons/modules.h>

namespace linked_neurons {

/// lk_elu: g(x) = x for x > 0, else alpha * (e^x - 1), alpha >= 0. Saves the output.
/// lk_gelu: g(x) = x * Phi(x). Saves the output.
/// lk_gelu_tanh: LibTorch's approximation "tanh" of it. Saves the output.
/// lk_hardswish: g(x) = x * min(max(x + 3, 0), 6) / 6. Saves the input.
/// lk_leaky_relu: g(x) = x for x > 0, else negative_slope * x. Saves two bits an element.
/// lk_mish: g(x) = x * tanh(softplus(x)). Saves the input.
/// lk_softplus: g(x) = log(1 + e^x). Saves the output.
// NOLINTBEGIN(bugprone-macro-parentheses): function is a name
#define LINKED_NEURONS_OPTIONAL(A, function, Module)        \
  using Module##Options = OptionsOf<activation::A>;         \
  namespace functional {                                    \
  using Module##FuncOptions = FuncOptionsOf<activation::A>; \
  inline constexpr Function<activation::A> function = {};   \
  }                                                         \
  using Module##Impl = LinkedImpl<activation::A>;           \
  TORCH_MODULE(Module);
// NOLINTEND(bugprone-macro-parentheses)
LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(LINKED_NEURONS_OPTIONAL)
#undef LINKED_NEURONS_OPTIONAL

} // namespace linked_neurons
