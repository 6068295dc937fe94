/// \file
/// LK-PReLU: g(z) = z for z > 0, else a * z, with a trained weight a for each half.
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct PReLU : Activation {
  static constexpr auto name = "lk_prelu";
  static constexpr auto module_name = "LKPReLU";
  // The output alone cannot tell on which side z was: a weight may be negative, or zero.
  static constexpr auto saved = Saved::masks;
  static constexpr bool has_weight = true;
  static constexpr bool weighs_one_half = true;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z, const Pair<T>& weight) {
    const T twin = -z;
    return {where(z > 0, z, weight.pos * z), where(z < 0, twin, weight.neg * twin)};
  }

  template <class T>
  LINKED_NEURONS_FN static T weighted_half(const T& z, const Pair<T>& weight) {
    return where(z > 0, -weight.neg, weight.pos) * z;
  }

  template <class T>
  LINKED_NEURONS_FN static auto masks(const T& z) {
    return sides(z);
  }

  template <class Condition, class T>
  LINKED_NEURONS_FN static T backward(
      const Pair<Condition>& masks, const Pair<T>& grad, const Pair<T>& weight) {
    return where(masks.pos, grad.pos, weight.pos * grad.pos) -
           where(masks.neg, grad.neg, weight.neg * grad.neg);
  }

  /// Where a half is weighted the other one holds |z|.
  template <class Condition, class T>
  LINKED_NEURONS_FN static Pair<T> weight_gradient(
      const Pair<Condition>& masks,
      const Pair<T>& output,
      const Pair<T>& grad,
      const Pair<T>& /*weight*/) {
    const T z = where(masks.pos, output.pos, -output.neg);
    return {
        where(masks.pos, constant<T>(0), z * grad.pos),
        where(masks.neg, constant<T>(0), -z * grad.neg)};
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
