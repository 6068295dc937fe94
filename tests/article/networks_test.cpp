// The table of experiments, the networks, the optimizers.

#include "folder.h"

#include <article/networks.h>
#include <article/optimizer.h>
#include <common/usage_error.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cmath>

namespace tests {
namespace {

using namespace article;

std::int64_t parameters(const std::string& experiment, const std::string& activation) {
  const Network network =
      make_network(find_experiment(experiment).settings, find_activation(activation), {3, 32, 32});
  std::int64_t count = 0;
  for (const at::Tensor& parameter : network->parameters()) {
    count += parameter.numel();
  }
  return count;
}

TEST(Networks, HaveTheParametersThatTheirDefinitionsCount) {
  // 7x7 from 3 to 4, fifty 3x3 from 4 to 4, 16x16x4 to 10.
  EXPECT_EQ(
      parameters("depth", "relu"), 49 * 3 * 4 + 4 + 50 * (9 * 4 * 4 + 4) + 16 * 16 * 4 * 10 + 10);
  EXPECT_EQ(
      parameters("depth", "lk_relu"),
      49 * 3 * 4 + 4 + 50 * (9 * 8 * 4 + 4) + 16 * 16 * 8 * 10 + 10);
  // floor(4 * √2) = 5 filters.
  EXPECT_EQ(
      parameters("depth", "relu_sqrt2"),
      49 * 3 * 5 + 5 + 50 * (9 * 5 * 5 + 5) + 16 * 16 * 5 * 10 + 10);
  // One weight for each of 16x16x4 elements of 51 layers, twice if linked.
  EXPECT_EQ(parameters("depth", "prelu") - parameters("depth", "relu"), 51 * 16 * 16 * 4);
  EXPECT_EQ(parameters("depth", "lk_prelu") - parameters("depth", "lk_relu"), 2 * 51 * 16 * 16 * 4);
  EXPECT_EQ(parameters("depth", "bn_relu") - parameters("depth", "relu"), 2 * 51 * 4);
  // As in the Keras example that it comes from.
  EXPECT_EQ(parameters("extended", "relu"), 1250858);
  // 1.37 million in Springenberg et al., who have another last stage of the same kind.
  EXPECT_EQ(
      parameters("allcnn", "relu"),
      9 * (3 * 96 + 2 * 96 * 96) + 3 * 96 + 9 * (96 * 192 + 2 * 192 * 192) + 3 * 192 +
          9 * 192 * 192 + 192 + 192 * 192 + 192 + 192 * 10 + 10);
}

/// Of which the parameters are those of the layers, once.
TEST(Networks, JoinLinkedActivationsWithTheLayersBehind) {
  const auto count = [](const char* activation) {
    const Network network = make_network(
        find_experiment("extended").settings, find_activation(activation), {3, 32, 32});
    return std::make_pair(network->size(), network->parameters().size());
  };
  const auto [layers, parameters] = count("relu");
  // Three of the five activations have a convolution or a dense layer behind them, two max-pooling.
  EXPECT_EQ(count("lk_relu"), std::make_pair(layers - 3, parameters));
  EXPECT_EQ(count("lk_prelu"), std::make_pair(layers - 3, parameters + 10));
}

TEST(Networks, ResNetWithoutBatchNormalisationLacksJustThat) {
  const Activation& relu = find_activation("relu");
  Settings settings = find_experiment("resnet50").settings;
  const Network with = make_network(settings, relu, {3, 32, 32});
  settings.batch_norm = false;
  const Network without = make_network(settings, relu, {3, 32, 32});
  EXPECT_EQ(without->buffers().size(), 0U);
  // Mean, variance and a count of the stem, of 3 layers in 16 blocks, of 4 shortcuts.
  EXPECT_EQ(with->buffers().size(), 3U * (1 + 3 * 16 + 4));
  EXPECT_EQ(with->parameters().size() - without->parameters().size(), 2U * (1 + 3 * 16 + 4));
}

TEST(Networks, GlorotsWeights) {
  torch::manual_seed(1);
  Settings settings = find_experiment("extended").settings;
  for (const char* init : {"glorot_uniform", "glorot_normal"}) {
    settings.init = init;
    const Network network = make_network(settings, find_activation("relu"), {3, 32, 32});
    for (const auto& module : network->modules(false)) {
      const auto* const layer = module->as<torch::nn::Linear>();
      if (layer == nullptr || layer->weight.size(0) != 512) {
        continue;
      }
      EXPECT_EQ(layer->bias.abs().max().item<float>(), 0);
      const double variance = 2.0 / (2304 + 512);
      const auto largest = layer->weight.abs().max().item<double>();
      // A normal distribution cut at two deviations has 0.774 of the variance.
      const bool uniform = settings.init == "glorot_uniform";
      EXPECT_NEAR(largest, (uniform ? std::sqrt(3.0) : 2) * std::sqrt(variance), 1e-3);
      EXPECT_NEAR(layer->weight.var().item<double>() / variance, uniform ? 1 : 0.7737, 0.01);
    }
  }
}

TEST(Networks, SamePaddingIsTensorFlows) {
  // Where the zeros of an odd number go shows in what the first output sees: with stride 2, kernel
  // 7 and 28 pixels there are 2 before and 3 after.
  Settings settings = find_experiment("depth").settings;
  settings.depth = 1;
  settings.filters = 1;
  Network network = make_network(settings, find_activation("relu"), {1, 28, 28});
  const torch::NoGradGuard guard;
  network->parameters()[0].fill_(1);
  const auto first_output = [&](std::int64_t row_and_column) {
    at::Tensor image = at::zeros({1, 1, 28, 28});
    image[0][0][row_and_column][row_and_column] = 1;
    const auto padding = network->begin();
    const at::Tensor output = (padding + 1)->forward(padding->forward(image));
    EXPECT_EQ(output.sizes(), (at::IntArrayRef{1, 1, 14, 14}));
    return output[0][0][0][0].item<float>();
  };
  EXPECT_EQ(first_output(4), 1); // the last in its window: 2 + 5 = 7
  EXPECT_EQ(first_output(5), 0);
}

TEST(Networks, TooSmallImagesAreAnError) {
  expect_error<examples::UsageError>(
      [] {
        make_network(find_experiment("extended").settings, find_activation("relu"), {1, 8, 8});
      },
      {"extended", "larger images"});
}

TEST(Experiments, Variants) {
  const auto names = [](const char* experiment,
                        const std::map<std::string, std::string>& overrides) {
    std::vector<std::string> all;
    for (const Variant& variant : variants(find_experiment(experiment), overrides)) {
      all.push_back(variant.name);
    }
    return all;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("depth", {{"lr", "0.1"}}), Names{"default"});
  EXPECT_EQ(names("width", {}), (Names{"width-50", "width-400"}));
  EXPECT_EQ(names("width", {{"filters", "7"}}), Names{"width-7"});
  EXPECT_EQ(names("covariate-shift", {{"offset", "10.0"}}), Names{"offset-10"});
  EXPECT_EQ(
      names("covariate-shift", {{"offset", "1"}, {"optimizer", "sgd"}}), Names{"sgd-offset-1"});
  EXPECT_EQ(names("nobatchnorm", {}), (Names{"bn", "no-bn"}));
  EXPECT_EQ(names("allcnn-schedule", {}), (Names{"lr-0.01", "lr-0.001"}));
  EXPECT_EQ(names("plasticity", {}), (Names{"random-labels", "permuted-pixels"}));
}

TEST(Experiments, AVariantHasMoreOfItsOwn) {
  const Experiment& plasticity = find_experiment("plasticity");
  const auto pixels = variants(plasticity, {})[1].settings;
  EXPECT_EQ(pixels.task_images, 6400);
  EXPECT_EQ(pixels.batch_size, 16);
  EXPECT_EQ(pixels.epochs, 1);
  EXPECT_EQ(pixels.rounds(), 200);
  const auto other = variants(plasticity, {{"batch-size", "7"}})[1].settings;
  EXPECT_EQ(other.task_images, 6400);
  EXPECT_EQ(other.batch_size, 7);
}

TEST(Experiments, WrongNamesAndValuesSayWhatIsRight) {
  expect_error<examples::UsageError>(
      [] { find_experiment("dept"); }, {"dept", "covariate-shift", "nobatchnorm"});
  expect_error<examples::UsageError>([] { find_activation("elu"); }, {"elu", "lk_relu", "bn_relu"});
  const auto overridden = [](const char* name, const char* value) {
    return [=] { variants(find_experiment("depth"), {{name, value}}); };
  };
  expect_error<examples::UsageError>(overridden("epochs", "0"), {"--epochs", "at least 1", "'0'"});
  expect_error<examples::UsageError>(overridden("lr", "-1"), {"--lr", "at least 0"});
  expect_error<examples::UsageError>(overridden("lr", "0.1x"), {"--lr", "'0.1x'"});
  expect_error<examples::UsageError>(overridden("optimizer", "lion"), {"sgd, adam, rmsprop"});
  expect_error<examples::UsageError>(overridden("shuffle", "yes"), {"true or false"});
}

TEST(Experiments, ScheduleFallsAfterItsEpochs) {
  const std::pair<std::int64_t, double> factors[] = {
      {1, 1},
      {500, 1},
      {501, 0.75},
      {2000, 0.75},
      {2001, 0.5},
      {2351, 0.1},
      {2750, 0.1},
      {2751, 0.05}};
  for (const auto& [epoch, factor] : factors) {
    EXPECT_EQ(schedule_factor("steps", epoch), factor) << epoch;
    EXPECT_EQ(schedule_factor("constant", epoch), 1);
  }
}

/// Three steps of one weight under the loss 3 w, so with the gradient 3.
double trained(const Settings& settings) {
  torch::nn::Linear layer(torch::nn::LinearOptions(1, 1).bias(false));
  const FlatParameters parameters(*layer);
  parameters.values.fill_(1);
  Optimizer optimizer(settings, parameters);
  for (int i = 0; i < 3; ++i) {
    parameters.gradients.zero_();
    (layer->forward(at::full({1, 1}, 3.0))).sum().backward();
    optimizer.step(1);
  }
  return layer->weight.item<double>();
}

TEST(Optimizers, AreKeras) {
  Settings settings;
  settings.optimizer = "sgd";
  settings.lr = 0.1;
  settings.decay = 0.5;
  // Rates 0.1, 0.1 / 1.5, 0.1 / 2.
  EXPECT_NEAR(trained(settings), 1 - 3 * (0.1 + 0.1 / 1.5 + 0.05), 1e-6);

  settings.decay = 0;
  settings.momentum = 0.9;
  double weight = 1;
  double velocity = 0;
  for (int i = 0; i < 3; ++i) {
    velocity = 0.9 * velocity - 0.1 * 3;
    weight += 0.9 * velocity - 0.1 * 3;
  }
  EXPECT_NEAR(trained(settings), weight, 1e-6);

  // A gradient that stays the same makes Adam's steps the rate itself.
  settings.optimizer = "adam";
  EXPECT_NEAR(trained(settings), 1 - 3 * 0.1, 1e-5);

  settings.optimizer = "rmsprop";
  weight = 1;
  double average = 0;
  for (int i = 0; i < 3; ++i) {
    average = 0.9 * average + 0.1 * 9;
    weight -= 0.1 * 3 / (std::sqrt(average) + 1e-7);
  }
  EXPECT_NEAR(trained(settings), weight, 1e-6);
}

} // namespace
} // namespace tests
