/// \file
/// What an activation is: a struct of static functions, derived from `Activation`.
///
/// ```cpp
/// struct SquaredReLU : linked_neurons::Activation {
///   static constexpr auto name = "squared_relu";              // for messages
///   static constexpr auto saved = Saved::input;               // what backward() starts from
///   template <class T>
///   LINKED_NEURONS_FN static Pair<T> forward(const T& z);     // (g(z), g(-z))
///   template <class T>
///   LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad); // dL/dz
/// };
/// ```
///
/// `T` is float, double or `at::Tensor`: the same two functions are the CPU loop, the CUDA kernel,
/// the composed path and, differentiated by LibTorch, the double backward. They may use arithmetic,
/// comparisons with numbers, and the functions of `Activation`; not `if` or `?:`, which tensors
/// have not and compilers do not vectorise, but `where`. Compilers do not vectorise CPU loops with
/// `cos`, `erf`, `erfc`, `log`, `log1p`, `sin` or `tanh` either: these are the C library's.
#pragma once

#include <linked_neurons/activation/approximate_float.h>
#include <linked_neurons/activation/math.h>
#include <linked_neurons/activation/quotient.h>

#include <limits>
#include <type_traits>

namespace linked_neurons {

/// The two halves of a linked neuron, or of anything that comes with them (gradients, weights).
template <class T>
struct Pair {
  T pos; ///< belongs to g(z), the first C channels
  T neg; ///< belongs to g(-z), the last C channels
};

/// A number that is the same for all elements, beside values of type `T`: of that type, or a double
/// beside tensors.
template <class T>
using Number = std::conditional_t<detail::kIsNumber<T>, T, double>;

/// What a layer saves in forward for backward.
enum class Saved {
  /// z itself: always possible. `backward(const T& z, const Pair<T>& grad)`.
  input,
  /// The result, where it tells z or the derivatives. The next layer keeps it anyway.
  /// `backward(const Pair<T>& output, const Pair<T>& grad)`.
  output,
  /// Two bits an element, `masks(z)`: whether each half lets its gradient pass. For activations
  /// whose derivatives follow from that.
  /// `backward(const Pair<Condition>& masks, const Pair<T>& grad)`; `Condition` is bool or a
  /// boolean tensor.
  masks,
};

/// Base of all activations: the vocabulary that their functions are written in.
///
/// An activation with a trained weight for each half sets `has_weight`; its functions then take a
/// last argument `const Pair<T>& weight`, and `weight_gradient(...)`, with the arguments of
/// `backward`, gives each half's gradient at one element. (With `Saved::masks` that takes the
/// output too: `weight_gradient(masks, output, grad, weight)`.)
struct Activation {
  template <class T>
  using Pair = linked_neurons::Pair<T>;
  template <class T>
  using Number = linked_neurons::Number<T>;
  using Saved = linked_neurons::Saved;

