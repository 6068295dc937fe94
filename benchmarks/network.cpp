#include "network.h"

#include <linked_neurons/link.h>
#include <linked_neurons/modules.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include <memory>
#include <utility>

namespace benchmarks {
namespace {

namespace nn = torch::nn;
namespace lk = linked_neurons;

/// The linked layer made of LibTorch's operators.
struct ComposedImpl : nn::Module {
  ComposedImpl(nn::AnyModule pos_, nn::AnyModule neg_)
      : pos(std::move(pos_)), neg(std::move(neg_)) {
    register_module("pos", pos.ptr());
    register_module("neg", neg.ptr());
  }

  at::Tensor forward(const at::Tensor& z) {
    return at::cat({pos.forward(z), neg.forward(-z)}, 1);
  }

  nn::AnyModule pos, neg;
};

/// A residual block: the sum of two branches, and an activation.
struct ResidualImpl : nn::Module {
  ResidualImpl(nn::Sequential branch_, nn::Sequential shortcut_, nn::AnyModule after_)
      : branch(register_module("branch", std::move(branch_))),
        shortcut(register_module("shortcut", std::move(shortcut_))), after(std::move(after_)) {
    register_module("after", after.ptr());
  }

  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor passed = shortcut->is_empty() ? x : shortcut->forward(x);
    return after.forward(branch->forward(x) + passed);
  }

  nn::Sequential branch, shortcut; ///< an empty shortcut passes its input on
  nn::AnyModule after;
};

/// Convolutions of 'same' padding behind each other.
class Stack {
 public:
  Stack(const Activation& activation, Filters filters, std::int64_t channels)
      : activation_(activation), filters_(filters), channels_(channels) {}

  /// A convolution and the activation. With Filters::half `width` channels come out.
  Stack& activated(std::int64_t width, std::int64_t kernel, std::int64_t stride = 1) {
    const auto count = filters_ == Filters::half ? width / activation_.expansion : width;
    convolution(count, kernel, stride, !activation_.normalise && !activation_.takes_bias());
    normalised();
    layers_->push_back(activation_.make(count));
    channels_ *= activation_.expansion;
    return *this;
  }

  /// A convolution alone.
  Stack& plain(std::int64_t width, std::int64_t kernel, std::int64_t stride = 1) {
    convolution(width, kernel, stride, true);
    return *this;
  }

  /// A convolution with Batch Normalization, in a network that has it, and no activation.
  Stack& linear(std::int64_t width, std::int64_t kernel, std::int64_t stride = 1) {
    convolution(width, kernel, stride, !activation_.normalise);
    normalised();
    return *this;
  }

  template <class Module>
  Stack& then(Module module) {
    layers_->push_back(std::move(module));
    return *this;
  }

  /// The network, of joint layers if the activation is one of them.
  nn::Sequential finished() const {
    return activation_.is_joint() ? lk::link(layers_) : layers_;
  }

  /// Bottleneck blocks; the first one of them moves on in strides and changes the width.
  Stack& bottlenecks(std::int64_t inner, std::int64_t width, int count, std::int64_t stride) {
    for (int i = 0; i < count; ++i) {
      const std::int64_t step = i == 0 ? stride : 1;
      Stack branch(activation_, filters_, channels_);
      branch.activated(inner, 1, step).activated(inner, 3).linear(width, 1);
      Stack shortcut(activation_, filters_, channels_);
      if (i == 0) {
        shortcut.linear(width, 1, step);
      }
      layers_->push_back(std::make_shared<ResidualImpl>(
          branch.finished(), shortcut.finished(), activation_.make_base(width)));
      channels_ = width;
    }
    return *this;
  }

 private:
  void convolution(std::int64_t count, std::int64_t kernel, std::int64_t stride, bool bias) {
    layers_->push_back(nn::Conv2d(
        nn::Conv2dOptions(channels_, count, kernel).stride(stride).padding(kernel / 2).bias(bias)));
    channels_ = count;
  }

  void normalised() {
    if (activation_.normalise) {
      layers_->push_back(nn::BatchNorm2d(channels_));
    }
  }

