#pragma once

// The one network of this program, and the activations that it is trained with.

#include <linked_neurons/linked_neurons.h>
#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace fashion_mnist {

struct Activation {
  const char* name;
  /// Channels out for each channel in: 2 for a linked layer, 1 for any other.
  std::int64_t expansion;
  /// Appends the activation of `channels` channels to the network.
  void (*append)(torch::nn::Sequential& network, std::int64_t channels);
};

/// Every activation that is compared, in the table's order.
inline const std::vector<Activation>& activations() {
  using torch::nn::Sequential;
  namespace lk = linked_neurons;
  static const std::vector<Activation> all = {
      {"LK-ReLU", 2, [](Sequential& net, std::int64_t) { net->push_back(lk::LKReLU()); }},
      {"LK-PReLU",
       2,
       [](Sequential& net, std::int64_t channels) {
         net->push_back(lk::LKPReLU(lk::LKPReLUOptions().num_parameters(channels)));
       }},
      {"LK-SELU", 2, [](Sequential& net, std::int64_t) { net->push_back(lk::LKSELU()); }},
      {"LK-Swish", 2, [](Sequential& net, std::int64_t) { net->push_back(lk::LKSwish()); }},
      {"ReLU", 1, [](Sequential& net, std::int64_t) { net->push_back(torch::nn::ReLU()); }},
      {"SELU", 1, [](Sequential& net, std::int64_t) { net->push_back(torch::nn::SELU()); }},
      {"BN+ReLU",
       1,
       [](Sequential& net, std::int64_t channels) {
         net->push_back(torch::nn::BatchNorm2d(channels));
         net->push_back(torch::nn::ReLU());
       }},
  };
  return all;
}

/// Kaiming's initialisation, the same for every activation. A linked layer needs no other gain:
/// of its 2C outputs, as of ReLU's, one half of the energy is gone, and the fan-in of the next
/// layer counts all 2C.
template <typename Layer>
Layer initialised(Layer layer) {
  torch::nn::init::kaiming_normal_(layer->weight, 0.0, torch::kFanIn, torch::kReLU);
  torch::nn::init::zeros_(layer->bias);
  return layer;
}

/// Two 3×3 convolutions, each followed by the activation, then max-pooling and one linear layer.
/// A linked activation doubles its channels, so its convolution gets half the filters: what reaches
/// the next layer is as wide as with any other activation.
inline torch::nn::Sequential make_network(const Activation& activation) {
  namespace nn = torch::nn;
  struct Convolution {
    std::int64_t width; // after the activation
    std::int64_t stride;
  };
  nn::Sequential network;
  std::int64_t channels = 1;
  std::int64_t side = 28;
  for (const Convolution& next : {Convolution{16, 2}, Convolution{32, 1}}) {
    const std::int64_t filters = next.width / activation.expansion;
    const auto options = nn::Conv2dOptions(channels, filters, 3).stride(next.stride).padding(1);
    network->push_back(initialised(nn::Conv2d(options)));
    activation.append(network, filters);
    channels = next.width;
    side /= next.stride;
  }
  network->push_back(nn::MaxPool2d(2));
  side /= 2;
  network->push_back(nn::Flatten());
  network->push_back(initialised(nn::Linear(channels * side * side, 10)));
  // Each linked layer becomes one with the convolution behind it, if there is one: half as much is
  // kept for backward. The parameters and the results stay.
  return linked_neurons::link(network);
}

} // namespace fashion_mnist
