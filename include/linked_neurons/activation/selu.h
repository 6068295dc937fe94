/// \file
/// LK-SELU: g(z) = lambda * z for z > 0, else lambda * alpha * (e^z - 1)
/// (Klambauer et al., arXiv:1706.02515).
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct SELU : Activation {
  static constexpr auto name = "lk_selu";
  static constexpr auto module_name = "LKSELU";
  static constexpr auto saved = Saved::output;
  static constexpr bool has_backward_from_input = true;
  static constexpr bool takes_approximate_float = true;
  static constexpr bool reads_neg_output = false;

  static constexpr double kLambda = 1.0507009873554804934193349852946;
  static constexpr double kAlpha = 1.6732632423543772848170429916717;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const auto lambda_alpha = constant<T>(kLambda * kAlpha);
    const T magnitude = abs(z);
    // One exponential serves both halves: only one of them is on the negative side.
    const T linear = magnitude * constant<T>(kLambda);
    const T curved = expm1(-magnitude) * lambda_alpha;
    // At 0 both halves have the slope of their negative side, also where LibTorch differentiates
    // this.
    const T twin_at_most_0 = where(z > 0, curved, -z * lambda_alpha);
    return {where(z > 0, linear, curved), where(z < 0, linear, twin_at_most_0)};
  }

  /// From g(z) alone, which tells z: an exponential is less than the other half is to read.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const T& y = output.pos;
    const auto lambda = constant<T>(kLambda);
    const auto lambda_alpha = constant<T>(kLambda * kAlpha);
    // lambda * alpha * e^z = g(z) + lambda * alpha on the negative side, and at 0 of both halves.
    const auto e = decay(bounded_for_decay(abs(y) * constant<T>(1 / kLambda)));
    const T curved = y + lambda_alpha;
    const T twin_curved = where(y > 0, e.raised * (e.low * lambda_alpha), lambda_alpha);
    return grad.pos * where(y > 0, lambda, curved) - grad.neg * where(y < 0, lambda, twin_curved);
  }

  template <class T>
  LINKED_NEURONS_FN static T backward_from_input(const T& z, const Pair<T>& grad) {
    const auto lambda = constant<T>(kLambda);
    const auto e = decay(bounded_for_decay(abs(z)));
    const T curved = e.raised * (e.low * constant<T>(kLambda * kAlpha)); // on the negative side
    return grad.pos * where(z > 0, lambda, curved) - grad.neg * where(z < 0, lambda, curved);
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
