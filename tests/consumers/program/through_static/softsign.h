#pragma once

#include <linked_neurons/activation/activation.h>

/// An activation of the program's own.
struct Softsign {
  static constexpr auto name = "softsign";
  template <class T>
  LINKED_NEURONS_FN static T value(const T& z) {
    return z / (1 + linked_neurons::Activation::abs(z));
  }
  template <class T>
  LINKED_NEURONS_FN static T derivative(const T& z) {
    const T denominator = 1 + linked_neurons::Activation::abs(z);
    return 1 / (denominator * denominator);
  }
};
using LinkedSoftsign = linked_neurons::FromDerivative<Softsign>;
