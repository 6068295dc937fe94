/// \file
/// Backward from z, whatever an activation saves: for a layer that keeps z anyway.
#pragma once

#include <linked_neurons/activation/activation.h>

#include <type_traits>

namespace linked_neurons::detail {

/// `Base` with `Saved::input`. What `Base::backward` starts from is computed anew, of z.
template <class Base>
struct Recomputed : Base {
  static constexpr Saved saved = Saved::input;

  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad) {
    if constexpr (Base::saved == Saved::masks) {
      return Base::backward(Base::masks(z), grad);
    } else {
      return Base::backward(Base::forward(z), grad);
    }
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad, const Pair<T>& weight) {
    if constexpr (Base::saved == Saved::masks) {
      return Base::backward(Base::masks(z), grad, weight);
    } else {
      return Base::backward(Base::forward(z, weight), grad, weight);
    }
  }

  template <class T>
  LINKED_NEURONS_FN static Pair<T> weight_gradient(
      const T& z, const Pair<T>& grad, const Pair<T>& weight) {
    const Pair<T> output = Base::forward(z, weight);
    if constexpr (Base::saved == Saved::masks) {
      return Base::weight_gradient(Base::masks(z), output, grad, weight);
    } else {
      return Base::weight_gradient(output, grad, weight);
    }
  }
};

/// An activation whose backward starts from z: the given one itself, where it does.
template <class Activation>
using FromInput =
    std::conditional_t<Activation::saved == Saved::input, Activation, Recomputed<Activation>>;

} // namespace linked_neurons::detail
