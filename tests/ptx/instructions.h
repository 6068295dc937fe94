// The instructions of PTX that C++ has no operator for.
//
// Of approximate instructions, whose results PTX leaves open within a bound, the exact result
// rounded is given: ex2, lg2, rcp, sqrt, rsqrt, sin, cos, tanh and div with `.approx` or `.full`.
// 16-bit numbers are converted by the library's own functions, which bit_patterns_test checks.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace tests::ptx {

template <class To, class From>
inline To as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

inline std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// The i-th part of the bits of a number, from the lowest on.
template <class Part, class Whole>
inline Part part(Whole whole, int i) {
  return static_cast<Part>(
      as<std::conditional_t<sizeof(Whole) == 8, std::uint64_t, std::uint32_t>>(whole) >>
      (8 * sizeof(Part) * static_cast<unsigned>(i)));
}

template <class Whole, class... Parts>
inline Whole joined(Parts... parts) {
  std::conditional_t<sizeof(Whole) == 8, std::uint64_t, std::uint32_t> whole = 0;
  unsigned shift = 0;
  ((whole |= static_cast<decltype(whole)>(parts) << shift, shift += 8 * sizeof(parts)), ...);
  return as<Whole>(whole);
}

template <class U>
inline U add_carry_out(U a, U b, bool& carry, bool /*sets*/) {
  const U sum = a + b;
  carry = sum < a;
  return sum;
}

template <class U>
inline U add_carry_in(U a, U b, bool& carry, bool sets) {
  const U partial = a + b;
  const U sum = partial + static_cast<U>(carry);
  if (sets) {
    carry = partial < a || sum < partial;
  }
  return sum;
}

template <class U>
inline U subtract_borrow_out(U a, U b, bool& borrow, bool /*sets*/) {
  borrow = a < b;
  return a - b;
}

template <class U>
inline U subtract_borrow_in(U a, U b, bool& borrow, bool sets) {
  const U difference = a - b - static_cast<U>(borrow);
  if (sets) {
    borrow = a < b || (a == b && borrow);
  }
  return difference;
}

__extension__ typedef __int128 Int128;           // NOLINT(modernize-use-using)
__extension__ typedef unsigned __int128 UInt128; // NOLINT(modernize-use-using)

template <class T>
inline T high_product(T a, T b) {
  using Wide = std::conditional_t<std::is_signed_v<T>, Int128, UInt128>;
  return static_cast<T>((Wide{a} * Wide{b}) >> (8 * sizeof(T)));
}

template <class U>
inline U low_product(U a, U b) {
  return static_cast<U>(std::uint64_t{a} * std::uint64_t{b});
}

template <class T>
inline T add(T a, T b) {
  return a + b;
}
template <class T>
inline T subtract(T a, T b) {
  return a - b;
}
template <class T>
inline T multiply(T a, T b) {
  return a * b;
}
template <class T>
inline T divide(T a, T b) {
  return a / b;
}
template <class T>
inline T fma(T a, T b, T c) {
  return std::fma(a, b, c);
}
float fma_rm(float a, float b, float c); ///< rounded down
float fma_rp(float a, float b, float c); ///< rounded up
float fma_rz(float a, float b, float c); ///< rounded to zero

template <class T>
inline T reciprocal(T a) {
  return 1 / a;
}
inline float reciprocal_approx(float a) {
  return 1 / a;
}
inline double reciprocal_approx(double a) { // with the lower half of its bits zero
  return as<double>(as<std::uint64_t>(1 / a) & 0xffffffff00000000U);
}
template <class T>
inline T square_root(T a) {
  return std::sqrt(a);
}
inline float square_root_approx(float a) {
  return std::sqrt(a);
}
inline float rsqrt_approx(float a) {
  return static_cast<float>(1 / std::sqrt(double{a}));
}
inline float ex2_approx(float a) {
  return static_cast<float>(std::exp2(double{a}));
}
inline float lg2_approx(float a) {
  return static_cast<float>(std::log2(double{a}));
}
inline float sin_approx(float a) {
  return static_cast<float>(std::sin(double{a}));
}
inline float cos_approx(float a) {
  return static_cast<float>(std::cos(double{a}));
}
inline float tanh_approx(float a) {
  return static_cast<float>(std::tanh(double{a}));
}

/// Subnormal numbers as zeros of their sign (`.ftz`).
inline float flushed(float a) {
  return std::fabs(a) < std::numeric_limits<float>::min() ? std::copysign(0.0F, a) : a;
}

/// Within 0 and 1; 0 for NaN (`.sat`).
template <class T>
inline T saturated(T a) {
  return a > 0 ? (a < 1 ? a : T(1)) : T(0);
}

template <class T>
inline T magnitude(T a) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fabs(a);
  } else {
    return a < 0 ? static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a)) : a;
  }
}

