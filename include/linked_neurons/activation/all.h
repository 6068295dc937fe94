/// \file
/// The library's own activations, and the list of them.
#pragma once

#include <linked_neurons/activation/prelu.h>
#include <linked_neurons/activation/relu.h>
#include <linked_neurons/activation/selu.h>
#include <linked_neurons/activation/swish.h>

/// Expands `use(A)` for each of them.
#define LINKED_NEURONS_FOR_ALL_ACTIVATIONS(use)                                    \
  use(::linked_neurons::activation::ReLU) use(::linked_neurons::activation::PReLU) \
      use(::linked_neurons::activation::SELU) use(::linked_neurons::activation::Swish)
