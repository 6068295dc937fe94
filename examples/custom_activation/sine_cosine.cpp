// A coupling that is no negation, sine with cosine, as a fused linked layer: fitting a function,
// and against the LibTorch expression that it stands for.
#include "sine_cosine.h"
#include "compare.h"

#include <linked_neurons/linked_neurons.h>

namespace {

torch::Tensor composed(const torch::Tensor& x) {
  return torch::cat({torch::sin(x), torch::cos(x)}, 1);
}

/// Trains a small network on a wave; returns the last loss.
float fit_a_wave(torch::Device device) {
  linked_neurons::Linked<SineCosine> layer;
  torch::nn::Sequential net(
      torch::nn::Linear(1, 16), layer, torch::nn::Linear(32, 16), layer, torch::nn::Linear(32, 1));
  net->to(device);
  const auto x = torch::linspace(-3, 3, 256, device).unsqueeze(1);
  const auto y = torch::sin(4 * x) + 0.5 * torch::cos(9 * x);
  torch::optim::Adam optimizer(net->parameters(), 0.01);
  float loss = 0;
  for (int step = 0; step <= 500; ++step) {
    optimizer.zero_grad();
    const auto error = torch::mse_loss(net->forward(x), y);
    error.backward();
    optimizer.step();
    loss = error.item<float>();
    if (step % 100 == 0) {
      std::printf("step %3d: loss %.4f\n", step, loss);
    }
  }
  return loss;
}

} // namespace

int main() {
  torch::manual_seed(0);
  const torch::Device device(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
  std::printf("device: %s\n", device.str().c_str());

  bool good = fit_a_wave(device) < 0.05F;

  const auto layer = [](const torch::Tensor& x) {
    return linked_neurons::functional::linked<SineCosine>(x);
  };
  const auto x = 4 * torch::randn({8, 32, 9, 9}, device);
  good &= agree("float", layer, composed, x, 1e-5);
  good &= agree("double", layer, composed, x.to(torch::kDouble), 1e-13);
  good &= agree(
      "double, channels-last",
      layer,
      composed,
      x.to(torch::kDouble).contiguous(torch::MemoryFormat::ChannelsLast),
      1e-13);
  return good ? 0 : 1;
}
