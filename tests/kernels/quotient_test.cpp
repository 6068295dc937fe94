// What a device computes in place of a division, from any reciprocal that the device may give it.

#include <linked_neurons/activation/number.h>
#include <linked_neurons/activation/quotient.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>

namespace tests {
namespace {

namespace math = linked_neurons::math;

/// Exponents of numerators and denominators, the last ones excluded.
struct Range {
  const char* name;
  int a_from, a_to;
  int b_from, b_to;
  double largest_error; ///< in units in the last place

  friend std::ostream& operator<<(std::ostream& stream, const Range& self) {
    return stream << self.name;
  }
};

class Quotient : public testing::TestWithParam<Range> {};

/// `exponent` and 23 random bits behind the point.
float random_number(std::mt19937& random, int exponent) {
  return std::ldexp(1.0F + std::ldexp(static_cast<float>(random() >> 9), -23), exponent);
}

/// The number so many units in the last place further.
float shifted(float x, int units) {
  namespace detail = linked_neurons::detail;
  return detail::bit_cast<float>(detail::bit_cast<std::int32_t>(x) + units);
}

TEST_P(Quotient, IsAsCloseAsItSays) {
  const Range& range = GetParam();
  std::mt19937 random(7);
  double largest = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::uniform_int_distribution<int> a_exponent(range.a_from, range.a_to - 1);
    std::uniform_int_distribution<int> b_exponent(range.b_from, range.b_to - 1);
    const float a = random_number(random, a_exponent(random));
    const float b = random_number(random, b_exponent(random));
    const double expected = static_cast<double>(a) / b;
    const double unit = std::ldexp(1.0, std::max(std::ilogb(expected) - 23, -149));
    for (const int units : {-1, 0, 1}) {
      const float reciprocal = shifted(static_cast<float>(1.0 / b), units);
      const double got = math::detail::quotient(a, b, reciprocal);
      largest = std::max(largest, std::abs(got - expected) / unit);
      ASSERT_LE(largest, range.largest_error) << a << " / " << b;
      ASSERT_EQ(math::detail::quotient(-a, b, reciprocal), -got);
      ASSERT_EQ(math::detail::quotient(0.0F, b, reciprocal), 0);
    }
  }
}

// Half a unit, and what the corrections' own rounding adds.
INSTANTIATE_TEST_SUITE_P(
    ,
    Quotient,
    testing::Values(
        Range{"not_small", -100, 100, -20, 20, 0.500001},
        Range{"subnormal_by_64_and_more", -149, -100, 6, 20, 0.508},
        Range{"small_by_less", -149, -100, -20, 6, 4}),
    [](const auto& info) { return std::string(info.param.name); });

} // namespace
} // namespace tests
