#include "implementations.h"

#include <linked_neurons/functional.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/prelu.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/selu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

namespace benchmarks {
namespace {

namespace F = linked_neurons::functional;

/// x + bias, as a convolution without its own would need it.
at::Tensor biased(const Inputs& in) {
  if (!in.bias.defined()) {
    return in.x;
  }
  at::DimVector sizes(static_cast<std::size_t>(in.x.dim()) - 1, 1);
  sizes[0] = in.bias.size(0);
  return in.x + in.bias.view(sizes);
}

template <class G>
at::Tensor composed(const Inputs& in, const G& g) {
  const at::Tensor z = biased(in);
  return at::cat({g(z), g(-z)}, 1);
}

} // namespace

std::vector<at::Tensor> Inputs::leaves() const {
  std::vector<at::Tensor> result;
  for (const auto& tensor : {x, bias, weight_pos, weight_neg, scale, shift}) {
    if (tensor.defined()) {
      result.push_back(tensor);
    }
  }
  return result;
}

bool Inputs::are(at::IntArrayRef sizes, at::ScalarType type, at::MemoryFormat format) const {
  return x.defined() && x.sizes() == sizes && x.scalar_type() == type && x.is_contiguous(format);
}

Inputs make_inputs(
    at::IntArrayRef sizes, at::ScalarType type, at::MemoryFormat format, at::Device device) {
  const auto single = at::TensorOptions(at::kFloat).device(device);
  const auto same = single.dtype(type);
  const at::IntArrayRef channels = sizes.slice(1, 1);
  Inputs in;
  in.x = at::randn(sizes, same).contiguous(format);
  in.bias = at::randn(channels, same);
  in.weight_pos = at::randn(channels, same);
  in.weight_neg = at::randn(channels, same);
  in.scale = at::ones(channels, single);
  in.shift = at::zeros(channels, single);
  in.running_mean = at::zeros(channels, single);
  in.running_var = at::ones(channels, single);
  for (const auto& leaf : in.leaves()) {
    leaf.requires_grad_();
  }
  return in;
}

std::int64_t Floor::forward(const at::Tensor& x) const {
  return forward_inputs * static_cast<std::int64_t>(x.nbytes()) + (masks ? x.numel() / 4 : 0);
}

std::int64_t Floor::backward(const at::Tensor& x) const {
  return backward_inputs * static_cast<std::int64_t>(x.nbytes()) + (masks ? x.numel() / 4 : 0);
}

const std::vector<Implementation>& implementations() {
  // Forward reads x and writes both halves. Backward reads both halves of the gradient and writes
  // x's; what else it reads is either masks or as large as x.
  constexpr Floor by_masks{3, 3, true};
  constexpr Floor by_value{3, 4, false};
  constexpr Floor pointwise{2, 3, false};
  constexpr Floor normalised{5, 8, false}; // statistics, normalisation, activation
  static const std::vector<Implementation> all = {
      {"lk_relu",
       "fused",
       true,
       by_masks,
       [](const Inputs& in) { return F::lk_relu(in.x, in.bias); }},
      {"lk_relu",
       "fused_output",
       true,
       by_masks,
       [](const Inputs& in) {
         return F::lk_relu(in.x, in.bias, linked_neurons::LKReLUOptions().keep_output(true));
       }},
      {"lk_relu",
       "composed",
       true,
       by_masks,
       [](const Inputs& in) { return composed(in, [](const auto& z) { return at::relu(z); }); }},
      {"lk_relu",
       "composed_cat",
       true,
       by_masks,
       [](const Inputs& in) {
         const at::Tensor z = biased(in);
         return at::relu(at::cat({z, -z}, 1));
       }},
      {"lk_prelu",
       "fused",
       true,
       by_value,
       [](const Inputs& in) { return F::lk_prelu(in.x, in.weight_pos, in.weight_neg, in.bias); }},
      {"lk_prelu",
       "fused_input",
       true,
       by_value,
       [](const Inputs& in) {
         return F::lk_prelu(
             in.x,
             in.weight_pos,
             in.weight_neg,
             in.bias,
             linked_neurons::LKPReLUOptions().keep_input(true));
       }},
      {"lk_prelu",
       "composed",
       true,
       by_value,
       [](const Inputs& in) {
         const at::Tensor z = biased(in);
         return at::cat({at::prelu(z, in.weight_pos), at::prelu(-z, in.weight_neg)}, 1);
       }},
      {"lk_selu",
       "fused",
       true,
       by_value,
       [](const Inputs& in) { return F::lk_selu(in.x, in.bias); }},
      {"lk_selu",
       "composed",
       true,
       by_value,
       [](const Inputs& in) { return composed(in, [](const auto& z) { return at::selu(z); }); }},
      {"lk_swish",
       "fused",
       true,
       by_value,
       [](const Inputs& in) { return F::lk_swish(in.x, in.bias); }},
      {"lk_swish",
       "fused_input",
       true,
       by_value,
       [](const Inputs& in) {
         return F::lk_swish(in.x, in.bias, linked_neurons::LKSwishOptions().keep_input(true));
       }},
      {"lk_swish",
       "composed",
       true,
       by_value,
       [](const Inputs& in) { return composed(in, [](const auto& z) { return at::silu(z); }); }},
      {"lk_sin_cos",
       "fused",
       true,
       by_value,
       [](const Inputs& in) { return F::lk_sin_cos(in.x, in.bias); }},
      {"lk_sin_cos",
       "fused_input",
       true,
       by_value,
       [](const Inputs& in) {
         return F::lk_sin_cos(in.x, in.bias, linked_neurons::LKSinCosOptions().keep_input(true));
       }},
      {"lk_sin_cos",
       "composed",
       true,
       by_value,
       [](const Inputs& in) {
         const at::Tensor z = biased(in);
         return at::cat({at::sin(z), at::cos(z)}, 1);
       }},
      {"relu", "torch", false, pointwise, [](const Inputs& in) { return at::relu(in.x); }},
      {"selu", "torch", false, pointwise, [](const Inputs& in) { return at::selu(in.x); }},
      {"bn_relu",
       "torch",
       false,
       normalised,
       [](const Inputs& in) {
         constexpr double momentum = 0.1;
         constexpr double epsilon = 1e-5;
         return at::relu(at::batch_norm(
             in.x,
             in.scale,
             in.shift,
             in.running_mean,
             in.running_var,
             /*training=*/true,
             momentum,
             epsilon,
             /*cudnn_enabled=*/true));
       }},
  };
  return all;
}

} // namespace benchmarks
