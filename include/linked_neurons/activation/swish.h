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
    // -|z| * sigmoid(-|z|), sigmoid(-|z|) = e^-|z| / (1 + e^-|z|)
    const T lower = -(m * e.raised / (1 + e.raised * e.low) * e.low);
    const T upper = magnitude + lower; // since sigmoid(z) + sigmoid(-z) = 1
    return {where(z > 0, upper, lower), where(z > 0, lower, upper)};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const T z = output.pos - output.neg; // again since sigmoid(z) + sigmoid(-z) = 1
    const T m = bounded_for_decay(abs(z));
    const auto decayed = decay(m);
    const T e = decayed.raised * decayed.low;
    const T s = 1 / (1 + e);
    const T lower = e * s * (1 - m * s); // g'(-|z|)
    const T upper = 1 - lower;           // g'(|z|)
    return grad.pos * where(z > 0, upper, lower) - grad.neg * where(z > 0, lower, upper);
  }
};

} // namespace linked_neurons::activation
