/// \file
/// LK-ELU: g(z) = z for z > 0, else alpha * (e^z - 1), alpha >= 0 (Clevert et al.,
/// arXiv:1511.07289).
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct ELU : Activation {
  static constexpr auto name = "lk_elu";
  static constexpr auto module_name = "LKELU";
  static constexpr auto saved = Saved::output;
  static constexpr bool has_backward_from_input = true;
  static constexpr bool takes_approximate_float = true;
  LINKED_NEURONS_NUMBER(alpha, 1.0)
  // Of a negative alpha the output would not tell on which side z was.
  static constexpr double least_number = 0;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z, Number<T> alpha) {
    const T magnitude = abs(z);
    // One exponential serves both halves: only one of them is on the negative side.
    const T curved = expm1(-magnitude) * alpha;
    // At 0 both halves have the slope of their negative side, also where LibTorch differentiates
    // this.
    const T twin_at_most_0 = where(z > 0, curved, -z * alpha);
    return {where(z > 0, magnitude, curved), where(z < 0, magnitude, twin_at_most_0)};
  }

  /// Without an exponential: alpha * e^z = g(z) + alpha on the negative side.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad, Number<T> alpha) {
    const auto one = constant<T>(1);
    return grad.pos * where(output.pos > 0, one, output.pos + alpha) -
           grad.neg * where(output.neg > 0, one, output.neg + alpha);
  }

  template <class T>
  LINKED_NEURONS_FN static T backward_from_input(const T& z, const Pair<T>& grad, Number<T> alpha) {
    const auto one = constant<T>(1);
    const auto e = decay(bounded_for_decay(abs(z)));
    const T curved = e.raised * alpha * e.low; // on the negative side
    return grad.pos * where(z > 0, one, curved) - grad.neg * where(z < 0, one, curved);
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
