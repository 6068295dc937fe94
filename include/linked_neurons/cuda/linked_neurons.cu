// The kernels of the library's own activations: compiled once, into a library that our CMake target
// links.
#include <linked_neurons/cuda/backend.cuh>

namespace linked_neurons::detail::cuda {

template const Backend* kernels<ReLU>();
template const Backend* kernels<PReLU>();
template const Backend* kernels<SELU>();
template const Backend* kernels<Swish>();

} // namespace linked_neurons::detail::cuda
