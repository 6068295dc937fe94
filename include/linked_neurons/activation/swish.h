/// \file
/// LK-Swish: g(z) = z * sigmoid(z), LibTorch's SiLU (Ramachandran et al., arXiv:1710.05941).
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct Swish : Activation {
  static constexpr auto name = "lk_swish";
  static constexpr auto module_name = "LKSwish";
  static constexpr auto saved = Saved::output;
  static constexpr bool has_backward_from_input = true;
  static constexpr bool takes_approximate_float = true;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T magnitude = abs(z);
    const T m = bounded_for_decay(magnitude);
    const auto e = decay(m);
    // |z| * sigmoid(-|z|), sigmoid(-|z|) = e^-|z| / (1 + e^-|z|), but for the factor e.low
    const T lowered = quotient<T>(m * e.raised, 1 + e.raised * e.low);
    const auto zero = constant<T>(0);
    // Since sigmoid(z) + sigmoid(-z) = 1; each half is a maximum less a product, one instruction.
    return {
        where(z > 0, magnitude, zero) - lowered * e.low,
        where(z <= 0, magnitude, zero) - lowered * e.low};
  }

  /// From the two halves |z| * sigmoid(|z|) and -|z| * sigmoid(-|z|), without an exponential: since
  /// sigmoid(z) + sigmoid(-z) = 1, they are |z| apart.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const auto is_pos = output.pos > output.neg;
    const T upper = bounded_for_decay(where(is_pos, output.pos, output.neg));
    const T lower = where(is_pos, output.neg, output.pos);
    const T m = upper - lower;
    const auto is_near = m < kNear;
    const T s =
        where(is_near, sigmoid_near_0(m), quotient<T>(-lower, where(is_near, constant<T>(1), m)));
    // g'(-|z|) = s (1 - |z| (1 - s)), s = sigmoid(-|z|).
    return gradient_by_slope<T>(is_pos, s * (1 - upper), grad);
  }

  template <class T>
  LINKED_NEURONS_FN static T backward_from_input(const T& z, const Pair<T>& grad) {
    const T m = bounded_for_decay(abs(z));
    const auto decayed = decay(m);
    const T e = decayed.raised * decayed.low;
    const T s = quotient<T>(e, 1 + e);
    const auto is_pos = z > 0;
    return gradient_by_slope<T>(is_pos, s * (1 - (m - m * s)), grad);
  }

 private:
  static constexpr float kNear = 0x1p-5F;

  /// sigmoid(-m) for |m| < kNear, where derivatives of the quotient lose their digits: its series,
  /// exact in double.
  template <class T>
  LINKED_NEURONS_FN static T sigmoid_near_0(const T& m) {
    const T square = m * m;
    const T odd = constant<T>(1.0 / 480) - square * constant<T>(17.0 / 80640);
    return constant<T>(0.5) -
           m * (constant<T>(1.0 / 4) - square * (constant<T>(1.0 / 48) - square * odd));
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
