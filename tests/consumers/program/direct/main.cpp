// A network with a linked layer, forward and backward, on the CPU and on a CUDA device if there is
// one.
#include <linked_neurons/linked_neurons.h>

#include <torch/torch.h>

#include <iostream>

bool agrees_without_definitions(const torch::Tensor& x);

namespace {

bool agrees(const torch::Device& device) {
  torch::nn::Sequential net(
      torch::nn::Conv2d(3, 4, 3), linked_neurons::LKReLU(), torch::nn::Conv2d(8, 2, 1));
  net->to(device);
  const auto y = net->forward(torch::randn({2, 3, 8, 8}, device));
  y.sum().backward();

  const auto x = torch::randn({2, 3, 5}, device);
  const auto linked = linked_neurons::functional::lk_relu(x);
  return y.sizes() == torch::IntArrayRef({2, 2, 6, 6}) && net->parameters()[0].grad().defined() &&
         torch::equal(linked, torch::cat({torch::relu(x), torch::relu(-x)}, 1)) &&
         agrees_without_definitions(x);
}

} // namespace

int main() {
  bool good = agrees(torch::kCPU);
  if (torch::cuda::is_available()) {
    good = agrees(torch::kCUDA) && good;
  }
  std::cout << (good ? "agrees" : "DIFFERS from the composed expression") << std::endl;
  return good ? 0 : 1;
}
