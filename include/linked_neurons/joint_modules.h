/// \file
/// The joint layers as modules, in the style of `torch/nn/modules/conv.h` and `linear.h`.
#pragma once

#include <linked_neurons/joint_functional.h>
#include <linked_neurons/modules.h>

#include <ATen/ops/pad.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>
#include <variant>

namespace linked_neurons {

namespace detail {

/// What a joint module of these options has of LibTorch's.
template <class Options>
struct JointTraits;

template <std::size_t D>
struct JointTraits<LinkedConvOptions<D>> {
  using Layer = std::conditional_t<
      D == 1,
      torch::nn::Conv1dImpl,
      std::conditional_t<D == 2, torch::nn::Conv2dImpl, torch::nn::Conv3dImpl>>;
  static constexpr std::int64_t kDim = -1 - static_cast<std::int64_t>(D);

  static std::string suffix() {
    return "Conv" + std::to_string(D) + "d";
  }

  static Layer make_layer(const LinkedConvOptions<D>& options) {
    return Layer(torch::nn::ConvOptions<D>(
                     2 * options.in_channels(), options.out_channels(), options.kernel_size())
                     .stride(options.stride())
                     .padding(options.padding())
                     .dilation(options.dilation())
                     .groups(options.groups())
                     .bias(options.bias())
                     .padding_mode(options.padding_mode()));
  }

  static std::int64_t in_channels(const LinkedConvOptions<D>& options) {
    return options.in_channels();
  }

  template <class Activation>
  static at::Tensor forward(
      const at::Tensor& input,
      const Parameters& parameters,
      const at::Tensor& weight,
      const at::Tensor& bias,
      const LinkedConvOptions<D>& options,
      std::int64_t /*dim*/) {
    using std::get_if;
    Convolution layer = convolution_of<D>(options, weight);
    const auto& mode = options.padding_mode();
    if (get_if<torch::enumtype::kZeros>(&mode) != nullptr) {
      return joint_convolution<Activation>(input, parameters, weight, bias, layer);
    }
    // In the other modes padding and activation may change places.
    const char* const name = get_if<torch::enumtype::kReflect>(&mode) != nullptr     ? "reflect"
                             : get_if<torch::enumtype::kReplicate>(&mode) != nullptr ? "replicate"
                                                                                     : "circular";
    const at::DimVector ends = layer.take_padding();
    if (parameters.weight.pos.defined() && parameters.weight.pos.dim() > 1) {
      const at::Tensor pair =
          linked<Activation>(input, parameters, layer.channel_axis(input.dim()));
      return layer.forward(at::pad(pair, ends, name), weight, bias);
    }
    return joint_convolution<Activation>(
        at::pad(input, ends, name), parameters, weight, bias, layer);
  }

  static void print(std::ostream& stream, const LinkedConvOptions<D>& options) {
    using std::get_if;
    stream << options.in_channels() << ", " << options.out_channels()
           << ", kernel_size=" << options.kernel_size() << ", stride=" << options.stride();
    if (const auto* const padding = get_if<torch::ExpandingArray<D>>(&options.padding())) {
      if (**padding != *torch::ExpandingArray<D>(0)) {
        stream << ", padding=" << *padding;
      }
    } else if (get_if<torch::enumtype::kSame>(&options.padding()) != nullptr) {
      stream << ", padding='same'";
    }
    if (*options.dilation() != *torch::ExpandingArray<D>(1)) {
      stream << ", dilation=" << options.dilation();
    }
    if (options.groups() != 1) {
      stream << ", groups=" << options.groups();
    }
    if (get_if<torch::enumtype::kZeros>(&options.padding_mode()) == nullptr) {
      stream << ", padding_mode=" << torch::enumtype::get_enum_name(options.padding_mode());
    }
  }
};

template <>
struct JointTraits<LinkedLinearOptions> {
  using Layer = torch::nn::LinearImpl;
  static constexpr std::int64_t kDim = -1;

  static std::string suffix() {
    return "Linear";
  }

  static Layer make_layer(const LinkedLinearOptions& options) {
    return Layer(torch::nn::LinearOptions(2 * options.in_features(), options.out_features())
                     .bias(options.bias()));
  }

