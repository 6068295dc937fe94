/// \file
/// LK-ReLU: g(z) = max(z, 0). The pair equals CReLU (Shang et al., arXiv:1603.05201).
#pragma once

#include <linked_neurons/activation/activation.h>

namespace linked_neurons::activation {

struct ReLU : Activation {
  static constexpr auto name = "lk_relu";
  static constexpr auto module_name = "LKReLU";
  static constexpr auto saved = Saved::masks;
  static constexpr bool output_tells_masks = true;
  static constexpr bool only_selects = true;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T twin = -z;
    return {relu(z), relu(twin)};
  }

  /// Which halves let their gradient pass: none at 0, as LibTorch's ReLU, and both for a NaN.
  template <class T>
  LINKED_NEURONS_FN static auto masks(const T& z) {
    return conditions((z <= 0) == 0, (z >= 0) == 0);
  }

  template <class T>
  LINKED_NEURONS_FN static auto masks_of_output(const Pair<T>& output) {
    return conditions((output.pos <= 0) == 0, (output.neg <= 0) == 0);
  }

  template <class Condition, class T>
  LINKED_NEURONS_FN static T backward(const Pair<Condition>& masks, const Pair<T>& grad) {
    return where(masks.pos, grad.pos, constant<T>(0)) - where(masks.neg, grad.neg, constant<T>(0));
  }
};

} // namespace linked_neurons::activation
