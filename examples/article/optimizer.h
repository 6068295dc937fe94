#pragma once

// Optimizers as Keras computes them, on all parameters at once.
//
// Not LibTorch's own: their steps are a few kernels for each of some hundred small tensors, and
// their formulas are not Keras' (where the rate falls, what the constants are).

#include "experiments.h"

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

namespace article {

/// All parameters of a network in one tensor and their gradients in another: the network's own are
/// views of these from now on. Backward adds to the gradients.
struct FlatParameters {
  explicit FlatParameters(const torch::nn::Module& network);

  at::Tensor values;
  at::Tensor gradients;
};

class Optimizer {
 public:
  Optimizer(const Settings& settings, const FlatParameters& parameters);

  /// One step with the gradients as they are. `factor`: what a schedule multiplies the rate by.
  void step(double factor);

  /// What a checkpoint keeps beside the parameters.
  std::int64_t steps = 0;
  std::vector<at::Tensor> state; ///< As large as the parameters: the averages of each rule.

 private:
  Settings settings_;
  at::Tensor values_;
  at::Tensor gradients_;
};

} // namespace article
