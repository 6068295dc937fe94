/// \file
/// LK-Hardswish: g(z) = z * min(max(z + 3, 0), 6) / 6 (Howard et al., arXiv:1905.02244).
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct Hardswish : Activation {
  static constexpr auto name = "lk_hardswish";
  static constexpr auto module_name = "LKHardswish";

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T twin = -z;
    return {half(z), half(twin)};
  }

  /// From z itself: where the derivative jumps, at 3 and -3, the rounded output would not tell the
  /// side.
  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad) {
    const T twin = -z;
    return grad.pos * slope(z) - grad.neg * slope(twin);
  }

 private:
  static constexpr float kKnee = 3;

  template <class T>
  LINKED_NEURONS_FN static T half(const T& z) {
    // Within the knees only, so that nothing overflows.
    const T inside = where(z < kKnee, where(z > -kKnee, z, constant<T>(-kKnee)), constant<T>(0));
    return where(z >= kKnee, z, inside * (inside + constant<T>(kKnee)) / constant<T>(6));
  }

  template <class T>
  LINKED_NEURONS_FN static T slope(const T& z) {
    const T inside = z / constant<T>(3) + constant<T>(0.5);
    return where(z >= kKnee, constant<T>(1), where(z > -kKnee, inside, constant<T>(0)));
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