  nn::Sequential layers_;
  const Activation& activation_;
  Filters filters_;
  std::int64_t channels_;
};

template <int kCount>
nn::Sequential convolutions(const Activation& act, Filters filters, at::IntArrayRef batch) {
  Stack stack(act, filters, batch[1]);
  for (int i = 0; i < kCount; ++i) {
    stack.activated(256, 3);
  }
  return stack.plain(10, 1).then(nn::AdaptiveAvgPool2d(1)).then(nn::Flatten()).finished();
}

nn::Sequential allcnn(const Activation& act, Filters filters, at::IntArrayRef batch) {
  return Stack(act, filters, batch[1])
      .activated(96, 3)
      .activated(96, 3)
      .plain(96, 3, 2)
      .then(nn::Dropout(0.5))
      .activated(192, 3)
      .activated(192, 3)
      .plain(192, 3, 2)
      .then(nn::Dropout(0.5))
      .activated(192, 3)
      .activated(192, 1)
      .plain(10, 1)
      .then(nn::AdaptiveAvgPool2d(1))
      .then(nn::Flatten())
      .finished();
}

/// With the paper's widths.
nn::Sequential resnet50(const Activation& act, Filters filters, at::IntArrayRef batch) {
  constexpr std::int64_t last = 128;
  const std::int64_t side = batch[2] / 8;
  return Stack(act, filters, batch[1])
      .linear(8, 3)
      .then(nn::ReLU())
      .bottlenecks(16, 64, 3, 1)
      .bottlenecks(16, 64, 4, 2)
      .bottlenecks(32, last, 6, 2)
      .bottlenecks(32, last, 3, 2)
      .then(nn::Flatten())
      .then(nn::Linear(last * side * side, 10))
      .finished();
}

/// A base activation, and the linked layer that belongs to it.
struct Base {
  const char* name;
  Activation::Make make;
  /// \param bias whether the layer adds one, trained for each channel
  std::function<nn::AnyModule(std::int64_t channels, bool bias)> make_linked;
};

template <class Layer, class Options>
nn::AnyModule linked(Options options, std::int64_t channels, bool bias) {
  if (bias) {
    options.bias(channels);
  }
  return nn::AnyModule(Layer(options));
}

std::vector<Base> bases() {
  return {
      {"relu",
       [](auto) { return nn::AnyModule(nn::ReLU()); },
       [](auto channels, bool bias) {
         return linked<lk::LKReLU>(lk::LKReLUOptions(), channels, bias);
       }},
      {"prelu",
       [](auto channels) {
         return nn::AnyModule(nn::PReLU(nn::PReLUOptions().num_parameters(channels)));
       },
       [](auto channels, bool bias) {
         return linked<lk::LKPReLU>(lk::LKPReLUOptions().num_parameters(channels), channels, bias);
       }},
      {"selu",
       [](auto) { return nn::AnyModule(nn::SELU()); },
       [](auto channels, bool bias) {
         return linked<lk::LKSELU>(lk::LKSELUOptions(), channels, bias);
       }},
      {"swish",
       [](auto) { return nn::AnyModule(nn::SiLU()); },
       [](auto channels, bool bias) {
         return linked<lk::LKSwish>(lk::LKSwishOptions(), channels, bias);
       }},
  };
}

} // namespace

std::vector<Activation> activations() {
  std::vector<Activation> plain;
  std::vector<Activation> normalised;
  for (const Base& base : bases()) {
    const std::string name = base.name;
    if (name == "relu" || name == "selu") { // the others' unlinked forms are nobody's rivals here
      plain.push_back({name, "torch", 1, false, base.make, base.make});
    }
    const auto fused = [base](auto channels) { return base.make_linked(channels, false); };
    const auto fused_bias = [base](auto channels) { return base.make_linked(channels, true); };
    const auto composed = [base](auto channels) {
      return nn::AnyModule(
          std::make_shared<ComposedImpl>(base.make(channels), base.make(channels)));
    };
    plain.push_back({"lk_" + name, "fused", 2, false, fused, base.make});
    plain.push_back({"lk_" + name, "fused_bias", 2, false, fused_bias, base.make});
    plain.push_back({"lk_" + name, "fused_joint", 2, false, fused, base.make});
    plain.push_back({"lk_" + name, "composed", 2, false, composed, base.make});
  }
  for (Activation activation : plain) {
    // A bias before Batch Normalization does nothing.
    if (!activation.takes_bias() && !activation.is_joint()) {
      activation.name.insert(0, "bn_");
      activation.normalise = true;
      normalised.push_back(activation);
    }
  }
  normalised.insert(normalised.end(), plain.begin(), plain.end());
  return normalised;
}

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {
      {"eight_conv", {16, 256, 28, 28}, {64, 256, 56, 56}, false, convolutions<8>},
      {"thirty_two_conv", {16, 256, 28, 28}, {64, 256, 56, 56}, false, convolutions<32>},
      {"allcnn", {16, 3, 32, 32}, {128, 3, 32, 32}, false, allcnn},
      {"resnet50", {16, 3, 32, 32}, {128, 3, 32, 32}, true, resnet50},
  };
  return all;
}

} // namespace benchmarks
