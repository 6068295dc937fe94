/// \file
/// The CUDA backend as `.cpp` files see it: declarations only.
#pragma once

#include <linked_neurons/activation/all.h>
#include <linked_neurons/kernel/backend.h>

namespace linked_neurons::detail::cuda {

/// The kernels of an activation, or null where this program has none.
///
/// What a program has is decided when it starts, not by macros in shared code: source files
/// compiled with and without our CMake target's definitions may meet in one program.
template <class Activation>
inline const Backend* backend = nullptr;

/// The kernels themselves: defined in cuda/backend.cuh, instantiated in the kernels' library.
template <class Activation>
__attribute__((visibility("default"))) const Backend* kernels();

} // namespace linked_neurons::detail::cuda

#if defined(LINKED_NEURONS_WITH_CUDA)
namespace linked_neurons::detail::cuda {

#define LINKED_NEURONS_DECLARE(A, function, Module) \
  extern template const Backend* kernels<activation::A>();
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_DECLARE)
#undef LINKED_NEURONS_DECLARE

namespace {
// Each source file asks for the kernels by name, so that no linker finds their library unused.
// NOLINTNEXTLINE(misc-definitions-in-headers): one for each of them is the point
[[maybe_unused]] const bool registered = [] {
#define LINKED_NEURONS_REGISTER(A, function, Module) \
  backend<activation::A> = kernels<activation::A>();
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_REGISTER)
#undef LINKED_NEURONS_REGISTER
  return true;
}();
} // namespace

} // namespace linked_neurons::detail::cuda
#endif
