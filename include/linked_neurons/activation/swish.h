/// \file
/// LK-Swish: g(z) = z * sigmoid(z), LibTorch's SiLU (Ramachandran et al., arXiv:1710.05941).
#pragma once

#include <linked_neurons/activation/activation.h>

namespace linked_neurons::activation {

struct Swish : Activation {
  static constexpr auto name = "lk_swish";
  static constexpr auto module_name = "LKSwish";
  static constexpr auto saved = Saved::output;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T magnitude = abs(z);
    const T e = decay(magnitude);
    const T s = 1 / (1 + e); // sigmoid(|z|); sigmoid(-|z|) is e * s
    const T upper = magnitude * s;
    const T lower = -(bounded(upper) * e);
    return {where(z > 0, upper, lower), where(z > 0, lower, upper)};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    // sigmoid(z) + sigmoid(-z) = 1, so the pair tells z, and g'(z) + g'(-z) = 1 too.
    const T z = output.pos - output.neg;
    const T magnitude = abs(z);
    const T e = decay(magnitude);
    const T s = 1 / (1 + e);
    const T lower = e * s * (1 - bounded(magnitude) * s); // g'(-|z|)
    const T upper = 1 - lower;
    return grad.pos * where(z > 0, upper, lower) - grad.neg * where(z > 0, lower, upper);
  }

 private:
  /// The number where e^-|z| is not zero, and finite everywhere, so that their product has the
  /// limit 0.
  template <class T>
  LINKED_NEURONS_FN static T bounded(const T& magnitude) {
    constexpr double kBound = 1000;
    return where(magnitude > kBound, constant<T>(kBound), magnitude);
  }
};

} // namespace linked_neurons::activation
