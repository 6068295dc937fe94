/// \file
/// The functions that activations are written with, for float and double.
///
/// They carry the names that LibTorch gives them for tensors, so that one expression serves a
/// number (a CPU loop, a CUDA kernel) and an `at::Tensor` (the composed path, double backward):
/// argument-dependent lookup finds LibTorch's own for a tensor.
#pragma once

#include <linked_neurons/activation/number.h>
#include <linked_neurons/macros.h>

#include <cmath>
#include <type_traits>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::math {

/// `condition ? a : b`, computed without a branch; both `a` and `b` are evaluated.
LINKED_NEURONS_FN float where(bool condition, float a, float b) {
  return linked_neurons::detail::select(condition, a, b);
}
LINKED_NEURONS_FN double where(bool condition, double a, double b) {
  return linked_neurons::detail::select(condition, a, b);
}

/// `condition ? a : b` of 16-bit numbers, which do not become floats.
template <class T, linked_neurons::detail::If16Bit<T> = 0>
LINKED_NEURONS_FN T where(bool condition, T a, T b) {
  return linked_neurons::detail::select(condition, a, b);
}

/// max(x, 0) as LibTorch's CPU operator has it: -0 and NaN pass through.
template <class T>
LINKED_NEURONS_FN T relu(T x) {
  return where(x < 0, T{}, x);
}

template <class T>
LINKED_NEURONS_FN T abs(T x) {
  return std::fabs(x);
}

/// The C library's functions, but for `sqrt` one element at a time: compilers make no vectors of
/// loops that call them, as they do of loops that call `exp` and `expm1` below.
#define LINKED_NEURONS_FROM_STD(name) \
  template <class T>                  \
  LINKED_NEURONS_FN T name(T x) {     \
    return std::name(x);              \
  }
LINKED_NEURONS_FROM_STD(cos)
LINKED_NEURONS_FROM_STD(erf)
LINKED_NEURONS_FROM_STD(erfc)
LINKED_NEURONS_FROM_STD(log)
LINKED_NEURONS_FROM_STD(log1p)
LINKED_NEURONS_FROM_STD(sin)
LINKED_NEURONS_FROM_STD(sqrt)
LINKED_NEURONS_FROM_STD(tanh)
#undef LINKED_NEURONS_FROM_STD

namespace detail {

/// The constants of a binary floating-point type that the functions below need.
template <class T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kFractionBits = 23;
  static constexpr Bits kBias = 127;
  // ln 2 in two parts; the first has so few digits that its product with any exponent is exact.
  static constexpr float kLn2High = 0x1.62ep-1F;
  static constexpr float kLn2Low = 0x1.0bfbe8p-15F;
  // Beyond these exp is infinite, or rounds to zero.
  static constexpr float kHighest = 89.0F;
  static constexpr float kLowest = -104.5F;
  // x * e^-x rounds to zero, and 2^kRaise keeps e^-x a normal number until there; kLow undoes it.
  static constexpr float kDecayed = 110.0F;
  static constexpr float kRaise = 64.0F;
  static constexpr float kLow = 0x1p-64F;
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kFractionBits = 52;
  static constexpr Bits kBias = 1023;
  static constexpr double kLn2High = 0x1.62e42fee00000p-1;
  static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kHighest = 710.0;
  static constexpr double kLowest = -746.0;
  static constexpr double kDecayed = 754.0;
  static constexpr double kRaise = 128.0;
  static constexpr double kLow = 0x1p-128;
};

/// x = exponent * ln 2 + remainder, |remainder| <= ln(2) / 2; `remainder_expm1` = e^remainder - 1.
template <class T>
struct Reduced {
  T exponent;
  T scale; ///< 2^(exponent + raise)
  T remainder_expm1;
};

template <class T>
inline constexpr T kLog2E = T(1.44269504088896340736);

/// Adding and subtracting this rounds to the nearest integer, and leaves it in the lowest bits.
template <class T>
inline constexpr T kRounding = T(3) *
                               T(typename Format<T>::Bits(1) << (Format<T>::kFractionBits - 1));

/// This too, and leaves there the exponent of 2^integer as the format has it.
template <class T>
inline constexpr T kBiasedRounding = kRounding<T> + T(Format<T>::kBias);

/// The power of two whose exponent a sum with `kBiasedRounding` has left in its lowest bits: the
/// shift drops the others.
template <class T>
LINKED_NEURONS_FN T power_of_two(T sum) {
  using F = Format<T>;
  return linked_neurons::detail::bit_cast<T>(
      linked_neurons::detail::bit_cast<typename F::Bits>(sum) << F::kFractionBits);
}

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, within an eighth of the last place of (e^r - 1) / r^2:
/// in float the best polynomial by that measure (Remez), in double Taylor's.
LINKED_NEURONS_FN float expm1_tail(float r) {
  float p = 0.001394649624F;
  p = p * r + 0.008366610587F;
  p = p * r + 0.04166628141F;
  p = p * r + 0.1666654279F;
  return p * r + 0.5F;
}

