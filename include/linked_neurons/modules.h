/// \file
/// The linked layers as modules, in the style of `torch/nn/modules/activation.h`.
#pragma once

#include <linked_neurons/functional.h>

#include <torch/nn/cloneable.h>
#include <torch/nn/init.h>
#include <torch/nn/pimpl.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace linked_neurons {

namespace detail {

/// Whose constructor takes a module's name: that of `Cloneable`, or of `Module` itself in older
/// LibTorchs, where `Module` is a virtual base, which a pointer cannot be cast back from.
template <class Cloneable, class = void>
struct TakesName {
  using type = torch::nn::Module;
};
template <class Cloneable>
struct TakesName<
    Cloneable,
    std::void_t<decltype(static_cast<Cloneable*>(std::declval<torch::nn::Module*>()))>> {
  using type = Cloneable;
};

/// The sizes of each weight of an activation.
/// \throws c10::Error
template <class Options>
std::vector<std::int64_t> weight_sizes(const Options& options, const std::string& module_name) {
  const auto& shape = options.shape();
  TORCH_CHECK(
      options.num_parameters() > 0,
      module_name,
      ": expected num_parameters to be 1 or the input's channels, got ",
      options.num_parameters());
  TORCH_CHECK(
      shape.empty() || options.num_parameters() == 1,
      module_name,
      ": expected num_parameters or shape, got both: ",
      options.num_parameters(),
      " and ",
      at::IntArrayRef(shape));
  for (const auto size : shape) {
    TORCH_CHECK(
        size > 0,
        module_name,
        ": expected a shape of positive sizes, got ",
        at::IntArrayRef(shape));
  }
  return shape.empty() ? std::vector<std::int64_t>{options.num_parameters()} : shape;
}

} // namespace detail

/// The linked layer of an activation: C channels in, 2C channels out at axis `options.dim()`, first
/// g(x), then g(-x).
///
/// **The channel axis is 1 by default**, as in a batch of images (N, C, H, W) or of vectors (N, C).
/// Any other axis has to be named, or the wrong one is doubled: `dim(-3)` for one image (C, H, W),
/// `dim(-1)` for a batch of sequences (N, L, C) and wherever channels come last.
/// ```cpp
/// LKReLU of_sequences(LKReLUOptions().dim(-1));
/// ```
/// See functional.h for shapes, types and errors.
///
/// An activation with weights trains them as the parameters `weight_pos` and `weight_neg`; with the
/// option `bias`, any of them trains the parameter `bias`.
template <class Activation>
class LinkedImpl : public torch::nn::Cloneable<LinkedImpl<Activation>> {
 public:
  using Options = OptionsOf<Activation>;

  explicit LinkedImpl(const Options& options_ = {})
      : detail::TakesName<torch::nn::Cloneable<LinkedImpl>>::type(
            std::string("linked_neurons::").append(module_name("Impl"))),
        options(options_) {
    LinkedImpl::reset();
  }

  /// Registers the parameters, if there are any, and sets them to their initial value.
  void reset() override {
    TORCH_CHECK(
        options.bias() >= 0,
        module_name(),
        ": expected bias to be the input's channels, or 0 for none, got ",
        options.bias());
    bias = this->register_parameter(
        "bias",
        options.bias() > 0 ? torch::empty({options.bias()}) : at::Tensor(),
        options.bias() > 0);
    if constexpr (Activation::has_weight) {
      const auto sizes = detail::weight_sizes(options, module_name());
      weight_pos = this->register_parameter("weight_pos", torch::empty(sizes));
      weight_neg = this->register_parameter("weight_neg", torch::empty(sizes));
    }
    reset_parameters();
  }

  /// Sets the weights, if there are any, to their initial value, and the bias to 0.
  void reset_parameters() {
    if (bias.defined()) {
      torch::nn::init::zeros_(bias);
    }
    if constexpr (Activation::has_weight) {
      torch::nn::init::constant_(weight_pos, options.init());
      torch::nn::init::constant_(weight_neg, options.init());
    }
  }

  at::Tensor forward(const at::Tensor& input) {
    TORCH_CHECK(
        bias_axis == 0 ||
            options.dim() == (options.dim() < 0 ? bias_axis : input.dim() + bias_axis),
        module_name(),
        ": expected dim to be axis ",
        bias_axis,
        ", to which the bias belongs that move_bias() moved, got dim ",
        options.dim(),
        " and an input of ",
        input.dim(),
        " axes");
    if constexpr (Activation::has_weight) {
      return functional::linked<Activation>(input, weight_pos, weight_neg, bias, options);
    } else {
      return functional::linked<Activation>(input, bias, options);
    }
  }

  void pretty_print(std::ostream& stream) const override {
    stream << "linked_neurons::" << module_name() << "(";
    if constexpr (Activation::has_weight) {
      if (options.shape().empty()) {
        stream << "num_parameters=" << options.num_parameters() << ", ";
      } else {
        stream << "shape=" << at::IntArrayRef(options.shape()) << ", ";
      }
    }
    if constexpr (Activation::has_number) {
      stream << Activation::number_name << "=" << options.number_of_activation() << ", ";
    }
    stream << "dim=" << options.dim();
    if (options.bias() > 0) {
      stream << ", bias=" << options.bias();
    }
    if constexpr (!Activation::has_weight) {
      if (options.keep_output()) {
        stream << ", keep_output=true";
      }
    }
    if (options.keep_input()) {
      stream << ", keep_input=true";
    }
    stream << ")";
  }

  /// The options with which this module was constructed.
  Options options;

  /// The weights of g(x) and of g(-x); undefined for an activation without.
  at::Tensor weight_pos, weight_neg;

  /// What is added to each channel before the activation; undefined without.
  at::Tensor bias;

  /// Where move_bias() has moved a bias: the axis that it is of, counted from the end; 0 elsewhere.
  std::int64_t bias_axis = 0;

 private:
  /// \param suffix "Impl" for the name of this class.
  static std::string module_name(const char* suffix = "") {
    std::string name; // not by operator+, of which g++ 12 warns in C++20 (GCC's bug 105651)
    if constexpr (Activation::module_name == nullptr) {
      name.append("Linked").append(suffix).append("<").append(Activation::name).append(">");
    } else {
      name.append(Activation::module_name).append(suffix);
    }
    return name;
  }
};

/// `ModuleHolder` of `LinkedImpl`, for any activation.
///
/// ```cpp
/// linked_neurons::Linked<Snake> layer(linked_neurons::OptionsOf<Snake>().dim(1));
/// ```
template <class Activation>
class Linked : public torch::nn::ModuleHolder<LinkedImpl<Activation>> {
 public:
  using torch::nn::ModuleHolder<LinkedImpl<Activation>>::ModuleHolder;
  using Impl = LinkedImpl<Activation>;
};

/// `LKReLU` and so on: the modules of the library's own activations.
#define LINKED_NEURONS_MODULE(A, function, Module) \
  using Module##Impl = LinkedImpl<activation::A>;  \
  TORCH_MODULE(Module);
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_MODULE)
#undef LINKED_NEURONS_MODULE

// What LibTorch calls Swish.
using LKSiLU = LKSwish;
using LKSiLUImpl = LKSwishImpl;

} // namespace linked_neurons
