// What only a device can show: graphs, streams, tensors of more than 2^31 elements, data_parallel.
// The comparison of every layer x type x layout with the composed expression is layers_test.cpp,
// which runs on a device too.

#include "layer.h"

#include <gtest/gtest.h>

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/nn/parallel/data_parallel.h>

namespace tests {
namespace {

/// Parameters of a half that has one weight, and one bias, a channel of axis 1, where the layer has
/// them.
Parameters random_parameters(
    const Layer& layer, std::int64_t channels, const at::TensorOptions& options) {
  const auto numbers = [&] { return torch::randn({channels}, options).requires_grad_(); };
  Parameters parameters;
  if (layer.has_weight) {
    parameters.weight = {numbers(), numbers()};
  }
  if (layer.has_bias) {
    parameters.bias = numbers();
  }
  return parameters;
}

Tensor composed_layer(const Layer& layer, const Tensor& x, Parameters parameters) {
  if (layer.has_weight) {
    auto& [pos, neg] = parameters.weight;
    pos = pos.view({-1, 1, 1});
    neg = neg.view({-1, 1, 1});
  }
  return layer.composed(x, parameters, 1);
}

Tensor fused_layer(const Layer& layer, const Tensor& x, const Parameters& parameters) {
  return layer.fused(x, parameters, 1);
}

class Device : public testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) {
      GTEST_SKIP() << "no CUDA device";
    }
    torch::manual_seed(31);
  }

  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(at::kCUDA);
};

/// Output and all gradients of one step.
/// \param run `fused_layer` or `composed_layer`.
template <class Run>
std::vector<Tensor> step(
    const Run& run,
    const Layer& layer,
    const Tensor& x,
    const Parameters& parameters,
    const Tensor& grad) {
  const Tensor y = run(layer, x, parameters);
  auto all = torch::autograd::grad({y}, layer.leaves(x, parameters), {grad});
  all.insert(all.begin(), y.detach());
  return all;
}

void expect_close(
    const std::vector<Tensor>& actual,
    const std::vector<Tensor>& expected,
    const std::string& name) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(at::allclose(actual[i], expected[i], 1e-4, 1e-4)) << name << " result " << i;
  }
}

TEST_F(Device, KernelsAreLinked) {
#define TESTS_EXPECT_KERNELS(A, function, Module) \
  EXPECT_NE(ln::detail::cuda::backend<ln::activation::A>, nullptr);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_EXPECT_KERNELS)
#undef TESTS_EXPECT_KERNELS
}

TEST_F(Device, StepsAreCapturedInGraphs) {
  for (const Layer& layer : kLibraryLayers) {
    const Tensor x = torch::randn({4, 6, 7, 8}, options).requires_grad_();
    const Parameters parameters = random_parameters(layer, 6, options);
    const Tensor grad = torch::randn({4, 12, 7, 8}, options);
    const auto stream = c10::cuda::getStreamFromPool();
    at::cuda::CUDAGraph graph;
    std::vector<Tensor> captured;
    {
      const c10::cuda::CUDAStreamGuard guard(stream);
      step(fused_layer, layer, x, parameters, grad);
      stream.synchronize();
      graph.capture_begin();
      captured = step(fused_layer, layer, x, parameters, grad);
      graph.capture_end();
      stream.synchronize();
    }
    {
      const torch::NoGradGuard guard;
      x.copy_(torch::randn_like(x));
      grad.copy_(torch::randn_like(grad));
    }
    torch::cuda::synchronize();
    graph.replay();
    torch::cuda::synchronize();
    expect_close(captured, step(composed_layer, layer, x, parameters, grad), layer.label());
  }
}

TEST_F(Device, RunOnTheCurrentStream) {
  for (const Layer& layer : kLibraryLayers) {
    const Parameters parameters = random_parameters(layer, 64, options);
    const Tensor grad = torch::randn({32, 128, 56, 56}, options);
    torch::cuda::synchronize();
    const auto stream = c10::cuda::getStreamFromPool();
    std::vector<Tensor> results;
    Tensor x;
    {
      // Work before it on the same stream, long enough that a kernel on another one would overtake.
      const c10::cuda::CUDAStreamGuard guard(stream);
      Tensor source = torch::randn({2048, 2048}, options);
      for (int i = 0; i < 20; ++i) {
        source = source.mm(source) * 1e-3;
      }
      x = torch::randn({32, 64, 56, 56}, options) + source.mean() * 0;
      x.requires_grad_();
      results = step(fused_layer, layer, x, parameters, grad);
    }
    stream.synchronize();
    expect_close(results, step(composed_layer, layer, x, parameters, grad), layer.label());
  }
}

