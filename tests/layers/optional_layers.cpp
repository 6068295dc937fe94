#include <linked_neurons/activation/optional.h>
#include <linked_neurons/detail/layers.h>

namespace linked_neurons::detail {

#define TESTS_DEFINE(A, function, Module) LINKED_NEURONS_LAYER(, activation::A)
LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(TESTS_DEFINE)

} // namespace linked_neurons::detail
