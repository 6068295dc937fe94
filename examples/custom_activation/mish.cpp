// An activation of one's own, Mish, as a fused linked layer: in a network, and against the LibTorch
// expression that it stands for.
#include "mish.h"
#include "compare.h"

#include <linked_neurons/linked_neurons.h>

#include <limits>

namespace {

torch::Tensor composed(const torch::Tensor& x) {
  return torch::cat({torch::mish(x), torch::mish(-x)}, 1);
}

/// Far out, where formulas overflow: the layer has Mish's limits, 0 and infinity.
bool has_limits(torch::Device device) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto x = torch::tensor({{-infinity, -1e30, 1e30, infinity}}, device).to(torch::kFloat);
  const auto expected = torch::cat({torch::relu(x), torch::relu(-x)}, 1);
  const bool good = linked_neurons::functional::linked<Mish>(x).equal(expected);
  std::printf("limits: %s\n", good ? "ok" : "WRONG");
  return good;
}

} // namespace

int main() {
  torch::manual_seed(0);
  const torch::Device device(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
  std::printf("device: %s\n", device.str().c_str());

  linked_neurons::Linked<Mish> mish;
  torch::nn::Sequential net(
      torch::nn::Conv2d(3, 8, 3), mish, torch::nn::Conv2d(16, 8, 3), mish, torch::nn::Flatten());
  net->to(device);
  std::cout << net << "\n";

  const auto images = torch::randn({4, 3, 16, 16}, device);
  const auto output = net->forward(images);
  output.square().mean().backward();
  std::cout << "output: " << output.sizes() << "\n";

  const auto layer = [&](const torch::Tensor& x) { return mish->forward(x); };
  // 0 included: there a careless |z| would lose the second derivative.
  const auto x = torch::cat({4 * torch::randn({8, 31, 9, 9}), torch::zeros({8, 1, 9, 9})}, 1);
  bool good = agree("float", layer, composed, x.to(device), 1e-5);
  good &= agree("double", layer, composed, x.to(device, torch::kDouble), 1e-13);
  good &= agree(
      "double, channels-last",
      layer,
      composed,
      x.to(device, torch::kDouble).contiguous(torch::MemoryFormat::ChannelsLast),
      1e-13);
  good &= has_limits(device);
  return good ? 0 : 1;
}
