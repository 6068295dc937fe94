/// \file
/// Options of the linked layers, in the style of `torch/nn/options/activation.h`.
#pragma once

#include <linked_neurons/activation/all.h>

#include <torch/arg.h>

#include <cstdint>
#include <type_traits>
#include <vector>

namespace linked_neurons {

namespace detail {

/// Whether a value of type `Value` is what an option of type `Option` takes. An integer is not
/// taken for a bool, nor a bool for an integer, to which C++ would convert them: LibTorch has
/// options that are bools where ours are integers.
template <class Option, class Value>
using IfTakes = std::enable_if_t<
    std::is_integral_v<Value> && std::is_same_v<Value, bool> == std::is_same_v<Option, bool>,
    int>;

/// As LibTorch's TORCH_ARG, for a base class of the struct `Options`.
// NOLINTBEGIN(bugprone-macro-parentheses): T is a type
#define LINKED_NEURONS_OPTION(T, name)          \
 public:                                        \
  template <class Value, IfTakes<T, Value> = 0> \
  Options& name(Value value) {                  \
    name##_ = value;                            \
    return static_cast<Options&>(*this);        \
  }                                             \
  const T& name() const noexcept {              \
    return name##_;                             \
  }                                             \
  T& name() noexcept {                          \
    return name##_;                             \
  }                                             \
                                                \
 private:                                       \
  T name##_
// NOLINTEND(bugprone-macro-parentheses)

template <class Options>
class DimOption {
 public:
  DimOption() = default;

  template <class Value, IfTakes<std::int64_t, Value> = 0>
  /* implicit */ DimOption(Value dim) : dim_(dim) {}

  /// The channel axis, along which the two halves are concatenated; negative counts from the end.
  LINKED_NEURONS_OPTION(std::int64_t, dim) = 1;
};

template <class Options>
class BiasOption {
  /// Channels of the input, if the layer shall train a bias for each that it adds to the input
  /// before the activation; 0: none. It takes the place of the bias of the convolution or linear
  /// layer in front, at less cost (see move_bias.h).
  LINKED_NEURONS_OPTION(std::int64_t, bias) = 0;
};

template <class Options>
class KeepOutputOption {
  /// Keep the output for backward where two bits an element are kept otherwise (LK-ReLU). The bits
  /// are less to read, and so faster; the output costs no memory if the next layer keeps it anyway.
  LINKED_NEURONS_OPTION(bool, keep_output) = false;
};

template <class Options>
class KeepInputOption {
  /// Keep the input for backward, in place of what the activation keeps. It costs the input's
  /// memory. For LK-Swish, LK-SinCos, and LK-PReLU where its weights are trained, it is half of
  /// what backward reads otherwise, beside the gradient: a GPU's time goes into reading. Not with
  /// `keep_output`.
  LINKED_NEURONS_OPTION(bool, keep_input) = false;
};

/// Options of a function that were made of a layer's.
class FromLayer {
 public:
  FromLayer() = default;
  explicit FromLayer(std::int64_t bias) : layer_bias_(bias) {}

  /// The option `bias` of the layer. A function takes a tensor in its place.
  std::int64_t layer_bias() const noexcept {
    return layer_bias_;
  }

