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
    const T m = bounded_for_decay(magnitude);
    const auto e = decay(m);
    // |z| * sigmoid(-|z|), sigmoid(-|z|) = e^-|z| / (1 + e^-|z|), but for the factor e.low
    const T lowered = m * e.raised / (1 + e.raised * e.low);
    const auto zero = constant<T>(0);
    // Since sigmoid(z) + sigmoid(-z) = 1; each half is a maximum less a product, one instruction.
    return {
        where(z > 0, magnitude, zero) - lowered * e.low,
        where(z <= 0, magnitude, zero) - lowered * e.low};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const T z = output.pos - output.neg; // again since sigmoid(z) + sigmoid(-z) = 1
    const T m = bounded_for_decay(abs(z));
    const auto e = decay(m);
    const T s = 1 / (1 + e.raised * e.low);
    // g'(-|z|) with the sign of -z, for grad.pos * g'(z) - grad.neg * g'(-z) in fewer steps, since
    // g'(z) + g'(-z) = 1.
    const T lower = e.raised * s * (1 - m * s) * where(z > 0, -e.low, e.low);
    return where(z > 0, grad.pos, -grad.neg) + lower * (grad.pos + grad.neg);
  }
};

} // namespace linked_neurons::activation
