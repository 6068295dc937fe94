#pragma once

// The networks of the comparison, each defined once for every activation.

#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace benchmarks {

/// What stands behind a convolution.
struct Activation {
  using Make = std::function<torch::nn::AnyModule(std::int64_t channels)>;

  std::string name;
  /// fused: ours; fused_bias: ours, with the convolution's bias moved into it; fused_joint: ours,
  /// one layer with the convolution behind it; composed: LibTorch's operators; torch: a built-in
  /// layer.
  std::string variant;
  std::int64_t expansion; ///< channels out for each channel in: 2 if linked, else 1
  bool normalise;         ///< Batch Normalization stands before it
  Make make;              ///< the module for so many channels coming in
  Make make_base;         ///< the same unlinked

  bool takes_bias() const {
    return variant == "fused_bias";
  }

  bool is_joint() const {
    return variant == "fused_joint";
  }
};

/// Every activation and variant; without and, for those that do not stand there already, with Batch
/// Normalization.
std::vector<Activation> activations();

/// How many filters a convolution has before a linked layer: as many as before any other, or half
/// of them, so that as many channels come out.
enum class Filters { full, half };

/// A classifier of images into 10 classes.
struct Network {
  const char* name;
  std::vector<std::int64_t> batch_cpu, batch_cuda; ///< images, channels, height, width
  bool normalises_all; ///< Batch Normalization is looked at with every activation
  torch::nn::Sequential (*make)(
      const Activation& activation, Filters filters, at::IntArrayRef batch);
};

const std::vector<Network>& networks();

} // namespace benchmarks
