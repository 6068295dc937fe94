#include "networks.h"

#include "../common/usage_error.h"
#include "data.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/pooling.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>

namespace article {
namespace {

namespace nn = torch::nn;
using Sizes = std::vector<std::int64_t>;

enum class Padding { kValid, kSame };

/// Glorot's initialisation as Keras draws it: its normal one leaves out what lies beyond two
/// standard deviations. Kaiming's (He's) as LibTorch draws it for ReLU.
void initialise(at::Tensor& weight, at::Tensor& bias, const std::string& how) {
  const torch::NoGradGuard guard;
  if (how == "glorot_uniform") {
    nn::init::xavier_uniform_(weight);
  } else if (how == "kaiming_uniform") {
    nn::init::kaiming_uniform_(weight, 0, torch::kFanIn, torch::kReLU);
  } else {
    const auto area = static_cast<double>(weight[0][0].numel());
    const auto fans = static_cast<double>(weight.size(0) + weight.size(1)) * area;
    const double inside = std::erf(2 / std::sqrt(2.0));
    weight.uniform_(-inside, inside).erfinv_().mul_(std::sqrt(2.0) * std::sqrt(2 / fans));
  }
  bias.zero_();
}

/// Zeros around images, one more at the end than at the beginning where the number is odd: what
/// TensorFlow's 'same' padding does, and no padding of a convolution of LibTorch's with a stride.
class PadImpl : public nn::Cloneable<PadImpl> {
 public:
  explicit PadImpl(const std::array<std::int64_t, 4>& amounts) : amounts_(amounts) {}

  void reset() override {}

  at::Tensor forward(const at::Tensor& input) {
    return at::constant_pad_nd(input, amounts_);
  }

 private:
  std::array<std::int64_t, 4> amounts_; // left, right, top, bottom
};

TORCH_MODULE(Pad);

/// The mean over each channel's positions.
class GlobalAverageImpl : public nn::Cloneable<GlobalAverageImpl> {
 public:
  void reset() override {}

  at::Tensor forward(const at::Tensor& input) {
    return input.mean({2, 3});
  }
};

TORCH_MODULE(GlobalAverage);

/// Puts layers one after the other and keeps count of what they give out.
class Builder {
 public:
  Builder(const Settings& settings, const Activation& activation, const Sizes& sizes)
      : settings_(&settings), activation_(&activation), sizes_(sizes) {}

  Builder& convolution(
      std::int64_t filters,
      std::int64_t kernel,
      std::int64_t stride = 1,
      Padding padding = Padding::kValid) {
    std::array<std::int64_t, 4> pad{}; // as Pad's
    for (const std::size_t axis : {1, 2}) {
      const std::int64_t before = sizes_[axis];
      std::int64_t after = (before - kernel) / stride + 1;
      if (padding == Padding::kSame) {
        after = (before + stride - 1) / stride;
        const std::int64_t zeros =
            std::max<std::int64_t>(0, (after - 1) * stride + kernel - before);
        pad.at(4 - 2 * axis) = zeros / 2;
        pad.at(5 - 2 * axis) = zeros - zeros / 2;
      } else if (before < kernel) {
        too_small();
      }
      sizes_[axis] = after;
    }
    auto options = nn::Conv2dOptions(sizes_[0], filters, kernel).stride(stride);
    if (pad[0] == pad[1] && pad[2] == pad[3]) {
      options.padding({pad[2], pad[0]});
    } else {
      layers_->push_back(Pad(pad));
    }
    nn::Conv2d layer(options);
    initialise(layer->weight, layer->bias, settings_->init);
    layers_->push_back(layer);
    sizes_[0] = filters;
    return *this;
  }

  Builder& same(std::int64_t filters, std::int64_t kernel, std::int64_t stride = 1) {
    return convolution(filters, kernel, stride, Padding::kSame);
  }

  Builder& normalise() {
    // Keras' constants.
    const auto set = [](auto options) { return options.momentum(0.01).eps(1e-3); };
    if (sizes_.size() == 3) {
      layers_->push_back(nn::BatchNorm2d(set(nn::BatchNorm2dOptions(sizes_[0]))));
    } else {
      layers_->push_back(nn::BatchNorm1d(set(nn::BatchNorm1dOptions(sizes_[0]))));
    }
    return *this;
  }

  /// The activation that is compared.
  Builder& activate() {
    if (activation_->before == Normalisation::kBatch) {
      normalise();
    } else if (activation_->before == Normalisation::kLayer) {
      layers_->push_back(nn::LayerNorm(nn::LayerNormOptions(sizes_)));
    }
    return activate(*activation_);
  }

  Builder& activate(const Activation& activation) {
    layers_->push_back(ActivationLayer(activation, sizes_));
    sizes_[0] *= activation.expansion;
    return *this;
  }

  Builder& max_pool() {
    layers_->push_back(nn::MaxPool2d(2));
    sizes_[1] /= 2;
    sizes_[2] /= 2;
    if (sizes_[1] == 0 || sizes_[2] == 0) {
      too_small();
    }
    return *this;
  }

  Builder& dropout() {
    layers_->push_back(nn::Dropout(0.5));
    return *this;
  }

  Builder& average() {
    layers_->push_back(GlobalAverage());
    sizes_.resize(1);
    return *this;
  }

  /// Flattens what is not flat yet.
  Builder& dense(std::int64_t units) {
    if (sizes_.size() > 1) {
      layers_->push_back(nn::Flatten());
      sizes_ = {sizes_[0] * sizes_[1] * sizes_[2]};
    }
    nn::Linear layer(sizes_[0], units);
    initialise(layer->weight, layer->bias, settings_->init);
    layers_->push_back(layer);
    sizes_[0] = units;
    return *this;
  }

