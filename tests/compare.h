// Tensors against each other, element by element: equal as bits, equal as values, within a bound.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdint>
#include <string>

namespace tests {

using at::Tensor;

/// Both NaN, or equal as values.
inline Tensor same_values(const Tensor& a, const Tensor& b) {
  return a.eq(b).logical_or(a.isnan().logical_and(b.isnan()));
}

/// Fails with the first of the elements of `bad` that are true.
inline void expect_none(
    const Tensor& bad, const Tensor& actual, const Tensor& expected, const std::string& what) {
  if (!bad.any().item<bool>()) {
    return;
  }
  const Tensor where = bad.reshape({-1}).nonzero().select(1, 0);
  const auto first = where[0].item<std::int64_t>();
  ADD_FAILURE() << what << ": " << where.numel() << " of " << bad.numel()
                << " elements are wrong, the first at " << first << ": "
                << actual.reshape({-1})[first].item<double>() << " instead of "
                << expected.reshape({-1})[first].item<double>();
}

/// Equal to the bit, but for a NaN's payload.
inline void expect_same_bits(
    const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  ASSERT_EQ(actual.scalar_type(), expected.scalar_type()) << what;
  const Tensor a = actual.cpu().to(at::kDouble);
  const Tensor b = expected.cpu().to(at::kDouble);
  // Every value of the smaller types is one of double's, so only the sign of zero is left to ask.
  const Tensor signs_a = at::signbit(a);
  const Tensor signs_b = at::signbit(b);
  if (!a.equal(b) || !signs_a.equal(signs_b)) {
    const Tensor same_sign = signs_a.eq(signs_b).logical_or(a.isnan());
    expect_none(same_values(a, b).logical_and(same_sign).logical_not(), a, b, what);
  }
}

inline void expect_same_values(
    const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const Tensor a = actual.cpu().to(at::kDouble);
  const Tensor b = expected.cpu().to(at::kDouble);
  if (!a.equal(b)) {
    expect_none(same_values(a, b).logical_not(), a, b, what);
  }
}

/// |actual - expected| <= bound, infinities equal, NaN where NaN; expected and bound are float64.
inline void expect_within(
    const Tensor& actual, const Tensor& expected, const Tensor& bound, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const Tensor a = actual.cpu().to(at::kDouble);
  const Tensor is_within = (a - expected).abs() <= bound;
  if (!is_within.all().item<bool>()) {
    expect_none(same_values(a, expected).logical_or(is_within).logical_not(), a, expected, what);
  }
}

} // namespace tests
