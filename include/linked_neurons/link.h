/// \file
/// Existing layers as joint layers, which keep less for backward: `link`.
///
/// ```cpp
/// torch::nn::Sequential net(Conv2d(3, 16, 3), LKReLU(), Conv2d(32, 64, 3), LKReLU(), ...);
/// torch::load(net, "net.pt");            // the keys of the network as it was saved
/// net = linked_neurons::link(net);       // Conv2d(3, 16, 3), LKReLUConv2d(16, 64, 3), ...
/// ```
/// The joint layer has the parameters of the two: the same tensors, so an optimizer that has them
/// goes on. In a `Sequential` it stands under the name of the convolution or linear layer, so
/// `weight` and `bias` keep their keys. The activation's own parameters, where it has some, move
/// there: "1.weight_pos" becomes "2.weight_pos", "1.bias" becomes "2.input_bias". A file that was
/// saved before `link` is loaded before `link`.
#pragma once

#include <linked_neurons/joint_modules.h>

#include <c10/util/Exception.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace linked_neurons {

namespace detail {

template <std::size_t D>
LinkedConvOptions<D> joint_options(const torch::nn::detail::ConvNdOptions<D>& layer) {
  return LinkedConvOptions<D>(layer.in_channels() / 2, layer.out_channels(), layer.kernel_size())
      .stride(layer.stride())
      .padding(layer.padding())
      .dilation(layer.dilation())
      .groups(layer.groups())
      .bias(layer.bias())
      .padding_mode(layer.padding_mode());
}

inline LinkedLinearOptions joint_options(const torch::nn::LinearOptions& layer) {
  return LinkedLinearOptions(layer.in_features() / 2, layer.out_features()).bias(layer.bias());
}

inline std::int64_t in_channels(const torch::nn::LinearOptions& layer) {
  return layer.in_features();
}
template <class ConvOptions>
std::int64_t in_channels(const ConvOptions& layer) {
  return layer.in_channels();
}

/// The joint layer of the two, or nothing if they do not go together.
template <class Activation, class Layer>
auto joined(const LinkedImpl<Activation>& activation, const Layer& layer) {
  auto options = joint_options(layer.options);
  using Impl = JointImpl<Activation, decltype(options)>;
  const std::int64_t dim = activation.options.dim();
  if (in_channels(layer.options) % 2 != 0 || (dim != 1 && dim != Impl::kDim)) {
    return std::shared_ptr<Impl>();
  }
  options.input_bias(activation.bias.defined());
  if constexpr (Activation::has_weight) {
    options.num_parameters(activation.options.num_parameters())
        .shape(activation.options.shape())
        .init(activation.options.init());
  }
  if constexpr (Activation::has_number) {
    options.number(activation.options.number_of_activation());
  }
  return std::make_shared<Impl>(options, activation, layer);
}

/// As above, of two modules of a `Sequential`; empty if they are other ones.
template <class Activation>
torch::nn::AnyModule join_modules(torch::nn::Module& first, torch::nn::Module& second) {
  torch::nn::AnyModule result;
  const auto* const activation = dynamic_cast<const LinkedImpl<Activation>*>(&first);
  const auto join = [&](const auto* layer) {
    if (activation != nullptr && layer != nullptr) {
      if (auto joint = joined(*activation, *layer)) {
        result = torch::nn::AnyModule(std::move(joint));
      }
    }
  };
  join(dynamic_cast<const torch::nn::Conv1dImpl*>(&second));
  join(dynamic_cast<const torch::nn::Conv2dImpl*>(&second));
  join(dynamic_cast<const torch::nn::Conv3dImpl*>(&second));
  join(dynamic_cast<const torch::nn::LinearImpl*>(&second));
  return result;
}

using Joiners = std::vector<decltype(&join_modules<activation::ReLU>)>;

inline torch::nn::Sequential link_all(torch::nn::SequentialImpl& net, const Joiners& joiners) {
  torch::nn::Sequential result;
  const auto children = net.named_children();
  for (std::size_t i = 0; i < children.size(); ++i) {
    torch::nn::AnyModule module;
    if (i + 1 < children.size()) {
      for (const auto join : joiners) {
        if (module.is_empty()) {
          module = join(*children[i].value(), *children[i + 1].value());
        }
      }
    }
    if (!module.is_empty()) {
      ++i; // two at once
    } else {
      module = *(net.begin() + static_cast<std::ptrdiff_t>(i));
    }
    result->push_back(children[i].key(), std::move(module));
  }
  result->train(net.is_training());
  return result;
}

} // namespace detail

/// A linked layer and the convolution or linear layer behind it as one layer, which keeps less for
/// backward. It has their parameters, the same tensors.
///
/// The result stays the same as long as the linked layer's `dim` is the axis of the other's
/// channels: dim 1, the default, for a convolution whose inputs have a batch axis, and for a linear
/// layer whose inputs have two axes. (For other inputs of a linear layer the two are computed one
/// after the other, as before.)
/// \tparam Activation, Layer module holders (`LKReLU`, `torch::nn::Conv2d`, ...).
/// \throws c10::Error if the two do not go together: an odd number of channels, another axis.
template <class Activation, class Layer>
auto link(const Activation& activation, const Layer& layer) {
  auto joint = detail::joined(*activation, *layer);
  TORCH_CHECK(
      joint != nullptr,
      "link: expected ",
      activation->name(),
      " to have the channels where ",
      layer->name(),
      " has them, and these to be an even number, got dim ",
      activation->options.dim(),
      " and ",
      detail::in_channels(layer->options),
      " channels");
  return torch::nn::ModuleHolder<typename decltype(joint)::element_type>(std::move(joint));
}

/// A network in which every linked layer with a convolution or linear layer behind it is one layer
/// with it. The other modules are the same objects.
/// \tparam MoreActivations activations of the user's own to look for, beside the library's.
template <class... MoreActivations>
torch::nn::Sequential link(const torch::nn::Sequential& net) {
  detail::Joiners joiners;
#define LINKED_NEURONS_JOINER(A, function, Module) \
  joiners.push_back(detail::join_modules<activation::A>);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_JOINER)
#undef LINKED_NEURONS_JOINER
  (joiners.push_back(detail::join_modules<MoreActivations>), ...);
  return detail::link_all(*net.ptr(), joiners);
}

} // namespace linked_neurons