  static std::int64_t in_channels(const LinkedLinearOptions& options) {
    return options.in_features();
  }

  template <class Activation>
  static at::Tensor forward(
      const at::Tensor& input,
      const Parameters& parameters,
      const at::Tensor& weight,
      const at::Tensor& bias,
      const LinkedLinearOptions& /*options*/,
      std::int64_t dim) {
    return joint<Activation>(input, parameters, linear_layer(), weight, bias, dim);
  }

  static void print(std::ostream& stream, const LinkedLinearOptions& options) {
    stream << options.in_features() << ", " << options.out_features();
  }
};

} // namespace detail

/// A linked activation and the layer behind it as one: C channels in, 2C in between, of which
/// nothing is kept for backward but the C of the input. Equal to `Linked<Activation>` and then
/// LibTorch's layer; see joint_functional.h for shapes, types and errors.
///
/// The parameters `weight` and `bias` are those of `torch::nn::Conv2d(2 * in_channels, ...)` or
/// `torch::nn::Linear(2 * in_features, ...)`: their names, shapes and initial values. An activation
/// with weights adds `weight_pos` and `weight_neg`, the option `input_bias` the parameter
/// `input_bias`.
/// \tparam OptionsType `LinkedConvOptions<D>` or `LinkedLinearOptions`.
template <class Activation, class OptionsType>
class JointImpl : public torch::nn::Cloneable<JointImpl<Activation, OptionsType>> {
  using Traits = detail::JointTraits<OptionsType>;

 public:
  using Options = OptionsType;

  /// The channel axis of the layer behind, counted from the end.
  static constexpr std::int64_t kDim = Traits::kDim;

  explicit JointImpl(const Options& options_)
      : detail::TakesName<torch::nn::Cloneable<JointImpl>>::type(
            std::string("linked_neurons::").append(module_name("Impl"))),
        options(options_) {
    JointImpl::reset();
  }

  /// As LibTorch's layer, from the numbers of channels in and out and the kernel's size.
  template <class... Sizes>
  JointImpl(std::int64_t in, std::int64_t out, const Sizes&... kernel_size)
      : JointImpl(Options(in, out, kernel_size...)) {}

  /// Of an existing linked layer and the layer behind it, whose parameters it takes over: the same
  /// tensors. (See link.h, which checks that the two go together.)
  JointImpl(
      const Options& options_,
      const LinkedImpl<Activation>& activation,
      const typename Traits::Layer& layer)
      : detail::TakesName<torch::nn::Cloneable<JointImpl>>::type(
            std::string("linked_neurons::").append(module_name("Impl"))),
        options(options_), dim(activation.options.dim()) {
    set_parameters(
        layer.weight, layer.bias, {activation.weight_pos, activation.weight_neg}, activation.bias);
    this->train(layer.is_training());
  }

  /// Registers the parameters and sets them to their initial values.
  void reset() override {
    const auto layer = Traits::make_layer(options);
    Pair<at::Tensor> activation_weight;
    const auto sizes = detail::weight_sizes(options, module_name());
    if constexpr (Activation::has_weight) {
      const auto make = [&] { return torch::full(sizes, options.init()).requires_grad_(); };
      activation_weight = {make(), make()};
    } else {
      TORCH_CHECK(
          options.shape().empty() && options.num_parameters() == 1,
          module_name(),
          ": expected no num_parameters and no shape, since the activation has no weights, got ",
          at::IntArrayRef(sizes));
    }
    at::Tensor zeros;
    if (options.input_bias()) {
      zeros = torch::zeros({Traits::in_channels(options)}).requires_grad_();
    }
    set_parameters(layer.weight, layer.bias, activation_weight, zeros);
  }

  at::Tensor forward(const at::Tensor& input) {
    return Traits::template forward<Activation>(
        input,
        detail::joint_parameters<Activation>({weight_pos, weight_neg}, input_bias, options),
        weight,
        bias,
        options,
        dim);
  }

