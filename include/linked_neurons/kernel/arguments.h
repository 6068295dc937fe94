/// \file
/// What the CPU loops and the CUDA kernels are given: plain pointers over one view of memory.
///
/// A dense input, whatever its memory format, is rows of `row` = channels x inner elements; its
/// linked output is, for each row, that row's first half and then its second:
///
///     input  [outer][row]          element i
///     output [outer][2][row]       elements i + row * (i / row), and `row` after that
///
/// So the axis and the format are two numbers, and one loop serves all of them.
#pragma once

#include <linked_neurons/activation/activation.h>

#include <cstdint>
#include <type_traits>

namespace linked_neurons::detail {

/// Where an element finds a trained parameter (a weight, a bias): that of element i is value
/// (i / inner) % count.
struct ParameterIndex {
  std::int64_t inner = 1;
  std::int64_t count = 1;

  /// The elements after which the values repeat.
  std::int64_t period() const {
    return inner * count;
  }
};

/// The weights of both halves, of the type that computes.
struct Weights {
  Pair<const void*> values; ///< null for an activation without weights
  ParameterIndex index;
};

/// What is added to the input before the activation, of the type that computes.
struct Bias {
  const void* values; ///< null where there is none
  ParameterIndex index;
};

/// What forward is given. The elements of `input` and `output` are of the tensors' type, which a
/// kernel knows from its template parameters.
struct ForwardArguments {
  const void* input;
  void* output;
  std::uint8_t* masks; ///< null where they are not saved
  std::int64_t numel;  ///< of the input
  std::int64_t row;
  Weights weight;
  Bias bias;
  double number; ///< that of an activation that has one
};

/// What backward is given. Gradients of parameters are sums over the elements of each value, of the
/// type that computes: one number a weight and one a channel of the bias. They are null where not
/// wanted.
struct BackwardArguments {
  const void* grad;            ///< with respect to the output; one element if `grad_is_uniform`
  const void* input_or_output; ///< the input, or the output, or null, as the activation's `saved`
  const std::uint8_t* masks;   ///< null where the output tells them, if the activation has it so
  void* grad_input;
  std::int64_t numel; ///< of the input
  std::int64_t row;
  Weights weight;
  Bias bias; ///< its values are read where the input is saved
  Pair<void*> grad_weight;
  void* grad_bias;
  bool grad_is_uniform;
  double number; ///< that of an activation that has one
};

/// What forward saved of one element. An activation reads the member that its `saved` names.
template <class T, class Condition>
struct SavedValues {
  T input;
  Pair<T> output;
  Pair<Condition> masks;
};

/// Stops where a loop or a kernel would be compiled with other arithmetic than it is written for. A
/// file that only calls what is compiled elsewhere, as the layers of our CMake target, is not
/// concerned; nor are tensors, on which LibTorch computes.
template <class T>
constexpr void check_arithmetic() {
  static_assert(
      LINKED_NEURONS_HAS_IEEE_ARITHMETIC || !kIsNumber<T>,
      "linked_neurons: -Ofast, -ffast-math or a part of it would make this layer's results wrong. "
      "Compile this file with -fno-fast-math behind that flag.");
}

template <class Activation, class T>
LINKED_NEURONS_FN Pair<T> forward(const T& z, const Pair<T>& weight, Number<T> number) {
  check_arithmetic<T>();
  if constexpr (Activation::has_weight) {
    static_assert(!Activation::has_number, "linked_neurons: weights or a number, not both");
    return Activation::forward(z, weight);
  } else if constexpr (Activation::has_number) {
    return Activation::forward(z, number);
  } else {
    return Activation::forward(z);
  }
}

/// The same within the bound of an activation that has one, where compilers vectorise it.
template <class Activation, class T>
LINKED_NEURONS_FN Pair<T> forward_in_loop(const T& z, const Pair<T>& weight, Number<T> number) {
  if constexpr (Activation::near_bound != 0) {
    static_assert(!Activation::has_weight && !Activation::has_number);
    check_arithmetic<T>();
    return Activation::forward_near(z);
  } else {
    return forward<Activation>(z, weight, number);
  }
}

template <class Activation, class T, class Condition>
LINKED_NEURONS_FN const auto& saved_value(const SavedValues<T, Condition>& saved) {
  if constexpr (Activation::saved == Saved::input) {
    return saved.input;
  } else if constexpr (Activation::saved == Saved::output) {
    return saved.output;
  } else {
    return saved.masks;
  }
}

template <class Activation, class T, class Condition>
LINKED_NEURONS_FN T backward(
    const SavedValues<T, Condition>& saved,
    const Pair<T>& grad,
    const Pair<T>& weight,
    Number<T> number) {
  check_arithmetic<T>();
  const auto& value = saved_value<Activation>(saved);
  if constexpr (Activation::has_weight) {
    return Activation::backward(value, grad, weight);
  } else if constexpr (Activation::has_number) {
    return Activation::backward(value, grad, number);
  } else {
    return Activation::backward(value, grad);
  }
}

/// Whether a loop over elements computes backward from z within a bound.
template <class Activation>
inline constexpr bool kHasBackwardNear =
    Activation::saved == Saved::input&& Activation::near_bound != 0;

/// The same within the bound, as `forward_in_loop`.
template <class Activation, class T, class Condition>
LINKED_NEURONS_FN T backward_in_loop(
    const SavedValues<T, Condition>& saved,
    const Pair<T>& grad,
    const Pair<T>& weight,
    Number<T> number) {
  if constexpr (kHasBackwardNear<Activation>) {
    check_arithmetic<T>();
    return Activation::backward_near(saved.input, grad);
  } else {
    return backward<Activation>(saved, grad, weight, number);
  }
}

template <class Activation, class T, class Condition>
LINKED_NEURONS_FN Pair<T> weight_gradient(
    const SavedValues<T, Condition>& saved, const Pair<T>& grad, const Pair<T>& weight) {
  if constexpr (Activation::saved == Saved::masks) {
    return Activation::weight_gradient(saved.masks, saved.output, grad, weight);
  } else {
    return Activation::weight_gradient(saved_value<Activation>(saved), grad, weight);
  }
}

/// Whether backward reads the result, given whether it computes the weights' gradients.
template <class Activation>
constexpr bool saves_output(bool weight_gradients) {
  return Activation::saved == Saved::output ||
         (Activation::saved == Saved::masks && weight_gradients);
}

/// How a backend stores masks: in groups of `lanes` x `each` elements. Lane l has, from its lowest
/// bit on, those for g(z) of the group's elements l, l + lanes, l + 2 lanes ..., then those for
/// g(-z).
struct MaskLayout {
  int lanes;
  int each;
};

/// The memory for them is a whole number of the largest groups, whichever backend fills it.
inline constexpr int kMaskBits = 2;
inline constexpr std::int64_t kLargestGroup = 64;

/// \tparam Int std::int64_t, or a symbolic number.
template <class Int>
Int mask_bytes(const Int& numel) {
  return (numel + kLargestGroup - 1) / kLargestGroup * (kLargestGroup * kMaskBits / 8);
}

} // namespace linked_neurons::detail