  Builder& bottleneck(std::initializer_list<std::int64_t> filters, std::int64_t stride, bool first);

  std::int64_t filters(std::int64_t count) const {
    return activation_->filters(count);
  }

  std::int64_t expansion() const {
    return activation_->expansion;
  }

  const Settings& settings() const {
    return *settings_;
  }

  const Sizes& sizes() const {
    return sizes_;
  }

  /// What was built, each linked activation and the layer behind it as one.
  Network layers() const {
    Network result;
    for (auto layer = layers_->begin(); layer != layers_->end(); ++layer) {
      const auto* const activation = layer->ptr()->as<ActivationLayer>();
      const auto next = layer + 1;
      if (activation != nullptr && next != layers_->end()) {
        if (const auto joint = activation->joined(*next)) {
          result->push_back(ActivationLayer(joint));
          ++layer;
          continue;
        }
      }
      result->push_back(*layer);
    }
    return result;
  }

 private:
  [[noreturn]] void too_small() const {
    throw examples::UsageError("the network '" + settings_->network + "' needs larger images");
  }

  const Settings* settings_;
  const Activation* activation_;
  Sizes sizes_;
  Network layers_;
};

/// A residual block: what its two ways give, added.
class SumImpl : public nn::Module {
 public:
  SumImpl(const Network& main, const Network& shortcut) : main_(main), shortcut_(shortcut) {
    register_module("main", main_);
    register_module("shortcut", shortcut_);
  }

  at::Tensor forward(const at::Tensor& input) {
    return main_->forward(input) + (shortcut_->is_empty() ? input : shortcut_->forward(input));
  }

 private:
  Network main_;
  Network shortcut_;
};

TORCH_MODULE(Sum);

Builder& Builder::bottleneck(
    std::initializer_list<std::int64_t> filters, std::int64_t stride, bool first) {
  const std::int64_t* const count = filters.begin();
  const auto finish = [&](Builder& way) -> Builder& {
    return settings_->batch_norm ? way.normalise() : way;
  };
  Builder main(*settings_, *activation_, sizes_);
  finish(main.convolution(count[0], 1, stride)).activate();
  finish(main.same(count[1], 3)).activate();
  finish(main.convolution(count[2], 1));
  Builder shortcut(*settings_, *activation_, sizes_);
  if (first) {
    finish(shortcut.convolution(count[2], 1, stride));
  }
  layers_->push_back(Sum(main.layers(), shortcut.layers()));
  sizes_ = main.sizes();
  // Linked, it would double the channels that the next block adds to.
  return activate(find_activation(activation_->base));
}

void covariate_shift(Builder& net) {
  for (int i = 0; i < 2; ++i) {
    net.convolution(net.filters(net.settings().filters), 3).activate();
  }
  net.dense(classes);
}

void width(Builder& net) {
  net.convolution(net.filters(net.settings().filters), 3).activate().dense(classes);
}

void depth(Builder& net) {
  const std::int64_t filters = net.filters(net.settings().filters);
  net.same(filters, 7, 2).activate();
  for (std::int64_t i = 0; i < net.settings().depth; ++i) {
    net.same(filters, 3).activate();
  }
  net.dense(classes);
}

void extended(Builder& net) {
  for (const std::int64_t count : {32, 64}) {
    const std::int64_t filters = net.filters(count);
    net.same(filters, 3).activate().convolution(filters, 3).activate().max_pool();
  }
  net.dense(net.filters(512)).activate().dense(classes);
}

void allcnn(Builder& net) {
  for (const std::int64_t count : {96, 192}) {
    const std::int64_t filters = net.filters(count);
    net.same(filters, 3).activate().same(filters, 3).activate().same(filters, 3, 2).dropout();
  }
  const std::int64_t filters = net.filters(192);
  net.same(filters, 3).activate().same(filters, 1).activate().same(classes, 1).average();
}

void resnet50(Builder& net) {
  net.convolution(8, 3);
  if (net.settings().batch_norm) {
    net.normalise();
  }
  net.activate(find_activation("relu"));
  struct Stage {
    std::initializer_list<std::int64_t> filters;
    int blocks;
    std::int64_t stride;
  };
  for (const Stage& stage :
       {Stage{{16, 16, 64}, 3, 1},
        Stage{{16, 16, 64}, 4, 2},
        Stage{{32, 32, 128}, 6, 2},
        Stage{{32, 32, 128}, 3, 2}}) {
    for (int block = 0; block < stage.blocks; ++block) {
      net.bottleneck(stage.filters, block == 0 ? stage.stride : 1, block == 0);
    }
  }
  net.dense(classes);
}

/// As many units behind each activation, linked or not.
void plasticity(Builder& net) {
  const std::int64_t units = net.settings().filters / net.expansion();
  for (std::int64_t i = 0; i < net.settings().depth; ++i) {
    net.dense(net.filters(units)).activate();
  }
  net.dense(classes);
}

struct Definition {
  const char* name;
  void (*build)(Builder& net);
};

constexpr Definition definitions[] = {
    {"covariate-shift", covariate_shift},
    {"width", width},
    {"depth", depth},
    {"extended", extended},
    {"allcnn", allcnn},
    {"resnet50", resnet50},
    {"plasticity", plasticity},
};

} // namespace

Network make_network(const Settings& settings, const Activation& activation, const Sizes& sizes) {
  for (const Definition& definition : definitions) {
    if (settings.network == definition.name) {
      Builder builder(settings, activation, sizes);
      definition.build(builder);
      return builder.layers();
    }
  }
  throw examples::UsageError("unknown network '" + settings.network + "'");
}

} // namespace article
