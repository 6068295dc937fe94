/// \file
/// LK-SinCos: (sin z, cos z), deep Fourier features (Lewandowski et al., arXiv:2410.20634). The
/// halves are no function and its negated twin; at every z one of them has a gradient all the same.
#pragma once

#include <linked_neurons/activation/activation.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

struct SinCos : Activation {
  static constexpr auto name = "lk_sin_cos";
  static constexpr auto module_name = "LKSinCos";
  static constexpr auto saved = Saved::output;
  static constexpr double near_bound = math::kSinCosBound;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    return {sin(z), cos(z)};
  }

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward_near(const T& z) {
    const auto y = math::sin_cos(z);
    return {y.sin, y.cos};
  }

  /// Each half is the other one's derivative, up to a sign.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    return grad.pos * output.neg - grad.neg * output.pos;
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
