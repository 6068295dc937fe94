// The activations as lists of types, for GoogleTest's typed tests.
#pragma once

#include "every_activation.h"

#include <gtest/gtest.h>

#include <string>

namespace tests {

/// Appends those of `Rest` that have no weights to a list of types.
template <class List, class... Rest>
struct AppendWithoutWeights {
  using Types = List;
};
template <class... Chosen, class First, class... Rest>
struct AppendWithoutWeights<testing::Types<Chosen...>, First, Rest...>
    : AppendWithoutWeights<
          std::conditional_t<
              First::has_weight,
              testing::Types<Chosen...>,
              testing::Types<Chosen..., First>>,
          Rest...> {};

#define TESTS_NEXT(A, function, Module) , linked_neurons::activation::A
using ActivationsWithoutWeights =
    AppendWithoutWeights<testing::Types<> TESTS_FOR_EVERY_ACTIVATION(TESTS_NEXT)>::Types;
#undef TESTS_NEXT

struct NameOfActivation {
  template <class Activation>
  static std::string GetName(int /*index*/) {
    return Activation::name;
  }
};

} // namespace tests
