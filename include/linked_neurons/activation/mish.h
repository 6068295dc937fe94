/// \file
/// LK-Mish: g(z) = z * tanh(log(1 + e^z)) (Misra, arXiv:1908.08681).
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

// With e = e^-|z|, softplus makes tanh a fraction of polynomials, one for each side of 0:
//   tanh(softplus(|z|)) = a / (a + 2 e^2), a = 1 + 2 e,
//   tanh(softplus(-|z|)) = b / (b + 2),    b = e (e + 2).
struct Mish : Activation {
  static constexpr auto name = "lk_mish";
  static constexpr auto module_name = "LKMish";

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T magnitude = abs(z);
    const T m = bounded_for_decay(magnitude);
    const auto decayed = decay(m);
    const T e = decayed.raised * decayed.low;
    const T a = 1 + 2 * e;
    const T upper = magnitude * (a / (a + 2 * e * e));
    const T lower = -(m * decayed.raised * (e + 2)) / (e * (e + 2) + 2) * decayed.low;
    return {where(z > 0, upper, lower), where(z > 0, lower, upper)};
  }

  /// From z itself, since the output does not tell it in closed form.
  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad) {
    const T m = bounded_for_decay(abs(z));
    const T e = exp(-m);
    const T a = 1 + 2 * e;
    const T b = e * (e + 2);
    const T over = 1 / (a + 2 * e * e);
    const T under = 1 / (b + 2);
    const T curve = 4 * m * e * (1 + e);
    const T upper = a * over + curve * e * over * over;
    const T lower = b * under - curve * under * under;
    return grad.pos * where(z > 0, upper, lower) - grad.neg * where(z > 0, lower, upper);
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
