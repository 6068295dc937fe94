// What a device computes 16-bit results in, with any exponential and reciprocal that it may give.

#include <linked_neurons/activation/approximate_float.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tests {
namespace {

namespace math = linked_neurons::math;
using math::ApproximateFloat;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// The relative errors of ex2.approx and rcp.approx, by the PTX ISA's tables: at most 2^-22 each.
/// The host's are less, so this is added to what it is found to have.
constexpr double kOfDevice = 0x1p-22;

TEST(ApproximateFloat, DecayHas17Bits) {
  double largest = 0;
  for (float x = 0; x <= 110; x += 0.00037F) {
    const auto [raised, low] = math::decay(ApproximateFloat(x));
    const double product = double{float(raised)} * float(low);
    largest = std::max(largest, std::abs(product / std::exp(-double{x}) - 1));
  }
  EXPECT_LE(largest + kOfDevice, 0x1p-17);
  EXPECT_TRUE(std::isnan(float(math::decay(ApproximateFloat(kNaN)).raised)));
}

TEST(ApproximateFloat, Expm1Has18Bits) {
  double largest = 0;
  const auto check = [&largest](float x) {
    const double expected = std::expm1(double{x});
    const double error = std::abs(float(math::expm1(ApproximateFloat(x))) - expected);
    // The series near 0 has nothing of the device's.
    const double of_device = x > -0x1p-3F ? 0 : kOfDevice * std::exp(double{x});
    largest = std::max(largest, (error + of_device) / -expected);
  };
  for (float x = -120; x < 0; x += 0.00037F) {
    check(x);
  }
  for (float x = -0.25F; x < -1e-38F; x *= 0.9993F) {
    check(x);
  }
  EXPECT_LE(largest, 0x1p-18);
  EXPECT_EQ(float(math::expm1(ApproximateFloat(0))), 0);
  EXPECT_EQ(float(math::expm1(ApproximateFloat(-kInfinity))), -1);
  EXPECT_TRUE(std::isnan(float(math::expm1(ApproximateFloat(kNaN)))));
}

TEST(ApproximateFloat, QuotientHas21Bits) {
  double largest = 0;
  for (float a = 0x1p-90F; a < 0x1p90F; a *= 1.37F) {
    for (float b = 0x1p-20F; b < 0x1p20F; b *= 1.0173F) {
      const float got(math::quotient(ApproximateFloat(-a), ApproximateFloat(b)));
      largest = std::max(largest, std::abs(got / (double{-a} / b) - 1));
    }
  }
  EXPECT_LE(largest + kOfDevice, 0x1p-21);
}

} // namespace
} // namespace tests
