/// \file
/// Mish, z * tanh(softplus(z)) (Misra, arXiv:1908.08681), as a linked activation. All that
/// linked_neurons needs to know of it is this struct.
#pragma once

#include <linked_neurons/activation/activation.h>

// With e = e^-|z|, softplus makes tanh a fraction of polynomials, one for each side of 0:
//   tanh(softplus(|z|)) = a / (a + 2 e^2), a = 1 + 2 e,
//   tanh(softplus(-|z|)) = b / (b + 2),    b = e (e + 2).
struct Mish : linked_neurons::Activation {
  static constexpr auto name = "mish";

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T size = where(z > 0, z, -z);
    const T e = exp(-size), a = 1 + 2 * e, b = e * (e + 2);
    const T upper = size * (a / (a + 2 * e * e));
    const T lower = -(bounded(size) * b) / (b + 2);
    return {where(z > 0, upper, lower), where(z > 0, lower, upper)};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad) {
    const T size = bounded<T>(where(z > 0, z, -z));
    const T e = exp(-size), a = 1 + 2 * e, b = e * (e + 2);
    const T over = 1 / (a + 2 * e * e), under = 1 / (b + 2);
    const T curve = 4 * size * e * (1 + e);
    const T upper = a * over + curve * e * over * over;
    const T lower = b * under - curve * under * under;
    return grad.pos * where(z > 0, upper, lower) - grad.neg * where(z > 0, lower, upper);
  }

 private:
  /// So that |z| e^-|z| is 0 where |z| is infinite.
  template <class T>
  LINKED_NEURONS_FN static T bounded(const T& size) {
    return where(size > 1000, constant<T>(1000), size);
  }
};
