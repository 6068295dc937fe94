/// \file
/// A division for devices.
#pragma once

#include <linked_neurons/macros.h>

#include <cmath>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::math {
namespace detail {

/// 1 / x within a unit in the last place, in one instruction of a device.
/// Valid range: 2^-20 <= x <= 2^20.
LINKED_NEURONS_FN float reciprocal(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#else
  return 1 / x;
#endif
}

/// a / b from a reciprocal of b that is within a unit in the last place. What the product leaves is
/// exact unless the quotient is subnormal.
LINKED_NEURONS_FN float quotient(float a, float b, float reciprocal) {
  const float product = a * reciprocal;
  return std::fma(std::fma(-b, product, a), reciprocal, product);
}

} // namespace detail

/// a / b. On a device it has none of the branches that IEEE division has for what is beyond its
/// range.
/// Types: float, double. Largest error: half a unit in the last place where |a| >= 2^-100, a = 0 or
/// b >= 64, subnormal results included; else 4 units.
/// Valid range: |a| <= 2^100, 2^-20 <= b <= 2^20; NaN where one of them is NaN.
LINKED_NEURONS_FN float quotient(float a, float b) {
#if defined(__CUDA_ARCH__)
  return detail::quotient(a, b, detail::reciprocal(b));
#else
  return a / b;
#endif
}
LINKED_NEURONS_FN double quotient(double a, double b) {
  return a / b;
}

} // namespace linked_neurons::math
LINKED_NEURONS_AS_WRITTEN_END
