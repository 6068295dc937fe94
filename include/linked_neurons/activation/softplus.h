/// \file
/// LK-Softplus: g(z) = log(1 + e^z) (Dugas et al., 2000). LibTorch's Softplus with beta = 1, which
/// beyond its threshold gives z itself.
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct Softplus : Activation {
  static constexpr auto name = "lk_softplus";
  static constexpr auto module_name = "LKSoftplus";
  static constexpr auto saved = Saved::output;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T magnitude = abs(z);
    const T rest = log1p_of_fraction(exp(-magnitude));
    const auto zero = constant<T>(0);
    // Since g(z) - g(-z) = z.
    return {where(z > 0, magnitude, zero) + rest, where(z <= 0, magnitude, zero) + rest};
  }

  /// The halves' derivatives are sigmoid(z) = e^-g(-z) and -sigmoid(-z) = -e^-g(z). The smaller one
  /// is computed.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const auto is_pos = output.pos > output.neg;
    const T smaller = exp(-where(is_pos, output.pos, output.neg));
    return gradient_by_slope<T>(is_pos, smaller, grad);
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
