/// \file
/// The linked layers as modules, in the style of `torch/nn/modules/activation.h`.
#pragma once

#include <linked_neurons/functional.h>

#include <torch/nn/cloneable.h>
#include <torch/nn/init.h>
#include <torch/nn/pimpl.h>

#include <ostream>
#include <string>

namespace linked_neurons {

/// The linked layer of an activation: C channels in, 2C channels out at axis `options.dim()`, first
/// g(x), then g(-x). See functional.h for shapes, types and errors.
///
/// An activation with weights trains them as the parameters `weight_pos` and `weight_neg`; with the
/// option `bias`, any of them trains the parameter `bias`.
template <class Activation>
class LinkedImpl : public torch::nn::Cloneable<LinkedImpl<Activation>> {
 public:
  using Options = OptionsOf<Activation>;

  explicit LinkedImpl(const Options& options_ = {}) : options(options_) {
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
      const auto& shape = options.shape();
      TORCH_CHECK(
          options.num_parameters() > 0,
          module_name(),
          ": expected num_parameters to be 1 or the input's channels, got ",
          options.num_parameters());
      TORCH_CHECK(
          shape.empty() || options.num_parameters() == 1,
          module_name(),
          ": expected num_parameters or shape, got both: ",
          options.num_parameters(),
          " and ",
          at::IntArrayRef(shape));
      for (const auto size : shape) {
        TORCH_CHECK(
            size > 0,
            module_name(),
            ": expected a shape of positive sizes, got ",
            at::IntArrayRef(shape));
      }
      const auto sizes =
          shape.empty() ? std::vector<std::int64_t>{options.num_parameters()} : shape;
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
    if constexpr (Activation::has_weight) {
      return functional::linked<Activation>(input, weight_pos, weight_neg, bias, options.dim());
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
    stream << "dim=" << options.dim();
    if (options.bias() > 0) {
      stream << ", bias=" << options.bias();
    }
    stream << ")";
  }

  /// The options with which this module was constructed.
  Options options;

  /// The weights of g(x) and of g(-x); undefined for an activation without.
  at::Tensor weight_pos, weight_neg;

  /// What is added to each channel before the activation; undefined without.
  at::Tensor bias;

 private:
  static std::string module_name() {
    if constexpr (Activation::module_name == nullptr) {
      return "Linked<" + std::string(Activation::name) + ">";
    } else {
      return Activation::module_name;
    }
  }
};

/// `ModuleHolder` of `LinkedImpl`, for any activation.
///
/// ```cpp
/// linked_neurons::Linked<Mish> layer(linked_neurons::LinkedOptions().dim(1));
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

} // namespace linked_neurons
