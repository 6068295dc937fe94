// Accuracy: all 65 536 patterns of half and of bfloat16, and dense samples of float and double near
// zero and far from it, for every CPU target and the CUDA kernels executed on the host.

#include "activations.h"
#include "backends.h"
#include "contract.h"
#include "exact.h"

#include <linked_neurons/detail/run.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

namespace tests {
namespace {

template <class Activation>
Results run(const Backend& backend, const Tensor& x, const Tensor& grad, bool keep_output = false) {
  const auto kind = ln::detail::ParameterShape::one;
  const ln::detail::Parameters parameters{{}, {}, kNumber<Activation>};
  const auto forwarded =
      ln::detail::run_forward<Activation>(&backend, x, parameters, kind, 1, !keep_output);
  const ln::detail::SavedForBackward saved{
      Activation::saved == ln::Saved::input ? x : forwarded.output,
      Activation::saved == ln::Saved::input,
      forwarded.masks,
      forwarded.mask_layout,
      parameters,
      kind,
      1,
      {}};
  const auto gradients =
      ln::detail::run_backward<Activation>(backend, grad, saved, ln::detail::layout_of(x, 1));
  return {forwarded.output, gradients.input};
}

Tensor all_patterns(at::ScalarType type) {
  return at::arange(-32768, 32768, at::kShort).view(type).view({64, 1024});
}

template <class Activation>
class BitPatterns : public testing::Test {};

TYPED_TEST_SUITE(BitPatterns, ActivationsWithoutWeights, NameOfActivation);

TYPED_TEST(BitPatterns, All16BitNumbers) {
  using Activation = TypeParam;
  torch::manual_seed(21);
  for (const auto type : {at::kHalf, at::kBFloat16}) {
    const Tensor x = all_patterns(type);
    const Tensor grad = torch::randn({64, 2048}, at::kDouble).to(type);
    const Expected expected(contract_of<Activation>(), {x, grad});
    for (const NamedBackend& each : backends<Activation>()) {
      SCOPED_TRACE(each.name + " " + c10::toString(type));
      expected.check(run<Activation>(*each.backend, x, grad));
      if (Activation::output_tells_masks) {
        SCOPED_TRACE("from the output");
        expected.check(run<Activation>(*each.backend, x, grad, true));
      }
    }
  }
}

/// Numbers of every magnitude, of both signs, and the special ones.
Tensor samples(at::ScalarType type) {
  const double decades = type == at::kDouble ? 307 : 37;
  std::vector<Tensor> parts = {
      at::pow(10.0, at::linspace(-decades, decades, 40000, at::kDouble)),
      at::linspace(0, 20, 40000, at::kDouble),
      at::linspace(0, 1, 20000, at::kDouble),
      at::linspace(80, 800, 20000, at::kDouble),
      at::tensor({0.0, 5e-324, 1e-45, 1e-40, 1e-310, 88.7, 103.9, 745.1}, at::kDouble)};
  const Tensor magnitudes = at::cat(parts).to(type);
  const Tensor x = at::cat({magnitudes, -magnitudes});
  return x.view({8, x.numel() / 8});
}

/// The results for the samples of a type, all of them, against (g(x), g(-x)) = `nearest` + `rest`.
template <class Activation>
void check_units(const Tensor& x, const Tensor& nearest, const Tensor& rest) {
  const auto type = x.scalar_type();
  const Tensor grad = at::ones(nearest.sizes(), type);
  for (const NamedBackend& each : backends<Activation>()) {
    const auto results = run<Activation>(*each.backend, x, grad);
    const Tensor error = (results.output.to(at::kDouble) - nearest - rest).abs();
    const Tensor both_infinite = results.output.isinf().logical_and(nearest.to(type).isinf());
    expect_none(
        (error <= output_bound(contract_of<Activation>(), nearest, type))
            .logical_or(both_infinite)
            .logical_not(),
        results.output.to(at::kDouble),
        nearest,
        each.name + " " + c10::toString(type));
  }
}

TYPED_TEST(BitPatterns, FloatWithinItsUnits) {
  const Tensor x = samples(at::kFloat);
  const Tensor nearest = composed<TypeParam>(x.to(at::kDouble), {}, 1);
  check_units<TypeParam>(x, nearest, at::zeros_like(nearest));
}

TYPED_TEST(BitPatterns, DoubleWithinItsUnits) {
  using Value = decltype(exact_halves(TypeParam{}, 0.0L));
  if constexpr (std::is_same_v<Value, ln::Pair<NoFormula>>) {
    GTEST_SKIP() << "exact() has no formula of " << TypeParam::name;
  } else {
    const Tensor x = samples(at::kDouble);
    // The exact result in two doubles: its nearest, and the rest.
    const auto split = [&x](auto half) {
      Tensor nearest = at::empty_like(x);
      Tensor rest = at::empty_like(x);
      for (int64_t i = 0; i < x.numel(); ++i) {
        const long double value = half(exact_halves(TypeParam{}, x.data_ptr<double>()[i]));
        nearest.data_ptr<double>()[i] = static_cast<double>(value);
        rest.data_ptr<double>()[i] =
            static_cast<double>(std::isinf(value) ? 0.0L : value - static_cast<double>(value));
      }
      return std::pair(nearest, rest);
    };
    const auto pos = split([](const Value& y) { return y.pos; });
    const auto neg = split([](const Value& y) { return y.neg; });
    check_units<TypeParam>(
        x, at::cat({pos.first, neg.first}, 1), at::cat({pos.second, neg.second}, 1));
  }
}

} // namespace
} // namespace tests
