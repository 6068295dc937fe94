/// \file
/// The library's own activations, and the one list of them. Modules, functions, options, kernels,
/// operators and tests are made from the list.
#pragma once

#include <linked_neurons/activation/prelu.h>
#include <linked_neurons/activation/relu.h>
#include <linked_neurons/activation/selu.h>
#include <linked_neurons/activation/sin_cos.h>
#include <linked_neurons/activation/swish.h>

/// Expands `use(struct, function, module)` for each of them: the struct in namespace `activation`,
/// the function in namespace `functional`, the module. The operator is called as the function.
// clang-format off
#define LINKED_NEURONS_FOR_ALL_ACTIVATIONS(use) \
  use(ReLU, lk_relu, LKReLU)                    \
  use(PReLU, lk_prelu, LKPReLU)                 \
  use(SELU, lk_selu, LKSELU)                    \
  use(Swish, lk_swish, LKSwish)                 \
  use(SinCos, lk_sin_cos, LKSinCos)
// clang-format on
