/// \file
/// Backward from z, whatever an activation saves: for a layer that keeps z anyway.
#pragma once

#include <linked_neurons/activation/activation.h>

#include <type_traits>

namespace linked_neurons::detail {

/// `Base` with `Saved::input`. What `Base::backward` starts from is computed anew, of z, unless
/// `Base` has a backward from z.
template <class Base>
struct Recomputed : Base {
  static constexpr Saved saved = Saved::input;

  /// \tparam Rest the weights' pair, or the number of an activation that has one, or none.
  template <class T, class... Rest>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad, const Rest&... rest) {
    if constexpr (Base::has_backward_from_input) {
      return Base::backward_from_input(z, grad, rest...);
    } else if constexpr (Base::saved == Saved::masks) {
      return Base::backward(Base::masks(z), grad, rest...);
    } else {
      return Base::backward(Base::forward(z, rest...), grad, rest...);
    }
  }

  /// As `forward_near`.
  template <class T>
  LINKED_NEURONS_FN static T backward_near(const T& z, const Pair<T>& grad) {
    return Base::backward(Base::forward_near(z), grad);
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

/// Whether backward of an activation from z finds masks there.
template <class Activation>
inline constexpr bool kFindsMasks = false;
template <class Base>
inline constexpr bool kFindsMasks<Recomputed<Base>> = Base::saved == Saved::masks;

} // namespace linked_neurons::detail
