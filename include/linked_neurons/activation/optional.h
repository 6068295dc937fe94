/// \file
/// Activations that a program asks for: the library compiles none of them, and a source file those
/// that it uses. The one list of them; modules, functions, options and tests are made from it.
#pragma once

#include <linked_neurons/activation/elu.h>
#include <linked_neurons/activation/gelu.h>
#include <linked_neurons/activation/hardswish.h>
#include <linked_neurons/activation/leaky_relu.h>
#include <linked_neurons/activation/mish.h>
#include <linked_neurons/activation/softplus.h>

/// As `LINKED_NEURONS_FOR_ALL_ACTIVATIONS`.
// clang-format off
#define LINKED_NEURONS_FOR_OPTIONAL_ACTIVATIONS(use) \
  use(ELU, lk_elu, LKELU)                            \
  use(GELU, lk_gelu, LKGELU)                         \
  use(GELUTanh, lk_gelu_tanh, LKGELUTanh)            \
  use(Hardswish, lk_hardswish, LKHardswish)          \
  use(LeakyReLU, lk_leaky_relu, LKLeakyReLU)         \
  use(Mish, lk_mish, LKMish)                         \
  use(Softplus, lk_softplus, LKSoftplus)
// clang-format on
