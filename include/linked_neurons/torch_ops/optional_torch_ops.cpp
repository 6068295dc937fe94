/// \file
/// The layers of optional.h as operators, as torch_ops.cpp has the others. The shared library
/// linked_neurons_optional_torch_ops is this file; it needs the other one not to be there.
///
///     linked_neurons::lk_elu(
///         Tensor x, Tensor? bias=None, int dim=1, bool keep_output=False, float alpha=1, *,
///         bool keep_input=False) -> Tensor
#include <linked_neurons/activation/optional.h>
#include <linked_neurons/torch_ops/layer_operators.h>

#if defined(LINKED_NEURONS_WITH_OPTIONAL_CUDA)
namespace linked_neurons::detail::cuda {
// Defined in cuda/optional.cu.
#define LINKED_NEURONS_DECLARE(A, function, Module) \
  extern template const Backend* kernels<activation::A>();
LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(LINKED_NEURONS_DECLARE)
} // namespace linked_neurons::detail::cuda
#endif

TORCH_LIBRARY_FRAGMENT(linked_neurons, library) {
  namespace ln = linked_neurons;
#if defined(LINKED_NEURONS_WITH_OPTIONAL_CUDA)
#define LINKED_NEURONS_REGISTER(A, function, Module) \
  ln::detail::cuda::backend<ln::activation::A> = ln::detail::cuda::kernels<ln::activation::A>();
  LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(LINKED_NEURONS_REGISTER)
#endif
#define LINKED_NEURONS_OPERATORS(A, function, Module) \
  ln::detail::add_operators<ln::activation::A>(library);
  LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(LINKED_NEURONS_OPERATORS)
}
