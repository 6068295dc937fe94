// The arithmetic that the kernels are made of: 16-bit numbers, elementary functions, divisions of
// indices.

#include <linked_neurons/activation/math.h>
#include <linked_neurons/activation/normal_tail.h>
#include <linked_neurons/activation/number.h>
#include <linked_neurons/cuda/int_divider.h>

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace tests {
namespace {

namespace ln = linked_neurons;
using at::Tensor;

TEST(Numbers, ConvertLikeLibTorch) {
  const auto check = [](at::ScalarType type, auto bits) {
    using T = decltype(bits);
    const Tensor patterns = at::arange(-32768, 32768, at::kShort).view(type);
    const Tensor wide = patterns.to(at::kFloat);
    // Between the 16-bit numbers too, where rounding decides.
    const Tensor between = at::cat({wide, wide * 1.0009765625, wide * (1 + 0x1p-8), wide * 0.9995});
    const Tensor rounded = between.to(type);
    for (std::int64_t i = 0; i < between.numel(); ++i) {
      const float value = between.data_ptr<float>()[i];
      const auto expected =
          static_cast<std::uint16_t>(static_cast<const std::int16_t*>(rounded.data_ptr())[i]);
      const T stored = ln::detail::store<T>(value);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(ln::detail::load(stored)));
      } else {
        EXPECT_EQ(stored.bits, expected) << value;
      }
      if (i < wide.numel() && !std::isnan(value)) {
        EXPECT_EQ(ln::detail::load(T{expected}), value);
      }
    }
  };
  check(at::kHalf, ln::detail::Half{});
  check(at::kBFloat16, ln::detail::BFloat16{});
}

TEST(Math, ExponentialsWithin2Units) {
  for (double x = -746; x < 711; x += 0.0371) {
    for (const double at : {x, x / 1000, x * 1e-9}) {
      const auto bound = [](long double value, double unit) {
        return 2 * std::max(std::fabs(static_cast<double>(value)) * unit, unit * 0x1p-1022);
      };
      const long double e = std::exp(static_cast<long double>(at));
      const long double m = std::expm1(static_cast<long double>(at));
      if (e < std::numeric_limits<double>::max()) {
        EXPECT_LE(std::fabs(static_cast<double>(ln::math::exp(at) - e)), bound(e, 0x1p-52)) << at;
        EXPECT_LE(std::fabs(static_cast<double>(ln::math::expm1(at) - m)), bound(m, 0x1p-52)) << at;
      }
      if (at <= 0 && ln::math::bounded_for_decay(-at) == -at) {
        const auto [raised, low] = ln::math::decay(-at);
        const long double product = static_cast<long double>(raised) * low;
        EXPECT_LE(std::fabs(static_cast<double>(product - e)), bound(e, 0x1p-52)) << at;
      }
      const auto narrow = static_cast<float>(at);
      const double ef = std::exp(static_cast<double>(narrow));
      const double mf = std::expm1(static_cast<double>(narrow));
      if (ef < std::numeric_limits<float>::max()) {
        const auto bound_f = [](double value) {
          return 2 * std::max(std::fabs(value) * 0x1p-23, 0x1p-149);
        };
        EXPECT_LE(std::fabs(ln::math::exp(narrow) - ef), bound_f(ef)) << narrow;
        EXPECT_LE(std::fabs(ln::math::expm1(narrow) - mf), bound_f(mf)) << narrow;
      }
      if (narrow <= 0 && ln::math::bounded_for_decay(-narrow) == -narrow) {
        const auto [raised, low] = ln::math::decay(-narrow);
        EXPECT_LE(std::fabs(double{raised} * low - ef), 2 * std::max(ef * 0x1p-23, 0x1p-149))
            << narrow;
      }
    }
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ln::math::exp(infinity), infinity);
  EXPECT_EQ(ln::math::exp(-infinity), 0);
  EXPECT_EQ(ln::math::expm1(-infinity), -1);
  EXPECT_EQ(ln::math::expm1(infinity), infinity);
  EXPECT_TRUE(std::isnan(ln::math::exp(std::nanf(""))));
  EXPECT_TRUE(std::isnan(ln::math::expm1(std::nanf(""))));
}

