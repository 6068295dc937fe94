// What the layers are compared with: LibTorch's own expressions, in the type itself where the
// result must be the same to the bit, in float64 otherwise.
#pragma once

#include <linked_neurons/linked_neurons.h>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace tests {

namespace ln = linked_neurons;
using at::Tensor;

/// The layers as the parameters of typed tests, and their names there.
template <class Nothing, class... All>
struct TypesWithout {
  using Types = testing::Types<All...>;
};
#define TESTS_TYPE(A, function, Module) , ln::activation::A
using Activations = TypesWithout<void LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_TYPE)>::Types;
#undef TESTS_TYPE

struct ActivationNames {
  template <class Activation>
  static std::string GetName(int /*index*/) {
    return Activation::name;
  }
};

/// One half of each layer, by LibTorch's operators; `slope` broadcasts against `z`.
inline Tensor base(ln::activation::ReLU /*activation*/, const Tensor& z, const Tensor& /*slope*/) {
  return at::relu(z);
}
inline Tensor base(ln::activation::PReLU /*activation*/, const Tensor& z, const Tensor& slope) {
  return at::where(z > 0, z, slope * z);
}
inline Tensor base(ln::activation::SELU /*activation*/, const Tensor& z, const Tensor& /*slope*/) {
  // Not at::selu: before LibTorch 2.0 that computes exp(z) - 1, which has no digits near zero.
  // Nor clamp_max, whose derivative at the bound depends on LibTorch's version.
  const Tensor at_most_0 = at::where(z > 0, at::zeros_like(z), z);
  const Tensor curved =
      at::expm1(at_most_0) * (ln::activation::SELU::kLambda * ln::activation::SELU::kAlpha);
  return at::where(z > 0, z * ln::activation::SELU::kLambda, curved);
}
inline Tensor base(ln::activation::Swish /*activation*/, const Tensor& z, const Tensor& /*slope*/) {
  // At -infinity LibTorch multiplies it by 0 and gives NaN; the layer gives the limit.
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return at::where(z.eq(-kInfinity), at::zeros_like(z), at::silu(z));
}

/// Whether results equal LibTorch's to the bit.
template <class Activation>
inline constexpr bool is_bit_exact = std::is_base_of_v<ln::activation::ReLU, Activation> ||
                                     std::is_same_v<Activation, ln::activation::PReLU>;

/// A bias, one number a channel, as it broadcasts against x.
inline Tensor broadcast_bias(const Tensor& bias, const Tensor& x, int64_t dim) {
  std::vector<int64_t> sizes(x.dim() - at::maybe_wrap_dim(dim, x.dim()), 1);
  sizes[0] = bias.numel();
  return bias.view(sizes);
}

template <class Activation>
Tensor composed(
    const Tensor& x, const ln::Pair<Tensor>& slopes, int64_t dim, const Tensor& bias = {}) {
  const Tensor z = bias.defined() ? x + broadcast_bias(bias, x, dim) : x;
  return at::cat({base(Activation{}, z, slopes.pos), base(Activation{}, -z, slopes.neg)}, dim);
}

/// What a layer gave back.
struct Results {
  Tensor output;
  Tensor grad_input;
  ln::Pair<Tensor> grad_weight; ///< undefined without slopes
  Tensor grad_bias;             ///< undefined without a bias
};

