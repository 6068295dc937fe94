// The library's activations and the optional ones, as one list.
#pragma once

#include <linked_neurons/activation/all.h>
#include <linked_neurons/activation/optional.h>

// Compiled with the address sanitizer the kernels of all take five minutes; those of the optional
// activations access memory by the same templates.
#ifdef __SANITIZE_ADDRESS__
#define TESTS_FOR_EVERY_ACTIVATION(use) LINKED_NEURONS_FOR_ALL_ACTIVATIONS(use)
#else
#define TESTS_FOR_EVERY_ACTIVATION(use)   \
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(use) \
  LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(use)
#endif