  void pretty_print(std::ostream& stream) const override {
    stream << "linked_neurons::" << module_name() << "(";
    Traits::print(stream, options);
    if (!options.bias()) {
      stream << ", bias=false";
    }
    if (options.input_bias()) {
      stream << ", input_bias=true";
    }
    if (options.number().has_value()) {
      stream << ", number=" << *options.number();
    }
    if (weight_pos.defined()) {
      stream << ", weight_pos=" << weight_pos.sizes();
    }
    stream << ")";
  }

  /// The options with which this module was constructed.
  Options options;

  /// The channel axis of the activation. Of a linked layer in front of a linear one it may be 1:
  /// for inputs in which that is not the last axis, the two are computed one after the other.
  std::int64_t dim = kDim;

  /// The weight and the bias of the layer behind; the latter is undefined without.
  at::Tensor weight, bias;

  /// The weights of g(x) and of g(-x); undefined for an activation without.
  at::Tensor weight_pos, weight_neg;

  /// What is added to each channel of the input before the activation; undefined without.
  at::Tensor input_bias;

 private:
  void set_parameters(
      const at::Tensor& layer_weight,
      const at::Tensor& layer_bias,
      const Pair<at::Tensor>& activation_weight,
      const at::Tensor& activation_bias) {
    const auto add = [this](const char* name, const at::Tensor& tensor) {
      return this->register_parameter(name, tensor, tensor.defined() && tensor.requires_grad());
    };
    weight = add("weight", layer_weight);
    bias = add("bias", layer_bias);
    if constexpr (Activation::has_weight) {
      weight_pos = add("weight_pos", activation_weight.pos);
      weight_neg = add("weight_neg", activation_weight.neg);
    }
    input_bias = add("input_bias", activation_bias);
  }

  /// \param suffix "Impl" for the name of this class.
  static std::string module_name(const char* suffix = "") {
    std::string name;
    if constexpr (Activation::module_name == nullptr) {
      name.append("Linked").append(Traits::suffix()).append(suffix);
      return name.append("<").append(Activation::name).append(">");
    } else {
      return name.append(Activation::module_name).append(Traits::suffix()).append(suffix);
    }
  }
};

template <class Activation>
using LinkedConv1dImpl = JointImpl<Activation, LinkedConv1dOptions>;
template <class Activation>
using LinkedConv2dImpl = JointImpl<Activation, LinkedConv2dOptions>;
template <class Activation>
using LinkedConv3dImpl = JointImpl<Activation, LinkedConv3dOptions>;
template <class Activation>
using LinkedLinearImpl = JointImpl<Activation, LinkedLinearOptions>;

/// `ModuleHolder` of `JointImpl`, for any activation and each kind of layer.
///
/// ```cpp
/// linked_neurons::LinkedConv2d<Snake> layer(16, 64, 3);
/// linked_neurons::LinkedLinear<Snake> last(linked_neurons::LinkedLinearOptions(128, 10));
/// ```
template <class Activation>
using LinkedConv1d = torch::nn::ModuleHolder<LinkedConv1dImpl<Activation>>;
template <class Activation>
using LinkedConv2d = torch::nn::ModuleHolder<LinkedConv2dImpl<Activation>>;
template <class Activation>
using LinkedConv3d = torch::nn::ModuleHolder<LinkedConv3dImpl<Activation>>;
template <class Activation>
using LinkedLinear = torch::nn::ModuleHolder<LinkedLinearImpl<Activation>>;

/// `LKReLUConv2d` and so on: the modules of the library's own activations.
#define LINKED_NEURONS_MODULE(A, function, Module)            \
  using Module##Conv1dImpl = LinkedConv1dImpl<activation::A>; \
  using Module##Conv2dImpl = LinkedConv2dImpl<activation::A>; \
  using Module##Conv3dImpl = LinkedConv3dImpl<activation::A>; \
  using Module##LinearImpl = LinkedLinearImpl<activation::A>; \
  using Module##Conv1d = LinkedConv1d<activation::A>;         \
  using Module##Conv2d = LinkedConv2d<activation::A>;         \
  using Module##Conv3d = LinkedConv3d<activation::A>;         \
  using Module##Linear = LinkedLinear<activation::A>;
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_MODULE)
#undef LINKED_NEURONS_MODULE

} // namespace linked_neurons
