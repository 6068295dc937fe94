/// \file
/// LK-ReLU: g(z) = max(z, 0). The pair equals CReLU (Shang et al., arXiv:1603.05201).
#pragma once

#include <linked_neurons/activation/activation.h>

namespace linked_neurons::activation {

struct ReLUFromOutput;

struct ReLU : Activation {
  using FromOutput = ReLUFromOutput;

  static constexpr auto name = "lk_relu";
  static constexpr auto module_name = "LKReLU";
  static constexpr auto saved = Saved::signs;
  static constexpr bool is_exact = true;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T twin = -z;
    return {relu(z), relu(twin)};
  }

  /// Which halves let their gradient pass: none at 0, as LibTorch's ReLU, and both for a NaN.
  template <class T>
  LINKED_NEURONS_FN static auto signs(const T& z) {
    return conditions((z <= 0) == 0, (z >= 0) == 0);
  }

  template <class Bool, class T>
  LINKED_NEURONS_FN static T backward(const Pair<Bool>& signs, const Pair<T>& grad) {
    return where(signs.pos, grad.pos, constant<T>(0)) - where(signs.neg, grad.neg, constant<T>(0));
  }
};

/// LK-ReLU that keeps its output instead of the signs.
struct ReLUFromOutput : ReLU {
  using FromOutput = void;
  static constexpr auto saved = Saved::output;

  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const auto signs = conditions((output.pos <= 0) == 0, (output.neg <= 0) == 0);
    return ReLU::backward(signs, grad);
  }
};

} // namespace linked_neurons::activation