  static constexpr Saved saved = Saved::input;
  /// With `Saved::masks`: whether `masks_of_output(const Pair<T>& output)` gives them too, so that
  /// a layer can keep its output instead (`LinkedOptions::keep_output`).
  static constexpr bool output_tells_masks = false;
  /// With `Saved::output`: whether `backward` looks at `output.neg`.
  static constexpr bool reads_neg_output = true;
  /// With `Saved::output`: whether it also has `backward_from_input(const T& z, const Pair<T>&
  /// grad)`, for a layer that keeps its input. Else that computes the output anew.
  static constexpr bool has_backward_from_input = false;
  static constexpr bool has_weight = false;
  /// Whether it has a number that is not trained: see `LINKED_NEURONS_NUMBER`.
  static constexpr bool has_number = false;
  /// The least that this may be.
  static constexpr double least_number = -std::numeric_limits<double>::infinity();
  /// Whether each half is 0, z or -z, written with comparisons with 0, `relu` and `-z`, and with
  /// `Saved::masks` the gradient (pos ? grad.pos : 0) - (neg ? grad.neg : 0): then 16-bit numbers
  /// need not become floats, nor be rounded.
  static constexpr bool only_selects = false;
  /// Whether, of a z that is neither 0 nor NaN, the positive one of z and -z is its own half of the
  /// result, and the other half is `weighted_half(z, weight)`: then 16-bit numbers are rounded in
  /// one half only.
  static constexpr bool weighs_one_half = false;
  /// Where this is not 0, CPU loops take `forward_near(z)` in place of `forward(z)` for each
  /// |z| <= near_bound: the same for a part of the numbers, so that compilers vectorise it.
  static constexpr double near_bound = 0;
  /// Whether `T` may be `math::ApproximateFloat` too, which has the vocabulary's `where`, `abs`,
  /// `bounded_for_decay`, `decay`, `expm1` and `quotient`: CUDA kernels then compute results of 16
  /// bits in it.
  static constexpr bool takes_approximate_float = false;
  /// What the module prints as, if it has a name of its own besides `Linked<name>`.
  static constexpr const char* module_name = nullptr;

  /// `value` in the type that goes with `T`: a double that is no tensor must not turn floats into
  /// doubles.
  template <class T>
  LINKED_NEURONS_FN static constexpr Number<T> constant(double value) {
    return static_cast<Number<T>>(value);
  }

  /// A pair of conditions, for `masks`. (Of bools it makes integers: g++ vectorises no loop with a
  /// struct of bools in it.)
  template <class Condition>
  LINKED_NEURONS_FN static auto conditions(const Condition& pos, const Condition& neg) {
    if constexpr (std::is_same_v<Condition, bool>) {
      return Pair<int>{pos, neg};
    } else {
      return Pair<Condition>{pos, neg};
    }
  }

  /// z > 0 and z < 0, for `masks`, in other words: from these g++ makes one comparison with three
  /// results, and branches, which keeps the loop around it from being vectorised.
  template <class T>
  LINKED_NEURONS_FN static auto sides(const T& z) {
    const auto at_least_0 = z >= 0;
    const auto at_most_0 = z <= 0;
    return conditions(at_least_0 & (at_most_0 == 0), at_most_0 & (at_least_0 == 0));
  }

  /// Elementwise `condition ? a : b`. One of `a` and `b` should be a `T`: of two numbers LibTorch
  /// makes floats, whatever was compared.
  template <class Condition, class A, class B>
  LINKED_NEURONS_FN static auto where(const Condition& condition, const A& a, const B& b) {
    using math::where;
    return where(condition, a, b);
  }

  /// grad.pos * g'(z) - grad.neg * g'(-z) in fewer steps, where g'(z) + g'(-z) = 1: `is_pos` is
  /// z > 0, and `slope` is g'(-|z|).
  template <class T, class Condition>
  LINKED_NEURONS_FN static T gradient_by_slope(
      const Condition& is_pos, const T& slope, const Pair<T>& grad) {
    return where(is_pos, grad.pos, -grad.neg) +
           where(is_pos, -slope, slope) * (grad.pos + grad.neg);
  }

  /// x >= 0, or a smaller, finite number where x * e^-x is 0 either way.
  template <class T>
  LINKED_NEURONS_FN static T bounded_for_decay(const T& x) {
    if constexpr (detail::kIsNumber<T>) {
      return math::bounded_for_decay(x);
    } else {
      constexpr double kBound = math::detail::Format<double>::kDecayed;
      return where(x > kBound, kBound, x);
    }
  }

  /// e^-x = `raised` * `low` of such a number, at less cost than `exp`. Multiply by `raised`
  /// first and by `low` last, and products with an e^-x that is no normal number lose no digits.
  template <class T>
  LINKED_NEURONS_FN static auto decay(const T& x) {
    if constexpr (detail::kIsNumber<T>) {
      return math::decay(x);
    } else {
      struct {
        T raised;
        double low;
      } result{exp(-x), 1};
      return result;
    }
  }

