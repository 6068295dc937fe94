// Every experiment with every activation for an epoch, and what holds for all trainings.

#include "folder.h"
#include "training.h"

#include <article/checkpoint.h>
#include <article/trainer.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros.h>
#include <torch/utils.h>

#include <cmath>

namespace tests {
namespace {

using namespace article;

Dataset small_data(std::int64_t train, std::int64_t side) {
  torch::manual_seed(5);
  const auto images = [&](std::int64_t count) {
    return Images{
        at::randint(256, {count, 3, side, side}, at::kByte), at::arange(count, at::kLong) % 10};
  };
  return {"random", images(train), images(5)};
}

Training training_of(
    const std::string& experiment,
    const std::string& activation,
    const std::map<std::string, std::string>& overrides) {
  return {
      variants(find_experiment(experiment), overrides)[0].settings, find_activation(activation)};
}

class Smoke : public testing::TestWithParam<std::string> {};

TEST_P(Smoke, EveryVariantAndActivation) {
  const Experiment& experiment = find_experiment(GetParam());
  const Dataset data = small_data(6, 12); // batches of 4 and 2
  for (const Variant& variant : variants(
           experiment,
           {{"batch-size", "4"},
            {"linked-batch-size", "4"},
            {"epochs", "1"},
            {"task-images", "6"}})) {
    for (const std::string& name : experiment.activations) {
      SCOPED_TRACE(variant.name + " " + name);
      Trainer trainer({variant.settings, find_activation(name)}, data, AlignedVector());
      int steps = 0;
      const Epoch epoch = trainer.run(1, [&](double, const auto& averages) {
        EXPECT_TRUE(std::isfinite(averages().loss));
        ++steps;
      });
      EXPECT_EQ(steps, 2);
      EXPECT_EQ(epoch.number, 1);
      EXPECT_TRUE(std::isfinite(epoch.loss) && epoch.loss > 0);
      if (variant.settings.has_tasks()) {
        EXPECT_TRUE(std::isfinite(epoch.weight_norm) && epoch.weight_norm > 0);
        EXPECT_GE(epoch.effective_rank, 1);
        EXPECT_LE(epoch.effective_rank, 6);
        continue;
      }
      EXPECT_TRUE(std::isfinite(epoch.val_loss) && epoch.val_loss > 0);
      EXPECT_GE(epoch.val_accuracy, 0);
      EXPECT_LE(epoch.val_accuracy, 1);
    }
  }
}

std::vector<std::string> experiment_names() {
  std::vector<std::string> names;
  for (const Experiment& experiment : experiments()) {
    names.push_back(experiment.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Smoke, testing::ValuesIn(experiment_names()), [](const auto& info) {
  std::string name = info.param;
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
});

void expect_same(const Epoch& one, const Epoch& other) {
  EXPECT_EQ(one.number, other.number);
  EXPECT_EQ(one.loss, other.loss);
  EXPECT_EQ(one.accuracy, other.accuracy);
  EXPECT_EQ(one.val_loss, other.val_loss);
  EXPECT_EQ(one.val_accuracy, other.val_accuracy);
  EXPECT_EQ(one.dead_units, other.dead_units);
}

// Dropout, augmentation, shuffling; and batch normalisation with a rate that falls.
const std::pair<const char*, const char*> random_ones[] = {
    {"allcnn", "lk_relu"}, {"resnet50", "lk_prelu"}};

TEST(Training, IsRepeatable) {
  const Dataset data = small_data(12, 12);
  for (const auto& [experiment, activation] : random_ones) {
    Training training = training_of(experiment, activation, {{"batch-size", "4"}});
    const auto run = [&] {
      Trainer trainer(training, data, AlignedVector());
      trainer.run_epoch(1, quiet);
      return trainer.run_epoch(2, quiet);
    };
    const Epoch first = run();
    expect_same(first, run());
    ++training.seed;
    EXPECT_NE(first.loss, run().loss);
  }
}

TEST(Training, GoesOnFromACheckpointAsIfItHadNotStopped) {
  const Folder folder;
  const fs::path file = folder / "last.pt";
  const Dataset data = small_data(12, 12);
  for (const auto& [experiment, activation] : random_ones) {
    const Training training = training_of(experiment, activation, {{"batch-size", "4"}});
    Trainer through(training, data, AlignedVector());
    const Epoch first = through.run_epoch(1, quiet);
    save_checkpoint(file, through, {{"lr", "1"}}, {first});
    Trainer resumed(training, data, AlignedVector());
    const std::vector<Epoch> epochs = load_checkpoint(file, resumed, {{"lr", "1"}});
    ASSERT_EQ(epochs.size(), 1U);
    expect_same(epochs[0], first);
    EXPECT_EQ(epochs[0].seconds, first.seconds);
    expect_same(resumed.run_epoch(2, quiet), through.run_epoch(2, quiet));
  }
}

TEST(Checkpoints, OfOtherTrainingsAreErrorsThatSayInWhat) {
  const Folder folder;
  const fs::path file = folder / "last.pt";
  const Dataset data = small_data(4, 12);
  const Training training = training_of("width", "relu", {{"filters", "2"}});
  Trainer trainer(training, data, AlignedVector());
  save_checkpoint(file, trainer, {{"lr", "1"}}, {});
  expect_error<std::runtime_error>(
      [&] {
        load_checkpoint(file, trainer, {{"lr", "2"}});
      },
      {file.string(), "trained with lr 1, not 2"});
  Trainer wider(training_of("width", "relu", {{"filters", "3"}}), data, AlignedVector());
  expect_error<std::runtime_error>(
      [&] {
        load_checkpoint(file, wider, {{"lr", "1"}});
      },
      {file.string(), "sizes"});
  write(file, {1, 2, 3});
  expect_error<std::runtime_error>([&] { load_checkpoint(file, trainer, {}); }, {file.string()});
}

TEST(Training, LearnsWhatIsEasyToTell) {
  Dataset data = small_data(40, 12);
  const auto brighten = [](Images& images) {
    images.pixels.copy_((images.labels * 25).view({-1, 1, 1, 1}).expand_as(images.pixels));
  };
  brighten(data.train);
  brighten(data.validation);
  for (const char* optimizer : {"adam", "rmsprop"}) {
    Trainer trainer(
        training_of(
            "covariate-shift",
            "lk_selu",
            {{"optimizer", optimizer}, {"lr", "0.002"}, {"offset", "0"}, {"batch-size", "8"}}),
        data,
        AlignedVector());
    const double before = trainer.run_epoch(1, quiet).loss;
    double after = before;
    for (int epoch = 2; epoch <= 60; ++epoch) {
      after = trainer.run_epoch(epoch, quiet).loss;
    }
    EXPECT_LT(after, before / 2) << optimizer;
  }
}

TEST(DeadUnits, AreThoseThatGiveOutNothing) {
  // Three units on two images: one of them dead, another with the first image alone.
  const at::Tensor input = at::zeros({2, 3, 1, 2});
  input[0][1][0][1] = 2;
  input[0][2] = -1;
  input[1][2] = -3;
  const auto alive = [&](const char* activation) {
    ActivationLayer layer(find_activation(activation), std::vector<std::int64_t>{3, 1, 2});
    layer->forward(at::zeros({1, 3, 1, 2}) + 1); // not watched yet
    layer->watch();
    layer->forward(input.narrow(0, 0, 1));
    layer->forward(input.narrow(0, 1, 1));
    const at::Tensor units = layer->alive(at::kCPU);
    EXPECT_EQ(units.sizes(), at::IntArrayRef{3});
    return std::vector<bool>{units[0].item<bool>(), units[1].item<bool>(), units[2].item<bool>()};
  };
  EXPECT_EQ(alive("relu"), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(alive("prelu"), (std::vector<bool>{false, true, false})); // its weights start at 0
  EXPECT_EQ(alive("lk_relu"), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(alive("selu"), (std::vector<bool>{false, true, true}));
}

TEST(DeadUnits, AreCountedOverAllLayersAndImages) {
  // Far below 0 nothing passes ReLU's first layer, and with biases of 0 nothing is in the second.
  const Dataset data = small_data(4, 12);
  Training training = training_of("covariate-shift", "relu", {{"offset", "0"}, {"lr", "0"}});
  const auto dead = [&](const char* activation, double offset) {
    training.activation = find_activation(activation);
    training.settings.offset = offset;
    Trainer trainer(training, data, AlignedVector());
    return trainer.run_epoch(1, quiet).dead_units;
  };
  EXPECT_GT(dead("relu", -100), 0);
  EXPECT_LT(dead("relu", -100), 22);
  EXPECT_EQ(dead("lk_relu", -100), 0);
}

} // namespace
} // namespace tests