/// |x|, its neighbours in the type and their negatives, against the C library in long double.
template <class T>
void check_sin_cos(T x) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const int units = std::is_same_v<T, float> ? 2 : 3;
  const auto within = [&](T actual, long double expected) {
    const T rounded = static_cast<T>(std::fabs(expected));
    const T unit = std::max(
        std::nextafter(rounded, kInfinity) - rounded, std::numeric_limits<T>::denorm_min());
    return std::fabs(actual - expected) <= units * static_cast<long double>(unit);
  };
  for (const T at : {x, -x, std::nextafter(x, kInfinity), -std::nextafter(x, T(0))}) {
    const auto [sine, cosine] = ln::math::sin_cos(at);
    EXPECT_TRUE(within(sine, std::sin(static_cast<long double>(at)))) << at << ": " << sine;
    EXPECT_TRUE(within(cosine, std::cos(static_cast<long double>(at)))) << at << ": " << cosine;
  }
}

TEST(Math, SineAndCosineWithin2UnitsInFloatAnd3InDouble) {
  const long double half_pi = std::acos(-1.0L) / 2;
  const auto check = [](long double x) {
    check_sin_cos(static_cast<float>(x));
    check_sin_cos(static_cast<double>(x));
  };
  for (int i = 0; i < 100000; ++i) {
    check(half_pi * (3 * i)); // up to the bound, where digits cancel
    check(half_pi * (0.5L + 3 * i));
    check(i * 3.1e-5L);
    check(i * 5.1234567L);
  }
  for (long double x = 5; x > 1e-310L; x /= 3) {
    check_sin_cos(static_cast<double>(x));
  }
  check(ln::math::kSinCosBound * (1 - 0x1p-52));
  EXPECT_TRUE(std::signbit(ln::math::sin_cos(-0.0F).sin));
  EXPECT_FALSE(std::signbit(ln::math::sin_cos(0.0).sin));
  EXPECT_TRUE(std::isnan(ln::math::sin_cos(std::nanf("")).sin));
  EXPECT_TRUE(std::isnan(ln::math::sin_cos(std::nan("")).cos));
}

TEST(Math, LogarithmWithin2AndNormalTailWithin6Units) {
  const auto check = [](auto zero) {
    using T = decltype(zero);
    const auto within = [](T actual, long double expected, int units) {
      const auto magnitude = std::max<long double>(expected, std::numeric_limits<T>::min());
      const long double unit =
          std::numeric_limits<T>::epsilon() * std::exp2(std::floor(std::log2(magnitude)));
      return std::fabs(actual - expected) <= units * unit;
    };
    for (int i = 0; i <= 40000; ++i) {
      const T fraction = static_cast<T>(i) / 40000;
      for (const T x : {fraction, fraction * fraction * fraction * fraction * T(1e-7)}) {
        const long double expected = std::log1p(static_cast<long double>(x));
        EXPECT_TRUE(within(ln::math::log1p_of_fraction(x), expected, 2)) << x;
      }
      const T x = fraction * 39;
      const long double expected = std::erfc(static_cast<long double>(x) / std::sqrt(2.0L)) / 2;
      EXPECT_TRUE(within(ln::math::normal_tail(x), expected, 6)) << x;
    }
    EXPECT_EQ(ln::math::normal_tail(std::numeric_limits<T>::infinity()), 0);
    EXPECT_TRUE(std::isnan(ln::math::normal_tail(std::numeric_limits<T>::quiet_NaN())));
    EXPECT_TRUE(std::isnan(ln::math::log1p_of_fraction(std::numeric_limits<T>::quiet_NaN())));
  };
  check(0.0F);
  check(0.0);
}

TEST(IntDivider, DividesLikeTheProcessor) {
  const auto check = [](auto zero) {
    using Index = decltype(zero);
    const Index largest = std::numeric_limits<Index>::max() / 2;
    for (const Index divisor :
         {Index{1},
          Index{2},
          Index{3},
          Index{7},
          Index{64},
          Index{641},
          Index{50176},
          largest / 3,
          largest - 1,
          largest}) {
      const auto divider = ln::cuda::IntDivider<Index>::of(divisor);
      for (const Index near : {Index{0}, divisor, Index(divisor * 2), largest / 2, largest}) {
        for (int step = -2; step <= 2; ++step) {
          const Index n = near + static_cast<Index>(step);
          if (n <= largest) {
            EXPECT_EQ(divider.divide(n), n / divisor) << n << " / " << divisor;
          }
        }
      }
    }
  };
  check(std::uint32_t{});
  check(std::uint64_t{});
}

} // namespace
} // namespace tests