LINKED_NEURONS_FN double expm1_tail(double r) {
  double p = 1.0 / 87178291200;
  p = p * r + 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  return p * r + 0.5;
}

/// The bounds, written so that a NaN stays one.
template <class T>
LINKED_NEURONS_FN T at_most(T x, T highest) {
  return where(x > highest, highest, x);
}
template <class T>
LINKED_NEURONS_FN T at_least(T x, T lowest) {
  return where(x < lowest, lowest, x);
}

/// \param x within the bounds of `Format`.
/// \param raise an integer with which 2^(exponent + raise) is a normal number, where it is used.
template <class T>
LINKED_NEURONS_FN Reduced<T> reduce(T x, T raise) {
  using F = Format<T>;
  const T rounding = kBiasedRounding<T> + raise;
  const T sum = x * kLog2E<T> + rounding;
  const T exponent = sum - rounding;
  const T r = (x - exponent * F::kLn2High) - exponent * F::kLn2Low;
  return {exponent, power_of_two(sum), r + r * r * expm1_tail(r)};
}

} // namespace detail

/// e^x.
/// Types: float, double. Largest error: 2 units in the last place, subnormal results included.
/// Valid range: all numbers; infinity where the result overflows, NaN for NaN.
template <class T>
LINKED_NEURONS_FN T exp(T x) {
#if defined(__CUDA_ARCH__)
  return ::exp(x);
#else
  using F = detail::Format<T>;
  const auto reduced =
      detail::reduce(detail::at_least(detail::at_most(x, F::kHighest), F::kLowest), T(0));
  // In two steps, since 2^exponent itself may be no normal number.
  const T half = (reduced.exponent * T(0.5) + detail::kRounding<T>)-detail::kRounding<T>;
  const T first = detail::power_of_two(half + detail::kBiasedRounding<T>);
  const T rest = detail::power_of_two(reduced.exponent - half + detail::kBiasedRounding<T>);
  return (T(1) + reduced.remainder_expm1) * first * rest;
#endif
}

/// e^-x = raised * low, where `raised` is a normal number though e^-x may be none.
template <class T>
struct Decay {
  T raised;
  T low;
};

/// min(x, a bound beyond which x * e^-x rounds to 0), so that `decay` never sees infinity.
/// Types: float, double. Exact. Valid range: x >= 0; NaN for NaN.
template <class T>
LINKED_NEURONS_FN T bounded_for_decay(T x) {
  return detail::at_most(x, detail::Format<T>::kDecayed);
}

/// e^-x, as a product.
/// Types: float, double. Largest error: 2 units in the last place of the product.
/// Valid range: results of `bounded_for_decay`.
template <class T>
LINKED_NEURONS_FN Decay<T> decay(T x) {
  using F = detail::Format<T>;
  const auto reduced = detail::reduce(-x, F::kRaise);
  return {reduced.scale * reduced.remainder_expm1 + reduced.scale, F::kLow};
}

/// e^x - 1.
/// Types: float, double. Largest error: 2 units in the last place, near zero too.
/// Valid range: all numbers; infinity where the result overflows, NaN for NaN.
template <class T>
LINKED_NEURONS_FN T expm1(T x) {
#if defined(__CUDA_ARCH__)
  return ::expm1(x);
#else
  constexpr T kMinusOne = T(-60); // below, the result is -1 in any type
  // Half of the result, since 2^exponent itself may overflow where the result does not.
  const auto [exponent, scale, p] = detail::reduce(
      detail::at_least(detail::at_most(x, detail::Format<T>::kHighest), kMinusOne), T(-1));
  return (p * scale + (scale - T(0.5))) * T(2);
#endif
}

namespace detail {

/// (artanh(s) / s - 1) / s^2 as a function of t = s^2, s <= 1/3: Taylor's series.
LINKED_NEURONS_FN float artanh_tail(float t) {
  float p = 1.0F / 15;
  p = p * t + 1.0F / 13;
  p = p * t + 1.0F / 11;
  p = p * t + 1.0F / 9;
  p = p * t + 1.0F / 7;
  p = p * t + 1.0F / 5;
  return p * t + 1.0F / 3;
}
LINKED_NEURONS_FN double artanh_tail(double t) {
  double p = 1.0 / 33;
  p = p * t + 1.0 / 31;
  p = p * t + 1.0 / 29;
  p = p * t + 1.0 / 27;
  p = p * t + 1.0 / 25;
  p = p * t + 1.0 / 23;
  p = p * t + 1.0 / 21;
  p = p * t + 1.0 / 19;
  p = p * t + 1.0 / 17;
  p = p * t + 1.0 / 15;
  p = p * t + 1.0 / 13;
  p = p * t + 1.0 / 11;
  p = p * t + 1.0 / 9;
  p = p * t + 1.0 / 7;
  p = p * t + 1.0 / 5;
  return p * t + 1.0 / 3;
}

} // namespace detail