/// The composed expression and its gradients, computed in `type` and left in it.
/// `slopes` are as the caller made them; `broadcast` tells how they lie against x. The sum with a
/// bias is rounded to the type in which the layer computes, whatever `type` is.
template <class Activation>
Results reference(
    const Tensor& x,
    const ln::Pair<Tensor>& slopes,
    at::IntArrayRef broadcast,
    int64_t dim,
    const Tensor& grad,
    at::ScalarType type,
    const Tensor& bias = {}) {
  Tensor z = x.detach();
  if (bias.defined()) {
    const auto compute = ln::detail::to_opmath_type(x.scalar_type());
    z = z.to(compute) + broadcast_bias(bias.detach().to(compute), x, dim);
  }
  const Tensor leaf = z.to(type).requires_grad_();
  ln::Pair<Tensor> leaves, shaped;
  std::vector<Tensor> inputs = {leaf};
  if (Activation::has_weight) {
    leaves = {
        slopes.pos.detach().to(type).requires_grad_(),
        slopes.neg.detach().to(type).requires_grad_()};
    shaped = {leaves.pos.view(broadcast), leaves.neg.view(broadcast)};
    inputs.insert(inputs.end(), {leaves.pos, leaves.neg});
  }
  const Tensor y = composed<Activation>(leaf, shaped, dim);
  const auto grads = torch::autograd::grad({y}, inputs, {grad.to(type)});
  Results results{y.detach(), grads[0], {}, {}};
  if (Activation::has_weight) {
    results.grad_weight = {grads[1], grads[2]};
  }
  if (bias.defined()) {
    results.grad_bias =
        grads[0].sum_to_size(broadcast_bias(bias, x, dim).sizes()).view(bias.sizes());
  }
  return results;
}

inline const std::vector<at::ScalarType> kTypes = {
    at::kFloat, at::kDouble, at::kHalf, at::kBFloat16};

inline double epsilon(at::ScalarType type) {
  switch (type) {
  case at::kDouble:
    return 0x1p-52;
  case at::kFloat:
    return 0x1p-23;
  case at::kHalf:
    return 0x1p-10;
  default:
    return 0x1p-7;
  }
}

inline double smallest_normal(at::ScalarType type) {
  switch (type) {
  case at::kDouble:
    return 0x1p-1022;
  case at::kHalf:
    return 0x1p-14;
  default:
    return 0x1p-126;
  }
}

/// Units in the last place of `type` at each element of a float64 tensor, subnormals included.
inline Tensor unit_in_last_place(const Tensor& value, at::ScalarType type) {
  const Tensor magnitude = value.abs().clamp_min(smallest_normal(type));
  return at::pow(2.0, at::floor(at::log2(magnitude))) * epsilon(type);
}

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
  const auto first = where[0].item<int64_t>();
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
  const Tensor same_sign = at::signbit(a).eq(at::signbit(b)).logical_or(a.isnan());
  expect_none(same_values(a, b).logical_and(same_sign).logical_not(), a, b, what);
}

inline void expect_same_values(
    const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const Tensor a = actual.cpu().to(at::kDouble);
  const Tensor b = expected.cpu().to(at::kDouble);
  expect_none(same_values(a, b).logical_not(), a, b, what);
}

/// |actual - expected| <= bound, infinities equal, NaN where NaN; expected and bound are float64.
inline void expect_within(
    const Tensor& actual, const Tensor& expected, const Tensor& bound, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const Tensor a = actual.cpu().to(at::kDouble);
  const Tensor good = same_values(a, expected).logical_or((a - expected).abs() <= bound);
  expect_none(good.logical_not(), a, expected, what);
}

/// The forward contract, given float64 results: so many units in the last place, or 4 times the
/// smallest normal number.
inline void expect_output_within(
    const Tensor& actual, const Tensor& expected, double units, const std::string& what) {
  const auto type = actual.scalar_type();
  // What overflows in the type is its infinity.
  const Tensor representable = expected.to(type).to(at::kDouble);
  const Tensor target = at::where(representable.isinf(), representable, expected);
  const Tensor bound =
      (unit_in_last_place(expected, type) * units).clamp_min(4 * smallest_normal(type));
  expect_within(actual, target, bound, what);
}

/// The backward contract: within 4 eps * 1.8 * (|g1| + |g2|) * max(1, |slopes|) of float64's.
inline void expect_gradient_within(
    const Tensor& actual,
    const Tensor& expected,
    const Tensor& grad,
    double largest_slope,
    int64_t dim,
    const std::string& what) {
  const auto halves = grad.cpu().to(at::kDouble).abs().chunk(2, dim);
  const double scale = 4 * epsilon(actual.scalar_type()) * 1.8 * std::max(1.0, largest_slope);
  expect_within(actual, expected, (halves[0] + halves[1]) * scale, what);
}

} // namespace tests
