/// \file
/// The normal distribution's tail, for float and double.
#pragma once

#include <linked_neurons/activation/math.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::math {

namespace detail {

/// (x + 2) e^(x^2 / 2) erfc(x / sqrt(2)) / 2 as a polynomial in u = (x - 2) / (x + 2), where it is
/// nearly straight. It interpolates at Chebyshev's nodes for x up to `kNormalBound`, beyond which
/// the tail rounds to zero.
LINKED_NEURONS_FN float normal_tail_polynomial(float u) {
  float p = -6.511323697e-05F;
  p = p * u - 0.0001484480032F;
  p = p * u + 0.000132417479F;
  p = p * u + 0.0008353267597F;
  p = p * u + 0.0008238122139F;
  p = p * u - 0.001950836521F;
  p = p * u - 0.006734531972F;
  p = p * u - 0.0004699257393F;
  p = p * u + 0.03671939548F;
  p = p * u + 0.02879738632F;
  p = p * u - 0.3314044748F;
  return p * u + 0.6724080047F;
}
LINKED_NEURONS_FN double normal_tail_polynomial(double u) {
  double p = 4.9871350461982261e-09;
  p = p * u + 2.2452864159526339e-08;
  p = p * u + 1.5556373049725781e-08;
  p = p * u - 8.4524602823918275e-08;
  p = p * u - 1.8432938451851569e-07;
  p = p * u - 3.2647475919015002e-08;
  p = p * u + 3.4131091116837935e-07;
  p = p * u + 5.5657652734843703e-07;
  p = p * u + 3.9250527951669019e-07;
  p = p * u - 2.0191563559203703e-07;
  p = p * u - 1.4227025902562336e-06;
  p = p * u - 2.9404334202129084e-06;
  p = p * u - 2.81885685870757e-06;
  p = p * u + 2.0190080470716443e-06;
  p = p * u + 1.2557550514791888e-05;
  p = p * u + 2.1706064898098365e-05;
  p = p * u + 9.6853483533878189e-06;
  p = p * u - 4.6054464851403453e-05;
  p = p * u - 0.00012855264695632243;
  p = p * u - 0.00011569315577502446;
  p = p * u + 0.00020699182755838197;
  p = p * u + 0.0008271990017504954;
  p = p * u + 0.00078511814879264012;
  p = p * u - 0.0019511241646501839;
  p = p * u - 0.0067249070778074606;
  p = p * u - 0.00046959683426505046;
  p = p * u + 0.036718360968914912;
  p = p * u + 0.028797360345361248;
  p = p * u - 0.33140444238878097;
  return p * u + 0.67240800489268238;
}

template <class T>
inline constexpr T kNormalBound = sizeof(T) == sizeof(float) ? T(14.5) : T(38.7);

} // namespace detail

/// erfc(x / sqrt(2)) / 2, which compilers vectorise.
/// Types: float, double. Largest error: 6 units in the last place, or half the smallest number.
/// Valid range: x >= 0; NaN for NaN.
template <class T>
LINKED_NEURONS_FN T normal_tail(T x) {
  using Bits = typename detail::Format<T>::Bits;
  using linked_neurons::detail::bit_cast;
  const T m = detail::at_most(x, detail::kNormalBound<T>);
  // e^(-m^2 / 2) in two factors, since m^2 has more digits than T: the square of m's upper digits
  // is exact, what is left is small.
  constexpr Bits kUpperDigits = ~((Bits(1) << (detail::Format<T>::kFractionBits / 2 + 1)) - 1U);
  const T upper = bit_cast<T>(bit_cast<Bits>(m) & kUpperDigits);
  const auto e = decay(upper * upper * T(0.5));
  const T rest = (m - upper) * (m + upper) * T(-0.5);
  const T raised = e.raised + e.raised * (rest + rest * rest * detail::expm1_tail(rest));
  const T further = m + T(2);
  const T p = detail::normal_tail_polynomial((m - T(2)) / further);
  return raised * p / further * e.low;
}

} // namespace linked_neurons::math
LINKED_NEURONS_AS_WRITTEN_END
