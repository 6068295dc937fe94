#pragma once

// Training and testing: the same images in the same order for every activation.

#include "network.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace fashion_mnist {

/// One split of the data set, where the network is. The images stay bytes and become numbers a
/// batch at a time.
struct Tensors {
  torch::Tensor images; ///< unsigned bytes, [count, 1, 28, 28]
  torch::Tensor labels; ///< int64, [count]
};

struct Training {
  std::int64_t epochs;
  std::int64_t batch_size;
  std::uint64_t seed;
};

struct Result {
  double accuracy; ///< Of the test images, after the last epoch; 0 … 1.
  double seconds_per_epoch;
  std::int64_t parameters;
};

/// Told after every step how much of the training is done (0 … 1) and what the batch's loss was;
/// the loss is still on the device, and reading it waits for the device.
using Report = std::function<void(double done, const torch::Tensor& loss)>;

/// Pixels less their mean over the training images, divided by their standard deviation.
inline torch::Tensor normalised(const torch::Tensor& bytes) {
  constexpr double mean = 0.2860 * 255;
  constexpr double deviation = 0.3530 * 255;
  return bytes.to(torch::kFloat).sub_(mean).div_(deviation);
}

inline torch::Tensor step(
    torch::nn::Sequential& network, torch::optim::Optimizer& optimizer, const Tensors& batch) {
  optimizer.zero_grad();
  const torch::Tensor scores = network->forward(normalised(batch.images));
  torch::Tensor loss = torch::nn::functional::cross_entropy(scores, batch.labels);
  loss.backward();
  optimizer.step();
  return loss.detach();
}

/// Work on a CUDA device is only queued when a call returns; a clock has to wait for its end.
inline void wait_for(const torch::Device& device) {
  if (device.is_cuda()) {
    torch::cuda::synchronize(device.index());
  }
}

inline double accuracy(torch::nn::Sequential& network, const Tensors& test) {
  constexpr std::int64_t batch_size = 200;
  const torch::NoGradGuard no_grad;
  network->eval();
  const std::vector<torch::Tensor> images = test.images.split(batch_size);
  const std::vector<torch::Tensor> labels = test.labels.split(batch_size);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const torch::Tensor guess = network->forward(normalised(images[i])).argmax(1);
    right += guess.eq(labels[i]).sum().item<std::int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(test.labels.size(0));
}

/// Trains the network with one activation, by Adam with a learning rate that falls to zero in a
/// straight line, and tests it.
inline Result train(
    const Activation& activation,
    const Tensors& train_set,
    const Tensors& test_set,
    const Training& training,
    const Report& report) {
  using torch::optim::Adam;
  const torch::Device device = train_set.images.device();
  const std::int64_t count = train_set.labels.size(0);
  const std::int64_t batch_size = std::min(count, training.batch_size);
  const auto batch_at = [&](const torch::Tensor& indices) {
    return Tensors{
        train_set.images.index_select(0, indices), train_set.labels.index_select(0, indices)};
  };

  // The first step of a process chooses algorithms and loads kernels: not this activation's cost.
  {
    torch::nn::Sequential network = make_network(activation);
    network->to(device);
    Adam optimizer(network->parameters());
    step(network, optimizer, batch_at(torch::arange(batch_size, device)));
    wait_for(device);
  }

  torch::manual_seed(training.seed);
  torch::nn::Sequential network = make_network(activation);
  network->to(device);
  constexpr double first_rate = 3e-3;
  Adam optimizer(network->parameters(), torch::optim::AdamOptions(first_rate));

  const std::int64_t steps_per_epoch = (count + batch_size - 1) / batch_size;
  const double steps = static_cast<double>(steps_per_epoch) * static_cast<double>(training.epochs);
  std::int64_t steps_done = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t epoch = 0; epoch < training.epochs; ++epoch) {
    // Each network drew a different number of weights; the order must not depend on that.
    torch::manual_seed(training.seed + static_cast<std::uint64_t>(epoch));
    const torch::Tensor order = torch::randperm(count).to(device);
    for (const torch::Tensor& indices : order.split(batch_size)) {
      const double done = static_cast<double>(steps_done) / steps;
      for (torch::optim::OptimizerParamGroup& group : optimizer.param_groups()) {
        group.options().set_lr(first_rate * (1 - done));
      }
      const torch::Tensor loss = step(network, optimizer, batch_at(indices));
      ++steps_done;
      report(static_cast<double>(steps_done) / steps, loss);
    }
  }
  wait_for(device);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;

  Result result{};
  result.seconds_per_epoch = taken.count() / static_cast<double>(training.epochs);
  result.accuracy = accuracy(network, test_set);
  for (const torch::Tensor& parameter : network->parameters()) {
    result.parameters += parameter.numel();
  }
  return result;
}

} // namespace fashion_mnist