/// The other one where one is NaN; -0 is less than +0.
template <class T>
inline T smaller(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a == b) {
      return std::signbit(a) ? a : b;
    }
    return std::fmin(a, b);
  } else {
    return a < b ? a : b;
  }
}
template <class T>
inline T larger(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a == b) {
      return std::signbit(a) ? b : a;
    }
    return std::fmax(a, b);
  } else {
    return a > b ? a : b;
  }
}
template <class T>
inline T smaller_or_nan(T a, T b) {
  return std::isunordered(a, b) ? std::numeric_limits<T>::quiet_NaN() : smaller(a, b);
}
template <class T>
inline T larger_or_nan(T a, T b) {
  return std::isunordered(a, b) ? std::numeric_limits<T>::quiet_NaN() : larger(a, b);
}

template <class T>
inline bool is_unordered(T a, T b) {
  return std::isunordered(a, b);
}

template <class T>
inline T shifted_left(T a, std::uint32_t by) {
  return by >= 8 * sizeof(T) ? T(0) : static_cast<T>(a << by);
}

template <class T>
inline T shifted_right(T a, std::uint32_t by) {
  const std::uint32_t largest = 8 * sizeof(T) - 1;
  if (by > largest) {
    return std::is_signed_v<T> ? static_cast<T>(a >> largest) : T(0);
  }
  return static_cast<T>(a >> by);
}

template <class U>
inline U low_bits(std::uint32_t count) {
  return count >= 8 * sizeof(U) ? static_cast<U>(~U(0)) : static_cast<U>((U(1) << count) - 1);
}

/// `b` with `count` bits of `a` at `first`.
template <class U>
inline U insert_bits(U a, U b, std::uint32_t first, std::uint32_t count) {
  const U mask = shifted_left(low_bits<U>(count & 0xff), first & 0xff);
  return (b & ~mask) | (shifted_left(a, first & 0xff) & mask);
}

template <class U>
inline U extract_bits(U a, std::uint32_t first, std::uint32_t count) {
  return shifted_right(a, first & 0xff) & low_bits<U>(count & 0xff);
}

inline std::uint32_t leading_zeros(std::uint32_t a) {
  return a == 0 ? 32 : static_cast<std::uint32_t>(__builtin_clz(a));
}
inline std::uint32_t leading_zeros(std::uint64_t a) {
  return a == 0 ? 64 : static_cast<std::uint32_t>(__builtin_clzll(a));
}
inline std::uint32_t bits_set(std::uint64_t a) {
  return static_cast<std::uint32_t>(__builtin_popcountll(a));
}

inline std::uint32_t permuted(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
  const std::uint64_t bytes = (std::uint64_t{b} << 32) | a;
  std::uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned chosen = (selector >> (4 * i)) & 0xf;
    std::uint32_t byte = (bytes >> (8 * (chosen & 7))) & 0xff;
    if ((chosen & 8) != 0) {
      byte = (byte & 0x80) != 0 ? 0xff : 0;
    }
    result |= byte << (8 * i);
  }
  return result;
}

inline std::uint32_t any_logic(
    std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t table) {
  std::uint32_t result = 0;
  for (unsigned row = 0; row < 8; ++row) {
    if (((table >> row) & 1) != 0) {
      result |= ((row & 4) != 0 ? a : ~a) & ((row & 2) != 0 ? b : ~b) & ((row & 1) != 0 ? c : ~c);
    }
  }
  return result;
}

inline std::uint32_t funnel_left(std::uint32_t low, std::uint32_t high, std::uint32_t by) {
  return static_cast<std::uint32_t>((((std::uint64_t{high} << 32) | low) << (by & 31)) >> 32);
}
inline std::uint32_t funnel_right(std::uint32_t low, std::uint32_t high, std::uint32_t by) {
  return static_cast<std::uint32_t>(((std::uint64_t{high} << 32) | low) >> (by & 31));
}

template <class T>
inline T to_whole_rni(T a) {
  return std::nearbyint(a);
}
template <class T>
inline T to_whole_rzi(T a) {
  return std::trunc(a);
}
template <class T>
inline T to_whole_rmi(T a) {
  return std::floor(a);
}
template <class T>
inline T to_whole_rpi(T a) {
  return std::ceil(a);
}

/// The nearest that the type has; of NaN 0, and in 64 bits the highest bit alone.
template <class Int, class T>
inline Int to_integer(T a) {
  using Limits = std::numeric_limits<Int>;
  if (std::isnan(a)) {
    return sizeof(Int) == 8 ? static_cast<Int>(std::uint64_t{1} << 63) : Int(0);
  }
  const T past = std::ldexp(T(1), Limits::digits);
  if (a >= past) {
    return Limits::max();
  }
  return a <= (Limits::is_signed ? -past : T(0)) ? Limits::min() : static_cast<Int>(a);
}

std::uint16_t to_f16(float a);
std::uint16_t to_bf16(float a);
float from_f16(std::uint16_t a);
float from_bf16(std::uint16_t a);

} // namespace tests::ptx