  /// a / b for 2^-20 <= b <= 2^20, at less cost on a device than an operator that takes all
  /// numbers.
  template <class T>
  LINKED_NEURONS_FN static T quotient(const T& a, const T& b) {
    if constexpr (detail::kIsNumber<T>) {
      return math::quotient(a, b);
    } else {
      return a / b;
    }
  }

  /// log(1 + x) for 0 <= x <= 1, which compilers vectorise.
  template <class T>
  LINKED_NEURONS_FN static T log1p_of_fraction(const T& x) {
    if constexpr (detail::kIsNumber<T>) {
      return math::log1p_of_fraction(x);
    } else {
      return log1p(x);
    }
  }

  /// |x|. Of tensors it is written so that LibTorch, where it differentiates it at 0, takes one
  /// side of the kink there and not their mean, 0: with `z > 0 ? ... : ...` around it, the right
  /// one.
  template <class T>
  LINKED_NEURONS_FN static T abs(const T& x) {
    if constexpr (detail::kIsNumber<T>) {
      return math::abs(x);
    } else {
      return where(x > 0, x, -x);
    }
  }

#define LINKED_NEURONS_UNARY(function)              \
  template <class T>                                \
  LINKED_NEURONS_FN static T function(const T& x) { \
    using math::function;                           \
    return function(x);                             \
  }
  LINKED_NEURONS_UNARY(cos)
  LINKED_NEURONS_UNARY(erf)
  LINKED_NEURONS_UNARY(erfc)
  LINKED_NEURONS_UNARY(exp)
  LINKED_NEURONS_UNARY(expm1)
  LINKED_NEURONS_UNARY(log)
  LINKED_NEURONS_UNARY(log1p)
  LINKED_NEURONS_UNARY(relu)
  LINKED_NEURONS_UNARY(sin)
  LINKED_NEURONS_UNARY(sqrt)
  LINKED_NEURONS_UNARY(tanh)
#undef LINKED_NEURONS_UNARY
};

/// In an activation: gives it a number of its own that is not trained, as ELU's alpha. Its
/// `forward` and `backward` then take a last argument `Number<T>`, and its layers have an option of
/// that name.
///
/// ```cpp
/// struct Snake : linked_neurons::Activation {
///   LINKED_NEURONS_NUMBER(frequency, 1.0)
///   template <class T>
///   LINKED_NEURONS_FN static Pair<T> forward(const T& z, Number<T> frequency);
/// ```
#define LINKED_NEURONS_NUMBER(option, default_value)               \
  static constexpr bool has_number = true;                         \
  static constexpr const char* number_name = #option;              \
                                                                   \
  template <class Options>                                         \
  class NumberOption {                                             \
   public:                                                         \
    Options& option(double value) {                                \
      number_of_activation_ = value;                               \
      return static_cast<Options&>(*this);                         \
    }                                                              \
    double option() const noexcept {                               \
      return number_of_activation_;                                \
    }                                                              \
    /** The option again, by a name that all activations share. */ \
    double number_of_activation() const noexcept {                 \
      return number_of_activation_;                                \
    }                                                              \
    double& number_of_activation() noexcept {                      \
      return number_of_activation_;                                \
    }                                                              \
                                                                   \
   private:                                                        \
    double number_of_activation_ = default_value;                  \
  };

/// The usual pair, (g(z), g(-z)), of a base `g` that has a `name` and two functions,
/// `T value(const T& z)` and `T derivative(const T& z)`.
template <class Base>
struct FromDerivative : Activation {
  static constexpr auto name = Base::name;

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    const T twin = -z;
    return {Base::value(z), Base::value(twin)};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const T& z, const Pair<T>& grad) {
    const T twin = -z;
    return grad.pos * Base::derivative(z) - grad.neg * Base::derivative(twin);
  }
};

} // namespace linked_neurons
