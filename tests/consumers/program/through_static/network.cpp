#include "network.h"
#include "softsign.h"

#include <linked_neurons/linked_neurons.h>

#include <torch/torch.h>

bool network_works() {
  torch::nn::Sequential net(
      torch::nn::Linear(4, 3),
      linked_neurons::LKReLU(),
      torch::nn::Linear(6, 3),
      linked_neurons::LKPReLU(),
      torch::nn::Linear(6, 3),
      linked_neurons::LKSELU(),
      torch::nn::Linear(6, 3),
      linked_neurons::LKSwish());
  const auto x = torch::randn({5, 4});
  const auto before = net->forward(x);

  torch::optim::SGD optimizer(net->parameters(), 0.1);
  before.square().sum().backward();
  optimizer.step();
  const auto after = net->forward(x);

  const auto selu = linked_neurons::LKSELU()(x);
  const auto composed = torch::cat({torch::selu(x), torch::selu(-x)}, 1);
  return torch::allclose(selu, composed, 1e-5, 1e-6) &&
         before.sizes() == torch::IntArrayRef({5, 6}) && !torch::equal(before, after);
}

bool has_own_kernels() {
  namespace cuda = linked_neurons::detail::cuda;
  const bool has_the_librarys = cuda::backend<linked_neurons::activation::ReLU> != nullptr;
  return (cuda::backend<LinkedSoftsign> != nullptr) == has_the_librarys;
}
