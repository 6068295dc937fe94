// The kernels of the library's own activations: compiled once, into a library that our CMake target
// links.
#include <linked_neurons/cuda/backend.cuh>

namespace linked_neurons::detail::cuda {

#define LINKED_NEURONS_DEFINE(A, function, Module) template const Backend* kernels<activation::A>();
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_DEFINE)

} // namespace linked_neurons::detail::cuda
