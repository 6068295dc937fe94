/// \file
/// The number types as they lie in memory, and the way to and from the type that computes.
///
/// Conversions are branch-free on the host, so that compilers vectorise them, and the processor's
/// own on a device.
#pragma once

#include <linked_neurons/macros.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace linked_neurons::detail {

/// IEEE 754 binary16 in memory.
struct Half {
  std::uint16_t bits;
  static constexpr std::uint16_t kInfinity = 0x7c00;
};

/// The upper half of a binary32 in memory.
struct BFloat16 {
  std::uint16_t bits;
  static constexpr std::uint16_t kInfinity = 0x7f80;
};

template <class T>
struct OpMathType {
  using type = T;
};
template <>
struct OpMathType<Half> {
  using type = float;
};
template <>
struct OpMathType<BFloat16> {
  using type = float;
};

/// The type that `T` computes in: float for the 16-bit types, itself otherwise.
template <class T>
using opmath_type = typename OpMathType<T>::type;

template <class To, class From>
LINKED_NEURONS_FN To bit_cast(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "a bit_cast keeps the size");
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

/// `condition ? a : b` for an unsigned integer, with no branch for a compiler to make of it.
template <class U>
LINKED_NEURONS_FN U select_bits(bool condition, U a, U b) {
  const U mask = U(0) - U(condition);
  return (a & mask) | (b & ~mask);
}

/// `condition ? a : b` for a number. On the host it works on the bits: a conditional expression may
/// become a branch around the computation of `a` or `b`, and then no loop around it is vectorised.
LINKED_NEURONS_FN float select(bool condition, float a, float b) {
#if defined(__CUDA_ARCH__)
  return condition ? a : b;
#else
  using Bits = std::uint32_t;
  return bit_cast<float>(select_bits(condition, bit_cast<Bits>(a), bit_cast<Bits>(b)));
#endif
}
LINKED_NEURONS_FN double select(bool condition, double a, double b) {
#if defined(__CUDA_ARCH__)
  return condition ? a : b;
#else
  using Bits = std::uint64_t;
  return bit_cast<double>(select_bits(condition, bit_cast<Bits>(a), bit_cast<Bits>(b)));
#endif
}

LINKED_NEURONS_FN Half select(bool condition, Half a, Half b) {
  return {select_bits(condition, a.bits, b.bits)};
}
LINKED_NEURONS_FN BFloat16 select(bool condition, BFloat16 a, BFloat16 b) {
  return {select_bits(condition, a.bits, b.bits)};
}

// What an activation that is exact takes of 16-bit numbers, without making floats of them:
// comparisons with zero and a change of sign.

template <class T>
using If16Bit = std::enable_if_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, int>;

template <class T, If16Bit<T> = 0>
LINKED_NEURONS_FN bool is_zero(T x) {
  return (x.bits & 0x7fffU) == 0;
}

template <class T, If16Bit<T> = 0>
LINKED_NEURONS_FN bool operator>(T x, int /*zero*/) {
  return static_cast<std::uint16_t>(x.bits - 1U) < T::kInfinity;
}
template <class T, If16Bit<T> = 0>
LINKED_NEURONS_FN bool operator<(T x, int /*zero*/) {
  return static_cast<std::uint16_t>(x.bits - 0x8001U) < T::kInfinity;
}
template <class T, If16Bit<T> = 0>
LINKED_NEURONS_FN bool operator>=(T x, int zero) {
  return bool(int(x > zero) | int(is_zero(x)));
}
template <class T, If16Bit<T> = 0>
LINKED_NEURONS_FN bool operator<=(T x, int zero) {
  return bool(int(x < zero) | int(is_zero(x)));
}

template <class T, If16Bit<T> = 0>
LINKED_NEURONS_FN T operator-(T x) {
  return {static_cast<std::uint16_t>(x.bits ^ 0x8000U)};
}

LINKED_NEURONS_FN float load(float x) {
  return x;
}
LINKED_NEURONS_FN double load(double x) {
  return x;
}

LINKED_NEURONS_FN float load(BFloat16 x) {
  return bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

LINKED_NEURONS_FN float load(Half x) {
#if defined(__CUDA_ARCH__)
  __half_raw raw;
  raw.x = x.bits;
  return __half2float(__half(raw));
#else
  constexpr std::uint32_t kExponent = 0x7c00U << 13;
  const std::uint32_t sign = (x.bits & 0x8000U) << 16;
  const std::uint32_t magnitude = (x.bits & 0x7fffU) << 13;
  const std::uint32_t exponent = magnitude & kExponent;
  // A normal number only needs its exponent's bias changed, from 15 to 127.
  const std::uint32_t normal = magnitude + ((127U - 15U) << 23);
  const std::uint32_t special = normal + ((128U - 16U) << 23);
  // A subnormal one is the fraction of 2^-14: let a subtraction normalise it.
  const auto subnormal =
      bit_cast<std::uint32_t>(bit_cast<float>(normal + (1U << 23)) - bit_cast<float>(113U << 23));
  const std::uint32_t finite = select_bits(exponent == 0, subnormal, normal);
  const std::uint32_t bits = select_bits(exponent == kExponent, special, finite);
  return bit_cast<float>(bits | sign);
#endif
}

/// `x` rounded to nearest even as a `T`. It comes out of an operation, so a NaN is a quiet one.
template <class T>
LINKED_NEURONS_FN T store(opmath_type<T> x);

template <>
LINKED_NEURONS_FN float store<float>(float x) {
  return x;
}
template <>
LINKED_NEURONS_FN double store<double>(double x) {
  return x;
}

template <>
LINKED_NEURONS_FN BFloat16 store<BFloat16>(float x) {
#if defined(__CUDA_ARCH__)
  return {__nv_bfloat16_raw(__float2bfloat16_rn(x)).x};
#else
  // Rounding may not carry a NaN's payload into the sign: first of a positive one, then of a
  // negative.
  const auto positive = std::min(bit_cast<std::int32_t>(x), std::int32_t{0x7fff7fff});
  const auto bits = std::min(static_cast<std::uint32_t>(positive), 0xffff7fffU);
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
#endif
}

template <>
LINKED_NEURONS_FN Half store<Half>(float x) {
#if defined(__CUDA_ARCH__)
  return {__half_raw(__float2half_rn(x)).x};
#else
  constexpr std::uint32_t kInfinity = 0xffU << 23;
  constexpr std::uint32_t kOverflow = (127U + 16U) << 23; // 65536
  constexpr std::uint32_t kSmallestNormal = (127U - 14U) << 23;
  constexpr std::uint32_t kHalf = 126U << 23; // 0.5, whose last place is half's smallest subnormal
  const auto bits = bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  const std::uint32_t normal =
      (magnitude - ((127U - 15U) << 23) + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  const auto subnormal =
      bit_cast<std::uint32_t>(bit_cast<float>(magnitude) + bit_cast<float>(kHalf)) - kHalf;
  const std::uint32_t special = 0x7c00U | (std::uint32_t(magnitude > kInfinity) << 9);
  const std::uint32_t finite = select_bits(magnitude < kSmallestNormal, subnormal, normal);
  const std::uint32_t result = select_bits(magnitude >= kOverflow, special, finite);
  return {static_cast<std::uint16_t>(result | sign)};
#endif
}

} // namespace linked_neurons::detail
