// The kernels of the activations of optional.h, for the library of their operators.
#include <linked_neurons/activation/optional.h>
#include <linked_neurons/cuda/backend.cuh>

namespace linked_neurons::detail::cuda {

#define LINKED_NEURONS_DEFINE(A, function, Module) template const Backend* kernels<activation::A>();
LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(LINKED_NEURONS_DEFINE)

} // namespace linked_neurons::detail::cuda
