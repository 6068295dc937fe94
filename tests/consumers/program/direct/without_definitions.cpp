// A source file that was compiled without the target's definitions, in a program with one that was
// compiled with them.
#undef LINKED_NEURONS_WITH_CUDA
#undef LINKED_NEURONS_WITH_LAYERS
#include <linked_neurons/linked_neurons.h>

#include <torch/torch.h>

bool agrees_without_definitions(const torch::Tensor& x) {
  const auto linked = linked_neurons::functional::lk_relu(x);
  return torch::equal(linked, torch::cat({torch::relu(x), torch::relu(-x)}, 1));
}
