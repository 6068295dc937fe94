// An activation of one's own, Snake, as a fused linked layer: in a network, and against the
// LibTorch expression that it stands for.
#include "snake.h"
#include "compare.h"

#include <linked_neurons/linked_neurons.h>

namespace {

constexpr double kFrequency = 0.75;

torch::Tensor snake(const torch::Tensor& x) {
  return x + torch::sin(kFrequency * x).square() / kFrequency;
}

torch::Tensor composed(const torch::Tensor& x) {
  return torch::cat({snake(x), snake(-x)}, 1);
}

} // namespace

int main() {
  torch::manual_seed(0);
  const torch::Device device(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
  std::printf("device: %s\n", device.str().c_str());

  using LKSnake = linked_neurons::Linked<Snake>;
  LKSnake act(linked_neurons::OptionsOf<Snake>().frequency(kFrequency));
  torch::nn::Sequential net(
      torch::nn::Conv2d(3, 8, 3), act, torch::nn::Conv2d(16, 8, 3), act, torch::nn::Flatten());
  net->to(device);
  std::cout << net << "\n";

  const auto images = torch::randn({4, 3, 16, 16}, device);
  const auto output = net->forward(images);
  output.square().mean().backward();
  std::cout << "output: " << output.sizes() << "\n";

  const auto layer = [&](const torch::Tensor& x) { return act->forward(x); };
  const auto x = 4 * torch::randn({8, 32, 9, 9}, device);
  bool good = agree("float", layer, composed, x, 1e-5);
  good &= agree("double", layer, composed, x.to(torch::kDouble), 1e-13);
  good &= agree(
      "double, channels-last",
      layer,
      composed,
      x.to(torch::kDouble).contiguous(torch::MemoryFormat::ChannelsLast),
      1e-13);
  return good ? 0 : 1;
}
