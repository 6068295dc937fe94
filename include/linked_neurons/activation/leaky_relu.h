/// \file
/// LK-LeakyReLU: g(z) = z for z > 0, else negative_slope * z (Maas et al., 2013).
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct LeakyReLU : Activation {
  static constexpr auto name = "lk_leaky_relu";
  static constexpr auto module_name = "LKLeakyReLU";
  static constexpr auto saved = Saved::masks;
  LINKED_NEURONS_NUMBER(negative_slope, 0.01)

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z, Number<T> slope) {
    const T twin = -z;
    return {where(z > 0, z, slope * z), where(z < 0, twin, slope * twin)};
  }

  /// Which halves let their gradient pass whole: none at 0, as LibTorch's LeakyReLU.
  template <class T>
  LINKED_NEURONS_FN static auto masks(const T& z) {
    return sides(z);
  }

  template <class Condition, class T>
  LINKED_NEURONS_FN static T backward(
      const Pair<Condition>& masks, const Pair<T>& grad, Number<T> slope) {
    return where(masks.pos, grad.pos, slope * grad.pos) -
           where(masks.neg, grad.neg, slope * grad.neg);
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
