/// \file
/// Division by a number that is known only at run time, as a multiplication.
#pragma once

#include <linked_neurons/macros.h>

#include <cstdint>
#include <type_traits>

namespace linked_neurons::cuda {

/// The upper half of the product.
LINKED_NEURONS_FN std::uint32_t multiply_high(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>((std::uint64_t{a} * b) >> 32);
}

__extension__ typedef unsigned __int128 Uint128; // NOLINT(modernize-use-using): not after that word

LINKED_NEURONS_FN std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#else
  return static_cast<std::uint64_t>((Uint128{a} * b) >> 64);
#endif
}

/// Divides numbers below 2^(bits - 1) by a divisor in the same range, `bits` being those of
/// `Index`: n / d = (n * multiplier / 2^bits + n) / 2^shift (Granlund and Montgomery, 1994,
/// figure 4.1).
template <class Index>
struct IntDivider {
  Index divisor;
  Index multiplier;
  unsigned shift;

  static IntDivider of(Index divisor) {
    // No wider than need be: a launch makes five of these, and wide divisions are slow.
    using Wide = std::conditional_t<sizeof(Index) == 4, std::uint64_t, Uint128>;
    constexpr unsigned kBits = 8 * sizeof(Index);
    unsigned shift = 0;
    while ((Wide{1} << shift) < divisor) {
      ++shift;
    }
    const Wide excess = (Wide{1} << shift) - divisor;
    return {divisor, static_cast<Index>((excess << kBits) / divisor + 1), shift};
  }

  LINKED_NEURONS_FN Index divide(Index n) const {
    return (multiply_high(n, multiplier) + n) >> shift;
  }
};

} // namespace linked_neurons::cuda
