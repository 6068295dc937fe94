/// \file
/// The type in which a device computes results that are rounded to 16 bits.
#pragma once

#include <linked_neurons/activation/math.h>
#include <linked_neurons/activation/quotient.h>

LINKED_NEURONS_AS_WRITTEN_BEGIN
namespace linked_neurons::math {

/// A float whose exponentials and quotients a device approximates in one or two instructions, where
/// those of a float take some twelve. They have 17 correct bits or more; a half has 11, a bfloat16
/// has 8. On the host the same formulas take the C library's.
class ApproximateFloat {
 public:
  ApproximateFloat() = default;
  // Implicit, so that formulas read as with a float.
  LINKED_NEURONS_FN constexpr ApproximateFloat(float value) // NOLINT(google-explicit-constructor)
      : value_(value) {}

  LINKED_NEURONS_FN constexpr explicit operator float() const {
    return value_;
  }

  LINKED_NEURONS_FN friend constexpr ApproximateFloat operator+(
      ApproximateFloat a, ApproximateFloat b) {
    return a.value_ + b.value_;
  }
  LINKED_NEURONS_FN friend constexpr ApproximateFloat operator-(
      ApproximateFloat a, ApproximateFloat b) {
    return a.value_ - b.value_;
  }
  LINKED_NEURONS_FN friend constexpr ApproximateFloat operator*(
      ApproximateFloat a, ApproximateFloat b) {
    return a.value_ * b.value_;
  }
  LINKED_NEURONS_FN friend constexpr bool operator<(ApproximateFloat a, ApproximateFloat b) {
    return a.value_ < b.value_;
  }
  LINKED_NEURONS_FN friend constexpr bool operator<=(ApproximateFloat a, ApproximateFloat b) {
    return a.value_ <= b.value_;
  }
  LINKED_NEURONS_FN friend constexpr bool operator>(ApproximateFloat a, ApproximateFloat b) {
    return a.value_ > b.value_;
  }
  LINKED_NEURONS_FN friend constexpr bool operator>=(ApproximateFloat a, ApproximateFloat b) {
    return a.value_ >= b.value_;
  }
  LINKED_NEURONS_FN friend constexpr ApproximateFloat operator-(ApproximateFloat x) {
    return -x.value_;
  }

 private:
  float value_;
};

namespace detail {

/// 2^x, subnormal results included.
LINKED_NEURONS_FN float exp2_approximately(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("ex2.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#else
  return std::exp2(x);
#endif
}

} // namespace detail

// The functions of a float, of math.h and quotient.h, that formulas for ApproximateFloat may use.

LINKED_NEURONS_FN ApproximateFloat where(bool condition, ApproximateFloat a, ApproximateFloat b) {
  return where(condition, float(a), float(b));
}

LINKED_NEURONS_FN ApproximateFloat abs(ApproximateFloat x) {
  return abs(float(x));
}

LINKED_NEURONS_FN ApproximateFloat bounded_for_decay(ApproximateFloat x) {
  return bounded_for_decay(float(x));
}

/// Largest error: 2^-17 of the product, which is that of x log2(e) where x is 110.
LINKED_NEURONS_FN Decay<ApproximateFloat> decay(ApproximateFloat x) {
  using F = detail::Format<float>;
  return {detail::exp2_approximately(F::kRaise - float(x) * detail::kLog2E<float>), F::kLow};
}

/// Largest error: 2^-18 of the result.
/// Valid range: x <= 0; NaN for NaN.
LINKED_NEURONS_FN ApproximateFloat expm1(ApproximateFloat x) {
  const auto z = float(x);
  // Near 0 the difference from 1 loses digits: Taylor's series there.
  const float series = z + z * z * (0.5F + z * (1.0F / 6 + z * (1.0F / 24)));
  return where(z > -0x1p-3F, series, detail::exp2_approximately(z * detail::kLog2E<float>) - 1);
}

/// Largest error: 2^-21 of the result.
/// Valid range: that of a float's.
LINKED_NEURONS_FN ApproximateFloat quotient(ApproximateFloat a, ApproximateFloat b) {
  return float(a) * detail::reciprocal(float(b));
}

} // namespace linked_neurons::math

namespace linked_neurons::detail {

/// Whether `T` is a number, and no tensor.
template <class T>
inline constexpr bool kIsNumber =
    std::is_floating_point_v<T> || std::is_same_v<T, math::ApproximateFloat>;

} // namespace linked_neurons::detail
LINKED_NEURONS_AS_WRITTEN_END
