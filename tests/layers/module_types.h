// The modules as a list of types, for GoogleTest's typed tests: the library's, and one of an
// activation that it does not know.
#pragma once

#include "snake.h"

#include <linked_neurons/linked_neurons.h>
#include <linked_neurons/optional.h>

#include <gtest/gtest.h>

#include <string>

namespace tests {

template <class Nothing, class... All>
struct TypesWithout {
  using Types = testing::Types<All...>;
};
#define TESTS_MODULE(A, function, Module) , ln::Module
using Modules =
    TypesWithout<void TESTS_FOR_EVERY_ACTIVATION(TESTS_MODULE), ln::Linked<Snake>>::Types;
#undef TESTS_MODULE

template <class Impl>
struct ActivationOfImpl;
template <class Activation>
struct ActivationOfImpl<ln::LinkedImpl<Activation>> {
  using Type = Activation;
};
template <class Holder>
using ActivationOf = typename ActivationOfImpl<typename Holder::Impl>::Type;

struct NameOfModule {
  template <class Holder>
  static std::string GetName(int /*index*/) {
    return ActivationOf<Holder>::name;
  }
};

} // namespace tests