TEST_F(Device, OddStorageOffsets) {
  for (const Layer& layer : kLibraryLayers) {
    for (const auto type : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble}) {
      const Parameters parameters = random_parameters(layer, 8, options.dtype(type));
      const Tensor x = torch::randn({1 + 2 * 8 * 4 * 4}, options).to(type).narrow(0, 1, 256);
      const Tensor y = fused_layer(layer, x.view({2, 8, 4, 4}), parameters);
      const auto wide = [](const Tensor& tensor) {
        return tensor.defined() ? tensor.to(at::kDouble) : tensor;
      };
      const auto& [weight, bias] = parameters;
      const Tensor expected = composed_layer(
          layer, wide(x.view({2, 8, 4, 4})), {{wide(weight.pos), wide(weight.neg)}, wide(bias)});
      EXPECT_TRUE(at::allclose(wide(y), expected, 4 * epsilon(type), 4 * epsilon(type)))
          << layer.label() << " " << type;
    }
  }
}

TEST_F(Device, MoreThan2To31Elements) {
  const int64_t batch = 3;
  const int64_t channels = 1 << 15;
  const int64_t inner = (1 << 15) + 8;
  const std::size_t needed = std::size_t{7} * batch * channels * inner * 2;
  std::size_t free = 0;
  std::size_t total = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  if (free < needed) {
    GTEST_SKIP() << "needs " << (needed >> 30) << " GiB of device memory, " << (free >> 30)
                 << " are free";
  }
  const Tensor x = torch::randn({batch, channels, inner}, options.dtype(at::kHalf));
  ASSERT_GT(x.numel(), int64_t{1} << 31);
  x.requires_grad_();
  const Tensor y = ln::functional::lk_relu(x);
  const Tensor grad = torch::randn_like(y);
  const Tensor grad_input = torch::autograd::grad({y}, {x}, {grad})[0];
  for (int64_t i = 0; i < batch; ++i) {
    for (const int64_t channel : {int64_t{0}, channels / 2 + 1, channels - 1}) {
      const Tensor z = x.detach()[i][channel];
      const Tensor g1 = grad[i][channel];
      const Tensor g2 = grad[i][channels + channel];
      EXPECT_TRUE(y[i][channel].equal(z.relu()));
      EXPECT_TRUE(y[i][channels + channel].equal((-z).relu()));
      const Tensor zero = at::zeros_like(z);
      EXPECT_TRUE(
          grad_input[i][channel].equal(at::where(z > 0, g1, zero) - at::where(z < 0, g2, zero)));
    }
  }
}

TEST_F(Device, ParametersGradientsAreDeterministic) {
  const Tensor x = torch::randn({64, 32, 28, 28}, options).requires_grad_();
  const Tensor grad = torch::randn({64, 64, 28, 28}, options);
  for (const Layer& layer : kLibraryLayers) {
    const Parameters parameters = random_parameters(layer, 32, options);
    const auto first = step(fused_layer, layer, x, parameters, grad);
    const auto second = step(fused_layer, layer, x, parameters, grad);
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_TRUE(first[i].equal(second[i])) << layer.label() << " result " << i;
    }
  }
}

TEST_F(Device, DataParallel) {
  ln::LKPReLU layer(ln::LKPReLUOptions().num_parameters(6));
  layer->to(at::kCUDA);
  const Tensor x = torch::randn({8, 6, 5, 5}, options);
  std::vector<at::Device> devices(torch::cuda::device_count(), at::Device(at::kCUDA, 0));
  for (std::size_t i = 0; i < devices.size(); ++i) {
    devices[i].set_index(static_cast<at::DeviceIndex>(i));
  }
  const Tensor y = torch::nn::parallel::data_parallel(layer, x, devices);
  EXPECT_TRUE(at::allclose(y, layer(x)));
}

} // namespace
} // namespace tests
