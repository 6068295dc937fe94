// The layers of the library's own activations: compiled once, into a library that our CMake target
// links.
#include <linked_neurons/detail/joint_layers.h>

namespace linked_neurons::detail {

#define LINKED_NEURONS_DEFINE(A, function, Module) \
  LINKED_NEURONS_LAYER(, activation::A)            \
  LINKED_NEURONS_JOINT(, activation::A)
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_DEFINE)

} // namespace linked_neurons::detail