 private:
  std::int64_t layer_bias_ = 0;
};

#undef LINKED_NEURONS_OPTION

} // namespace detail

/// Options of every linked layer without trained weights.
///
/// ```cpp
/// LKReLU layer(LKReLUOptions().dim(-1).bias(64));
/// ```
struct LinkedOptions : detail::DimOption<LinkedOptions>,
                       detail::BiasOption<LinkedOptions>,
                       detail::KeepOutputOption<LinkedOptions>,
                       detail::KeepInputOption<LinkedOptions> {
  using detail::DimOption<LinkedOptions>::DimOption;
};

/// Options of every linked layer with trained weights.
///
/// ```cpp
/// LKPReLU layer(LKPReLUOptions().num_parameters(64).init(0));
/// ```
struct LinkedWeightsOptions : detail::DimOption<LinkedWeightsOptions>,
                              detail::BiasOption<LinkedWeightsOptions>,
                              detail::KeepInputOption<LinkedWeightsOptions> {
  /// Weights of each half: 1, or C, one for each channel of the input.
  TORCH_ARG(std::int64_t, num_parameters) = 1;

  /// Instead, one weight for each element of the input: its sizes without the batch axis.
  TORCH_ARG(std::vector<std::int64_t>, shape);

  /// The weights' initial value.
  TORCH_ARG(double, init) = 0.25;
};

/// Options of the linked layer of an activation with a number of its own, with an option of its
/// name (`LINKED_NEURONS_NUMBER`).
///
/// ```cpp
/// LKELU layer(LKELUOptions().alpha(0.5));
/// ```
template <class Activation>
struct LinkedNumberOptions : detail::DimOption<LinkedNumberOptions<Activation>>,
                             detail::BiasOption<LinkedNumberOptions<Activation>>,
                             detail::KeepOutputOption<LinkedNumberOptions<Activation>>,
                             detail::KeepInputOption<LinkedNumberOptions<Activation>>,
                             Activation::template NumberOption<LinkedNumberOptions<Activation>> {
  using detail::DimOption<LinkedNumberOptions>::DimOption;
};

/// The options of an activation's layer.
template <class Activation>
using OptionsOf = std::conditional_t<
    Activation::has_weight,
    LinkedWeightsOptions,
    std::conditional_t<Activation::has_number, LinkedNumberOptions<Activation>, LinkedOptions>>;

namespace functional {

/// Options of every function without weights. A layer's options convert to them.
struct LinkedFuncOptions : detail::DimOption<LinkedFuncOptions>,
                           detail::KeepOutputOption<LinkedFuncOptions>,
                           detail::KeepInputOption<LinkedFuncOptions>,
                           detail::FromLayer {
  using detail::DimOption<LinkedFuncOptions>::DimOption;

  /* implicit */ LinkedFuncOptions(const LinkedOptions& layer) : FromLayer(layer.bias()) {
    dim(layer.dim()).keep_output(layer.keep_output()).keep_input(layer.keep_input());
  }
};

/// Options of every function with weights, whose sizes say how many they are. A layer's options
/// convert to them.
struct LinkedWeightsFuncOptions : detail::DimOption<LinkedWeightsFuncOptions>,
                                  detail::KeepInputOption<LinkedWeightsFuncOptions>,
                                  detail::FromLayer {
  using detail::DimOption<LinkedWeightsFuncOptions>::DimOption;

  /* implicit */ LinkedWeightsFuncOptions(const LinkedWeightsOptions& layer)
      : DimOption(layer.dim()), FromLayer(layer.bias()) {
    keep_input(layer.keep_input());
  }
};

/// Options of the function of an activation with a number of its own. A layer's options convert to
/// them.
template <class Activation>
struct LinkedNumberFuncOptions
    : detail::DimOption<LinkedNumberFuncOptions<Activation>>,
      detail::KeepOutputOption<LinkedNumberFuncOptions<Activation>>,
      detail::KeepInputOption<LinkedNumberFuncOptions<Activation>>,
      detail::FromLayer,
      Activation::template NumberOption<LinkedNumberFuncOptions<Activation>> {
  using detail::DimOption<LinkedNumberFuncOptions>::DimOption;

  /* implicit */ LinkedNumberFuncOptions(const LinkedNumberOptions<Activation>& layer)
      : FromLayer(layer.bias()) {
    this->dim(layer.dim()).keep_output(layer.keep_output()).keep_input(layer.keep_input());
    this->number_of_activation() = layer.number_of_activation();
  }
};

/// The options of an activation's function.
template <class Activation>
using FuncOptionsOf = std::conditional_t<
    Activation::has_weight,
    LinkedWeightsFuncOptions,
    std::conditional_t<
        Activation::has_number,
        LinkedNumberFuncOptions<Activation>,
        LinkedFuncOptions>>;

} // namespace functional

/// `LKReLUOptions`, `functional::LKReLUFuncOptions` and so on, for each of the library's own
/// activations.
#define LINKED_NEURONS_OPTIONS(A, function, Module)         \
  using Module##Options = OptionsOf<activation::A>;         \
  namespace functional {                                    \
  using Module##FuncOptions = FuncOptionsOf<activation::A>; \
  }
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_OPTIONS)
#undef LINKED_NEURONS_OPTIONS

// What LibTorch calls Swish.
using LKSiLUOptions = LKSwishOptions;
namespace functional {
using LKSiLUFuncOptions = LKSwishFuncOptions;
}

} // namespace linked_neurons
