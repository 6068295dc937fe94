#pragma once

// The article's networks, each defined once for every activation.

#include "activations.h"
#include "experiments.h"

#include <torch/nn/modules/container/sequential.h>

#include <cstdint>
#include <vector>

namespace article {

/// A network takes images [batch, channels, height, width] to scores [batch, 10] (before the
/// softmax, which is the loss's). Weights as Keras begins: Glorot's, biases 0.
using Network = torch::nn::Sequential;

/// `sizes`: of an image, without the batch axis. The weights come from LibTorch's default
/// generator. Throws examples::UsageError if the images are too small for the network.
Network make_network(
    const Settings& settings, const Activation& activation, const std::vector<std::int64_t>& sizes);

} // namespace article
