#pragma once

// The activations that the article compares, and the layer that every network has of them.

#include <ATen/core/Tensor.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace article {

enum class Normalisation { kNone, kBatch, kLayer };

struct Activation {
  std::string name;       ///< "lk_relu": on the command line and in folders.
  std::int64_t expansion; ///< Channels out for each channel in: 2 if linked, else 1.
  std::string base;       ///< The name of what it links, or of itself.
  double width = 1;       ///< Every layer's filters times this, rounded down.
  Normalisation before = Normalisation::kNone;
  /// The module for an input of these sizes (without the batch axis).
  torch::nn::AnyModule (*make)(const std::vector<std::int64_t>& sizes) = nullptr;

  std::int64_t filters(std::int64_t count) const {
    return static_cast<std::int64_t>(static_cast<double>(count) * width);
  }
};

/// Every activation, in the tables' order.
const std::vector<Activation>& activations();

/// Throws examples::UsageError, which lists the names, if there is none of this name.
const Activation& find_activation(const std::string& name);

/// An activation in a network. It can be watched for dead units.
///
/// A unit is one channel of the activation's input, that is, one filter of the convolution (or one
/// unit of the dense layer) before it. It is dead if everything that it gives out is 0, wherever
/// and for every image seen: with ReLU no gradient reaches its weights then, and with its linked
/// twin both halves would have to be 0.
class ActivationLayerImpl : public torch::nn::Cloneable<ActivationLayerImpl> {
 public:
  /// `sizes`: of the input, without the batch axis.
  ActivationLayerImpl(const Activation& activation, const std::vector<std::int64_t>& sizes);

  void reset() override {}

  /// This activation and the layer behind it as one, which keeps less for backward; empty if the
  /// activation is not linked, or the layer is no convolution and not linear.
  std::shared_ptr<ActivationLayerImpl> joined(const torch::nn::AnyModule& layer) const;

  at::Tensor forward(const at::Tensor& input);

  /// Forgets what was seen and watches from now on. With `keep`, the last output is kept, too.
  void watch(bool keep = false);

  /// Ends watching. Returns a bool for each unit: whether it ever gave out anything but 0.
  at::Tensor alive(const c10::Device& device);

  /// The output that was kept; the layer forgets it.
  at::Tensor take_output();

 private:
  ActivationLayerImpl(
      torch::nn::AnyModule function, torch::nn::AnyModule joint, std::int64_t units);

  /// Watches an output of the activation.
  void note(const at::Tensor& output);

  torch::nn::AnyModule function_;
  torch::nn::AnyModule joint_; // with the layer behind; empty if there is none
  std::int64_t units_;
  bool watched_ = false;
  bool keeps_ = false;
  at::Tensor output_;
  at::Tensor alive_; // [expansion, units]; undefined before the first batch
};

TORCH_MODULE(ActivationLayer);

} // namespace article
