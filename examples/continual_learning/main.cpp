// Continual learning: a network that is never reset meets one task after another, as an agent does
// whose world changes. With ReLU it learns each later task worse; a linked activation in its place
// keeps it able to learn. docs/article.md has figures over hundreds of tasks of Fashion-MNIST.
//
//   continual_learning [TASKS [SEED]]
//
// The stream needs no data: points at random, in every task with new labels at random.

#include <linked_neurons/linked_neurons.h>

#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

namespace nn = torch::nn;

constexpr std::int64_t points = 512;
constexpr std::int64_t inputs = 64;
constexpr std::int64_t classes = 10;
constexpr std::int64_t width = 128; // behind each activation
constexpr std::int64_t batch_size = 64;
constexpr int epochs = 20;

/// Three hidden layers. A linked activation doubles what comes in, so half as many units stand in
/// front of it: the layers behind it are as wide as ReLU's, and the network has fewer parameters.
template <class Activation>
nn::Sequential make_network() {
  constexpr bool linked = !std::is_same_v<Activation, nn::ReLU>;
  const std::int64_t units = linked ? width / 2 : width;
  nn::Sequential network;
  for (int layer = 0; layer < 3; ++layer) {
    nn::Linear dense(layer == 0 ? inputs : width, units);
    nn::init::kaiming_uniform_(dense->weight, 0, torch::kFanIn, torch::kReLU);
    nn::init::zeros_(dense->bias);
    network->push_back(dense);
    network->push_back(Activation());
  }
  network->push_back(nn::Linear(width, classes));
  // Each linked activation and the layer behind it as one: the same results, less memory.
  return linked_neurons::link(network);
}

/// One learner: its network and its optimizer live through the whole stream.
struct Learner {
  std::string name;
  nn::Sequential network;
  torch::optim::Adam optimizer;
  std::vector<double> accuracies = {}; // one a task

  Learner(std::string called, nn::Sequential layers)
      : name(std::move(called)), network(std::move(layers)),
        optimizer(network->parameters(), torch::optim::AdamOptions(1e-3)) {}

  /// Learns the task; returns how much of it was right in the last epoch, while learning.
  double learn(const torch::Tensor& inputs, const torch::Tensor& labels) {
    torch::Tensor right;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      right = torch::zeros({}, torch::kLong);
      for (const torch::Tensor& batch : torch::randperm(points).split(batch_size)) {
        const torch::Tensor targets = labels.index_select(0, batch);
        const torch::Tensor scores = network->forward(inputs.index_select(0, batch));
        optimizer.zero_grad();
        nn::functional::cross_entropy(scores, targets).backward();
        optimizer.step();
        right += scores.argmax(1).eq(targets).sum();
      }
    }
    return right.item<double>() / points;
  }
};

std::string bar(double share) {
  std::string bar;
  bar.append(static_cast<std::size_t>(std::lround(share * 24)), '#');
  return bar;
}

void run(int tasks, std::uint64_t seed) {
  torch::set_num_threads(1); // layers this small gain nothing from more
  torch::manual_seed(seed);
  std::vector<Learner> learners;
  learners.emplace_back("ReLU", make_network<nn::ReLU>());
  learners.emplace_back("LK-ReLU", make_network<linked_neurons::LKReLU>());
  learners.emplace_back("sine, cosine", make_network<linked_neurons::LKSinCos>());
  const torch::Tensor world = torch::randn({points, inputs});

  std::printf("accuracy\ntask");
  for (const Learner& learner : learners) {
    std::printf("  %-30s", learner.name.c_str());
  }
  std::printf("\n");
  for (int task = 1; task <= tasks; ++task) {
    const torch::Tensor labels = torch::randint(classes, {points}, torch::kLong);
    std::printf("%4d", task);
    for (Learner& learner : learners) {
      const double accuracy = learner.learn(world, labels);
      std::printf("  %.3f %-24s", accuracy, bar(accuracy).c_str());
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

} // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? std::stoi(argv[1]) : 60, argc > 2 ? std::stoull(argv[2]) : 1);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "continual_learning: %s\n", error.what());
    return 1;
  }
}
