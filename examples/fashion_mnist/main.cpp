// Trains one small convolutional network on Fashion-MNIST once for each activation and compares
// test accuracy, seconds an epoch and parameters. `fashion_mnist --help` says what it can be told.

#include "../common/device.h"
#include "../common/mnist.h"
#include "../common/progress.h"
#include "options.h"
#include "train.h"

#include <linked_neurons/settle_allocator.h>

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace fashion_mnist {
namespace {

Tensors to_tensors(const examples::Split& split, const torch::Device& device) {
  return {
      examples::to_tensor(split.images.values, split.images.sizes).unsqueeze(1).to(device),
      examples::to_tensor(split.labels.values, split.labels.sizes).to(torch::kLong).to(device)};
}

void limit(Tensors& set, std::int64_t count) {
  const std::int64_t present = set.labels.size(0);
  if (count > present) {
    throw examples::UsageError(
        "--train-images: expected at most " + std::to_string(present) +
        ", as many as there are, got " + std::to_string(count));
  }
  if (count > 0) {
    set = {set.images.narrow(0, 0, count), set.labels.narrow(0, 0, count)};
  }
}

std::string progress_line(
    std::size_t number,
    const Activation& activation,
    std::int64_t epochs,
    double done,
    float loss) {
  const auto epoch =
      std::min(epochs, 1 + static_cast<std::int64_t>(done * static_cast<double>(epochs)));
  constexpr std::size_t width = 24;
  std::string bar(static_cast<std::size_t>(done * width), '=');
  bar.resize(width, '.');
  char line[128];
  std::snprintf(
      line,
      sizeof line,
      "[%zu/%zu] %-8s  epoch %" PRId64 "/%" PRId64 "  [%s] %3.0f %%  loss %.3f",
      number,
      activations().size(),
      activation.name,
      epoch,
      epochs,
      bar.c_str(),
      100 * done,
      static_cast<double>(loss));
  return line;
}

void print_table(const std::vector<Result>& results) {
  std::printf(
      "\n%-12s %13s %13s %12s\n", "activation", "test accuracy", "seconds/epoch", "parameters");
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::printf(
        "%-12s %11.2f %% %13.2f %12" PRId64 "\n",
        activations()[i].name,
        100 * results[i].accuracy,
        results[i].seconds_per_epoch,
        results[i].parameters);
  }
}

void run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const torch::Device device = examples::choose_device(options.device);
  if (device.is_cpu()) {
    linked_neurons::settle_allocator();
    torch::set_num_threads(static_cast<int>(options.threads));
  }
  const examples::Mnist data = examples::load_mnist(
      options.data_dir.empty() ? examples::find_fashion_mnist()
                               : std::filesystem::path(options.data_dir));
  Tensors train_set = to_tensors(data.train, device);
  limit(train_set, options.train_images);
  const Tensors test_set = to_tensors(data.test, device);
  std::printf(
      "Fashion-MNIST from %s: %" PRId64 " images to train on, %" PRId64 " to test; epochs: %" PRId64
      "; device: %s\n",
      data.folder.string().c_str(),
      train_set.labels.size(0),
      test_set.labels.size(0),
      options.epochs,
      device.str().c_str());
  std::fflush(stdout);

  const Training training{
      options.epochs, options.batch_size, static_cast<std::uint64_t>(options.seed)};
  std::vector<Result> results;
  examples::Progress progress;
  for (const Activation& activation : activations()) {
    const auto report = [&](double done, const torch::Tensor& loss) {
      if (done == 1 || progress.due()) {
        progress.show(progress_line(
            results.size() + 1, activation, options.epochs, done, loss.item<float>()));
      }
    };
    results.push_back(train(activation, train_set, test_set, training, report));
  }
  progress.clear();
  print_table(results);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  std::printf("\n%.0f seconds in all\n", taken.count());
}

} // namespace
} // namespace fashion_mnist

int main(int argc, char** argv) {
  try {
    const fashion_mnist::Options options = fashion_mnist::parse_options(argc, argv);
    if (options.help) {
      std::fputs(fashion_mnist::usage().c_str(), stdout);
    } else {
      fashion_mnist::run(options);
    }
    return 0;
  } catch (const examples::UsageError& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n", error.what());
    return 2;
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n", error.what_without_backtrace());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n", error.what());
  }
  return 1;
}
