#pragma once

// The layers that are compared with each other: ours, what they replace, and what they compete
// with.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace benchmarks {

/// What the layers read. Each takes what it has a use for.
struct Inputs {
  at::Tensor x;                      ///< C channels at axis 1
  at::Tensor bias;                   ///< [C], or undefined: none
  at::Tensor weight_pos, weight_neg; ///< [C]
  at::Tensor scale, shift;           ///< Batch Normalization's, [C] in float
  at::Tensor running_mean, running_var;

  /// All that is differentiated.
  std::vector<at::Tensor> leaves() const;

  /// Whether these are the inputs that make_inputs() gives.
  bool are(at::IntArrayRef sizes, at::ScalarType type, at::MemoryFormat format) const;
};

Inputs make_inputs(
    at::IntArrayRef sizes, at::ScalarType type, at::MemoryFormat format, at::Device device);

/// The bytes that a layer has to move at least, each tensor read or written once.
struct Floor {
  int forward_inputs;  ///< in bytes of its input
  int backward_inputs; ///< in bytes of its input
  bool masks;          ///< forward also writes, and backward reads, two bits an element

  std::int64_t forward(const at::Tensor& x) const;
  std::int64_t backward(const at::Tensor& x) const;
};

struct Implementation {
  const char* activation;
  /// fused: ours; fused_output: ours, keeping its output for backward in place of masks; composed:
  /// LibTorch's operators, cat({g(z), g(-z)}); composed_cat: g(cat({z, -z})); torch: a built-in
  /// layer.
  const char* variant;
  bool linked; ///< twice the channels come out, and a bias can go in
  Floor floor; ///< of the activation: the same for all its variants
  at::Tensor (*run)(const Inputs&);
};

/// Every layer, those of one activation beside each other.
const std::vector<Implementation>& implementations();

} // namespace benchmarks
