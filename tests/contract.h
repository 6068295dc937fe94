// The contract: how far the results of a layer may lie from those of the composed expression. The
// tests of kernels and layers take it from here. (Tests of derivatives in double, where both sides
// are LibTorch's own, state theirs.) `eps` is the distance from 1 to the next number of a type, g1
// and g2 are the gradients that arrive at the two halves, and the exact values are those that the
// composed expression has in float64.
//
// Output. A layer that saves masks (LK-ReLU, LK-PReLU, LK-LeakyReLU) gives the same bits as the
// composed expression, which computes 16-bit numbers in float and rounds them once. (On a CUDA
// device and on aarch64 they give the same values: LibTorch's own operators drop the sign of zero
// there, on aarch64 in a part of each row.) The other layers are within 1 unit in the last place of
// the exact value for 16-bit types and within 4 for float and double; where that is less than 4
// times the type's smallest normal number, they are within that. Of negative numbers LK-GELU and
// LK-Mish are within 8 units for float and double, and LK-GELUTanh, whose argument of an
// exponential is rounded, within 4 units or eps.
//
// Gradient of the input. LK-ReLU gives the same values as the composed expression. The others are
// within 4 eps * 1.8 * (|g1| + |g2|) * max(1, |weights|) of the exact value; 1.8 is above the
// largest derivative of the activations. Where the input is infinite or NaN nothing more is
// promised, as LibTorch's own derivatives may be NaN there.
//
// Gradients of the parameters. Each is a sum, which has a term for each element that the parameter
// belongs to. A term is off by 16 eps of the type in which the layer computes; a weight's also by
// eps of the input's type where there is a bias, since z, of which the weight's term is made, is
// then known from the rounded output; a bias' also by what the input's gradient may be off by. The
// sum is rounded once more, to the parameter's type.
#pragma once

#include "compare.h"
#include "reference.h"

#include <algorithm>
#include <string>
#include <type_traits>

namespace tests {

#if defined(__aarch64__)
inline constexpr bool kIsAarch64 = true;
#else
inline constexpr bool kIsAarch64 = false;
#endif

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

/// What the contract says of one activation's layer.
struct Contract {
  bool is_bit_exact;
  bool has_weight;
  bool selects; ///< so its gradient is bit-exact too
  double units; ///< that the output may be off in float and double
  bool has_rounded_tail;
  bool has_rounded_reference; ///< in float64, in the negative tail
  Results (*reference)(const Arguments& arguments, at::ScalarType type);
};

template <class Activation>
inline constexpr bool kIsLooser = std::is_same_v<Activation, ln::activation::GELU> ||
                                  std::is_same_v<Activation, ln::activation::Mish>;

template <class Activation>
constexpr Contract contract_of() {
  return {// Such an activation is linear on both sides of 0: it rounds once.
          Activation::saved == ln::Saved::masks,
          Activation::has_weight,
          Activation::only_selects,
          kIsLooser<Activation> ? 8.0 : 4.0,
          std::is_same_v<Activation, ln::activation::GELUTanh>,
          std::is_same_v<Activation, ln::activation::GELU>,
          &reference<Activation>};
}

/// The largest error of an output of `type` that is not bit-exact, given the exact values.
inline Tensor output_bound(const Contract& contract, const Tensor& exact, at::ScalarType type) {
  const double units = is_16_bit(type) ? 1 : contract.units;
  const double least =
      contract.has_rounded_tail ? epsilon(computing_type(type)) : 4 * smallest_normal(type);
  return (unit_in_last_place(exact, type) * units).clamp_min(least);
}

/// The results that the contract allows a layer for its arguments.
class Expected {
 public:
  Expected(const Contract& contract, const Arguments& arguments)
      : contract_(contract), arguments_(arguments), type_(arguments.x.scalar_type()),
        exact_(contract.reference(arguments, at::kDouble)) {
    if (contract.is_bit_exact) {
      computed_ =
          type_ == at::kDouble ? exact_ : contract.reference(arguments, computing_type(type_));
    }
    if (arguments.x.numel() > 0) {
      set_bounds();
    }
  }

  void check(const Results& actual) const {
    check_output(actual.output);
    check_grad_input(actual.grad_input);
    check_sums(actual);
  }

