// The program that compile.sh compiles.
#include <linked_neurons/linked_neurons.h>

#include <torch/torch.h>

#include <iostream>

int main() {
  torch::nn::Sequential net(
      torch::nn::Conv2d(3, 16, 3),
      linked_neurons::LKReLU(), // 16 channels in, 32 out
      torch::nn::Conv2d(32, 32, 3),
      linked_neurons::LKSwish());
  const auto y = net->forward(torch::randn({1, 3, 8, 8}));
  std::cout << y.sizes() << std::endl;
  return y.sizes() == torch::IntArrayRef({1, 64, 4, 4}) ? 0 : 1;
}
