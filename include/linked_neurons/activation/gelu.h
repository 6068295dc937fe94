/// \file
/// LK-GELU: g(z) = z * Phi(z), Phi the normal distribution's (Hendrycks and Gimpel,
/// arXiv:1606.08415), and LK-GELUTanh, LibTorch's approximation of it, "tanh":
/// z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 z^3))) / 2 = z * sigmoid(v(z)),
/// v(z) = sqrt(8 / pi) * (z + 0.044715 z^3).
#pragma once

#include <linked_neurons/activation/activation.h>
#include <linked_neurons/activation/normal_tail.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::activation {

/// What they share: both are z times a gate p(z), where p(z) + p(-z) = 1, so that g(z) - g(-z) = z.
struct GatedByDistribution : Activation {
  static constexpr auto saved = Saved::output;

 protected:
  /// `tail` is |z| * p(-|z|).
  template <class T>
  LINKED_NEURONS_FN static Pair<T> halves(const T& z, const T& magnitude, const T& tail) {
    const auto zero = constant<T>(0);
    return {where(z > 0, magnitude, zero) - tail, where(z <= 0, magnitude, zero) - tail};
  }

  /// |z| where it is finite and tells anything: behind the bound the tail is 0 in any type.
  template <class T>
  LINKED_NEURONS_FN static T bounded(const T& magnitude) {
    return where(magnitude > kBound, constant<T>(kBound), magnitude);
  }

  static constexpr float kBound = 64;
  /// Below it the quotient of the tail and |z| loses its digits where it is differentiated.
  static constexpr float kNear = 0x1p-5F;
};

struct GELU : GatedByDistribution {
  static constexpr auto name = "lk_gelu";
  static constexpr auto module_name = "LKGELU";

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T magnitude = abs(z);
    const T m = bounded(magnitude);
    return halves<T>(z, magnitude, m * upper_tail(m));
  }

  /// From the halves, which are |z| apart: Phi is not computed again, but its density is.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const auto is_pos = output.pos > output.neg;
    const T upper = where(is_pos, output.pos, output.neg);
    const T lower = where(is_pos, output.neg, output.pos);
    const T m = bounded<T>(upper - lower);
    const auto is_near = m < kNear;
    const T square = m * m;
    const auto peak = constant<T>(0.39894228040143267794);
    // Phi(-m) near 0: its series, exact in double.
    const T even = constant<T>(1.0 / 40) - square * constant<T>(1.0 / 336);
    const T series =
        constant<T>(0.5) - m * peak * (1 - square * (constant<T>(1.0 / 6) - square * even));
    const T p = where(is_near, series, -lower / where(is_near, constant<T>(1), m));
    const T density = peak * exp(square * constant<T>(-0.5));
    return gradient_by_slope<T>(is_pos, p - m * density, grad);
  }

 private:
  /// Phi(-m)
  template <class T>
  LINKED_NEURONS_FN static T upper_tail(const T& m) {
    if constexpr (std::is_floating_point_v<T>) {
      return math::normal_tail(m);
    } else {
      return erfc(m * 0.70710678118654752440) * 0.5;
    }
  }
};

/// An activation of its own, and no option of GELU: which of them a loop computes is settled when
/// it is compiled.
struct GELUTanh : GatedByDistribution {
  static constexpr auto name = "lk_gelu_tanh";
  static constexpr auto module_name = "LKGELUTanh";

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T magnitude = abs(z);
    const T m = bounded(magnitude);
    const T e = exp(-argument(m));
    return halves<T>(z, magnitude, m * e / (1 + e));
  }

  /// From the halves, without an exponential.
  template <class T>
  LINKED_NEURONS_FN static T backward(const Pair<T>& output, const Pair<T>& grad) {
    const auto is_pos = output.pos > output.neg;
    const T upper = where(is_pos, output.pos, output.neg);
    const T lower = where(is_pos, output.neg, output.pos);
    const T m = bounded<T>(upper - lower);
    const auto is_near = m < kNear;
    const T v = argument(m);
    const T square = v * v;
    // sigmoid(-v) near 0: its series, exact in double.
    const T odd = constant<T>(1.0 / 480) - square * constant<T>(17.0 / 80640);
    const T series = constant<T>(0.5) -
                     v * (constant<T>(1.0 / 4) - square * (constant<T>(1.0 / 48) - square * odd));
    const T p = where(is_near, series, -lower / where(is_near, constant<T>(1), m));
    const T slope_of_v = constant<T>(kSlope) + constant<T>(3 * kSlope * kCubic) * (m * m);
    return gradient_by_slope<T>(is_pos, p - m * slope_of_v * (p * (1 - p)), grad);
  }

 private:
  static constexpr double kSlope = 1.59576912160573071176;
  static constexpr double kCubic = 0.044715;

  template <class T>
  LINKED_NEURONS_FN static T argument(const T& m) {
    return m * (constant<T>(kSlope) + constant<T>(kSlope * kCubic) * (m * m));
  }
};

} // namespace linked_neurons::activation
LINKED_NEURONS_AS_WRITTEN_END
