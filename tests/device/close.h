// Numbers of a device against exact ones, and against the same numbers.
#pragma once

#include <linked_neurons/activation/number.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

namespace tests {

using linked_neurons::detail::BFloat16;
using linked_neurons::detail::Half;

struct Precision {
  const char* name;
  double epsilon;
  double smallest; ///< a subnormal number's last place, or more
};

template <class T>
inline constexpr Precision kPrecision = {"fp64", 0x1p-52, 0x1p-1022};
template <>
inline constexpr Precision kPrecision<float> = {"fp32", 0x1p-23, 0x1p-126};
template <>
inline constexpr Precision kPrecision<BFloat16> = {"bf16", 0x1p-7, 0x1p-126};
template <>
inline constexpr Precision kPrecision<Half> = {"fp16", 0x1p-10, 0x1p-24};

/// Fails with the first of the numbers that are further off than their bounds. These are a few
/// times what tests/contract.h promises: a wrong element is further off.
template <class T, class Number>
bool is_close(
    const std::vector<T>& actual,
    const std::vector<Number>& expected,
    const std::vector<double>& bounds,
    const char* what) {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double value = static_cast<double>(linked_neurons::detail::load(actual[i]));
    const auto wanted = static_cast<double>(expected[i]);
    if (!(std::abs(value - wanted) <= bounds[i])) {
      std::printf("  %s: element %zu is %.9g instead of %.9g\n", what, i, value, wanted);
      return false;
    }
  }
  return true;
}

template <class T>
bool is_same(const std::vector<T>& actual, const std::vector<T>& expected, const char* what) {
  if (std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)) == 0) {
    return true;
  }
  std::printf("  %s: other bits from the graph\n", what);
  return false;
}

} // namespace tests