/// log(1 + x) = 2 artanh(x / (2 + x)), which compilers vectorise.
/// Types: float, double. Largest error: 2 units in the last place, near zero too.
/// Valid range: 0 <= x <= 1; NaN for NaN.
template <class T>
LINKED_NEURONS_FN T log1p_of_fraction(T x) {
#if defined(__CUDA_ARCH__)
  return ::log1p(x);
#else
  const T s = x / (T(2) + x);
  const T square = s * s;
  // x - s x = 2 s, but the subtrahend is small: fewer roundings count.
  return x - (s * x - T(2) * s * square * detail::artanh_tail(square));
#endif
}

namespace detail {

/// (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 for |r| <= pi / 4, as functions of s = r^2: in
/// float nearly the best polynomials (least squares, weighted until the errors were alike), in
/// double Taylor's.
LINKED_NEURONS_FN float sin_tail(float s) {
  const float p = -0.0001951521554F * s + 0.008332160302F;
  return p * s - 0.1666665524F;
}
LINKED_NEURONS_FN float cos_tail(float s) {
  const float p = 2.443307858e-05F * s - 0.001388731529F;
  return p * s + 0.04166664556F;
}

LINKED_NEURONS_FN double sin_tail(double s) {
  double p = 1.0 / 355687428096000;
  p = p * s - 1.0 / 1307674368000;
  p = p * s + 1.0 / 6227020800;
  p = p * s - 1.0 / 39916800;
  p = p * s + 1.0 / 362880;
  p = p * s - 1.0 / 5040;
  p = p * s + 1.0 / 120;
  return p * s - 1.0 / 6;
}
LINKED_NEURONS_FN double cos_tail(double s) {
  double p = 1.0 / 20922789888000;
  p = p * s - 1.0 / 87178291200;
  p = p * s + 1.0 / 479001600;
  p = p * s - 1.0 / 3628800;
  p = p * s + 1.0 / 40320;
  p = p * s - 1.0 / 720;
  return p * s + 1.0 / 24;
}

/// x = quadrant * pi / 2 + remainder, |remainder| <= pi / 4.
template <class T>
struct ReducedAngle {
  T remainder;
  typename Format<T>::Bits quadrant; ///< its lowest two bits count
};

// pi / 2 in parts. All but the last have 33 digits, so that their products with a quadrant below
// 2^20 are exact, and so many parts that where the remainder is small it still has all its digits.

/// \param x at least 0, at most `kSinCosBound`.
LINKED_NEURONS_FN ReducedAngle<float> reduce_angle(float x) {
  const double wide = x;
  const double sum = wide * 0.63661977236758134308 + kRounding<double>;
  const double quadrant = sum - kRounding<double>;
  const double r = (wide - quadrant * 0x1.921fb544p+0) - quadrant * 0x1.0b4611a626331p-34;
  return {
      static_cast<float>(r),
      static_cast<std::uint32_t>(linked_neurons::detail::bit_cast<std::uint64_t>(sum))};
}
LINKED_NEURONS_FN ReducedAngle<double> reduce_angle(double x) {
  const double sum = x * 0.63661977236758134308 + kRounding<double>;
  const double quadrant = sum - kRounding<double>;
  double r = (x - quadrant * 0x1.921fb544p+0) - quadrant * 0x1.0b4611a6p-34;
  r = (r - quadrant * 0x1.3198a2ep-69) - quadrant * 0x1.b839a252049c1p-104;
  return {r, linked_neurons::detail::bit_cast<std::uint64_t>(sum)};
}

} // namespace detail

template <class T>
struct SinCos {
  T sin;
  T cos;
};

/// The largest |x| that `sin_cos` takes.
inline constexpr double kSinCosBound = 0x1p19;

/// The sine and the cosine of x, which compilers vectorise.
/// Types: float, double. Largest error: 2 units in the last place in float, 3 in double, near the
/// zeros too. Valid range: |x| <= kSinCosBound; NaN for NaN.
template <class T>
LINKED_NEURONS_FN SinCos<T> sin_cos(T x) {
  using Bits = typename detail::Format<T>::Bits;
  using linked_neurons::detail::bit_cast;
  constexpr int kSignBit = 8 * sizeof(T) - 1;
  const auto [r, quadrant] = detail::reduce_angle(abs(x));
  const T square = r * r;
  const auto sine = bit_cast<Bits>(r + r * square * detail::sin_tail(square));
  const auto cosine =
      bit_cast<Bits>((T(1) - square * T(0.5)) + square * square * detail::cos_tail(square));
  // The quadrant's lowest bit exchanges the two, the next one changes signs. (In terms of bits: g++
  // makes no vectors of a bool that comes of a wider number's bits.)
  const Bits exchanged = (sine ^ cosine) & (Bits(0) - (quadrant & 1U));
  const Bits of_x = bit_cast<Bits>(x) >> kSignBit;
  const Bits sin_sign = (of_x ^ (quadrant >> 1U)) << kSignBit;
  const Bits cos_sign = ((quadrant + 1U) >> 1U) << kSignBit;
  return {bit_cast<T>((sine ^ exchanged) ^ sin_sign), bit_cast<T>((cosine ^ exchanged) ^ cos_sign)};
}

} // namespace linked_neurons::math
LINKED_NEURONS_AS_WRITTEN_END