  void check_output(const Tensor& actual) const {
    ASSERT_EQ(actual.scalar_type(), type_);
    if (contract_.is_bit_exact) {
      const bool has_signs_of_zero = arguments_.x.is_cpu() && !kIsAarch64;
      const auto expect_same = has_signs_of_zero ? expect_same_bits : expect_same_values;
      expect_same(actual, computed_.output.to(type_), "output");
      return;
    }
    // What overflows in the type is its infinity.
    const Tensor representable = exact_.output.to(type_).to(at::kDouble);
    const Tensor expected = at::where(representable.isinf(), representable, exact_.output);
    Tensor bound = output_bound(contract_, exact_.output, type_);
    if (contract_.has_rounded_reference && type_ == at::kDouble) {
      bound = bound.clamp_min(epsilon(type_)); // bit_patterns_test knows it better
    }
    expect_within(actual, expected, bound, "output");
  }

  void check_grad_input(const Tensor& actual) const {
    ASSERT_EQ(actual.scalar_type(), type_);
    ASSERT_EQ(actual.sizes(), arguments_.x.sizes());
    if (contract_.selects) {
      expect_same_values(actual, computed_.grad_input.to(type_), "gradient of the input");
      return;
    }
    if (actual.numel() == 0) {
      return;
    }
    const Tensor finite = arguments_.x.detach().cpu().isfinite();
    const Tensor zero = at::zeros_like(exact_.grad_input);
    expect_within(
        at::where(finite, actual.cpu().to(at::kDouble), zero),
        at::where(finite, exact_.grad_input, zero),
        input_bound_,
        "gradient of the input");
  }

  /// The gradients of the parameters; one that is undefined was not asked for.
  void check_sums(const Results& actual) const {
    if (arguments_.x.numel() == 0) {
      return;
    }
    const auto& [pos, neg] = actual.grad_weight;
    if (pos.defined()) {
      check_sum(pos, exact_.grad_weight.pos, weight_bound_.pos, "gradient of weight_pos");
      check_sum(neg, exact_.grad_weight.neg, weight_bound_.neg, "gradient of weight_neg");
    }
    if (actual.grad_bias.defined()) {
      check_sum(actual.grad_bias, exact_.grad_bias, bias_bound_, "gradient of the bias");
    }
  }

 private:
  /// The largest errors of the gradients of the input and of the sums before they are rounded.
  void set_bounds() {
    const auto& [x, grad, dim, parameters, weight_sizes] = arguments_;
    const auto wide = [](const Tensor& tensor) { return tensor.detach().cpu().to(at::kDouble); };
    const double sum_epsilon = 16 * epsilon(computing_type(type_));
    const bool is_biased = parameters.bias.defined();
    const auto halves = wide(grad).abs().chunk(2, dim);
    double largest_weight = 1;
    Tensor z = wide(x);
    const Tensor bias = is_biased ? broadcast_bias(wide(parameters.bias), z, dim) : Tensor();
    if (contract_.has_weight) {
      const auto& [pos, neg] = parameters.weight;
      largest_weight = std::max(1.0, wide(at::stack({pos, neg})).abs().max().item<double>());
      z = is_biased ? z + bias : z;
      const Tensor of_terms = z.abs() * (sum_epsilon + (is_biased ? epsilon(type_) : 0));
      weight_bound_ = {
          (of_terms * halves[0]).sum_to_size(weight_sizes),
          (of_terms * halves[1]).sum_to_size(weight_sizes)};
    }
    const Tensor arriving = (halves[0] + halves[1]) * largest_weight;
    input_bound_ = arriving * (4 * epsilon(type_) * 1.8);
    if (is_biased) {
      Tensor of_terms = arriving * sum_epsilon;
      if (!contract_.is_bit_exact) {
        of_terms = of_terms + input_bound_;
      }
      bias_bound_ = of_terms.sum_to_size(bias.sizes());
    }
  }

  static void check_sum(
      const Tensor& actual, const Tensor& exact, const Tensor& bound, const std::string& what) {
    const Tensor rounding = unit_in_last_place(exact, actual.scalar_type());
    expect_within(actual, exact, bound.view(exact.sizes()) + rounding, what);
  }

  Contract contract_;
  Arguments arguments_;
  at::ScalarType type_;
  Results exact_;    ///< of the composed expression in float64
  Results computed_; ///< of the composed expression in the computing type, where bits are compared
  Tensor input_bound_;
  ln::Pair<Tensor> weight_bound_; ///< undefined without weights
  Tensor bias_bound_;             ///< undefined without a bias
};

} // namespace tests
