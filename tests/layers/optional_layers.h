// The optional layers as the tests see them: compiled once, in optional_layers.cpp.
#pragma once

#include <linked_neurons/activation/optional.h>
#include <linked_neurons/detail/layers.h>

namespace linked_neurons::detail {

#define TESTS_DECLARE(A, function, Module) LINKED_NEURONS_LAYER(extern, activation::A)
LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(TESTS_DECLARE)
#undef TESTS_DECLARE

} // namespace linked_neurons::detail
