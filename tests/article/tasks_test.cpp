// Streams of tasks, what is measured of a network in them, and shares of the images.

#include "folder.h"
#include "training.h"

#include <article/checkpoint.h>
#include <article/command.h>
#include <article/tasks.h>
#include <article/trainer.h>
#include <common/usage_error.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <torch/utils.h>

namespace tests {
namespace {

using namespace article;

/// Images of 2x3 pixels, no two pixels the same.
Images numbered_images(std::int64_t count) {
  const at::Tensor pixels = at::arange(count * 6, at::kByte).view({count, 1, 2, 3});
  return {pixels, at::arange(count, at::kLong) % 10};
}

Images empty_like(const Images& images, std::int64_t count) {
  return {at::zeros({count, 1, 2, 3}, at::kByte), at::zeros({count}, images.labels.options())};
}

/// Which of all images each of the task's is, by its smallest pixel.
at::Tensor places(const Images& task) {
  return std::get<0>(task.pixels.flatten(1).min(1)).to(at::kLong).div(6, "trunc");
}

class Tasks : public testing::Test {
 protected:
  Images draw(const char* stream, std::int64_t number, int seed = 100) const {
    Settings settings;
    settings.stream = stream;
    Images task = empty_like(all, 20);
    draw_task(settings, seed, number, all, task);
    return task;
  }

  static bool same(const Images& one, const Images& other) {
    return one.pixels.equal(other.pixels) && one.labels.equal(other.labels);
  }

  const Images all = numbered_images(40);
};

TEST_F(Tasks, ComeFromTheSeedAndTheirNumberAlone) {
  for (const char* stream : {"random-labels", "permuted-pixels"}) {
    const Images first = draw(stream, 1);
    EXPECT_FALSE(same(first, draw(stream, 2))) << stream;
    EXPECT_FALSE(same(first, draw(stream, 1, 101))) << stream;
    torch::manual_seed(3);
    EXPECT_TRUE(same(first, draw(stream, 1))) << stream;
  }
}

TEST_F(Tasks, RandomLabelsLeaveTheImagesAsTheyAre) {
  const Images task = draw("random-labels", 1);
  EXPECT_TRUE(task.pixels.equal(all.pixels.index_select(0, places(task))));
  EXPECT_FALSE(task.labels.equal(all.labels.index_select(0, places(task))));
  EXPECT_GE(task.labels.min().item<std::int64_t>(), 0);
  EXPECT_LE(task.labels.max().item<std::int64_t>(), 9);
}

TEST_F(Tasks, PermutedPixelsHaveOneOrderInATask) {
  const Images task = draw("permuted-pixels", 1);
  EXPECT_TRUE(task.labels.equal(all.labels.index_select(0, places(task))));
  const at::Tensor order = task.pixels.flatten(1).to(at::kLong) - places(task).unsqueeze(1) * 6;
  EXPECT_TRUE(order.equal(order[0].expand_as(order)));
  EXPECT_FALSE(order[0].equal(at::arange(6)));
  EXPECT_TRUE(std::get<0>(order[0].sort()).equal(at::arange(6)));
}

TEST(EffectiveRank, CountsTheDimensionsThatAreFilled) {
  EXPECT_NEAR(effective_rank(at::eye(7)), 7, 1e-6);
  EXPECT_NEAR(effective_rank(at::eye(7).slice(1, 0, 3).repeat({4, 1})), 3, 1e-6);
  EXPECT_NEAR(effective_rank(at::ones({5, 4})), 1, 1e-3);
  EXPECT_EQ(effective_rank(at::zeros({5, 4})), 0);
}

TEST(Images, AreDrawnOverAllClasses) {
  // Of classes 0 0 0 0 1 1 2 the first of each, then the second of those that have one.
  const at::Tensor labels =
      at::stack({at::zeros({}, at::kLong), at::ones({}, at::kLong), at::ones({}, at::kLong) * 2})
          .repeat_interleave(at::stack(
              {at::ones({}, at::kLong) * 4, at::ones({}, at::kLong) * 2, at::ones({}, at::kLong)}));
  const Images all{at::arange(7, at::kByte).view({7, 1, 1, 1}), labels};
  const std::vector<std::int64_t> chosen[] = {
      {0}, {0, 4}, {0, 4, 6}, {0, 1, 4, 6}, {0, 1, 4, 5, 6}};
  for (const std::vector<std::int64_t>& places : chosen) {
    const Images some = all.some(static_cast<std::int64_t>(places.size()));
    ASSERT_EQ(some.count(), static_cast<std::int64_t>(places.size()));
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto place = static_cast<std::int64_t>(i);
      EXPECT_EQ(some.pixels[place].item<std::int64_t>(), places[i]);
      EXPECT_EQ(some.labels[place].item<std::int64_t>(), labels[places[i]].item<std::int64_t>());
    }
  }
}

TEST(Commands, SayWhatDiffersFromTheExperiment) {
  LoggedRun narrow;
  narrow.key = {"width", "width-50", "relu", "fashion_mnist", 100};
  narrow.settings = describe(find_experiment("width").settings);
  narrow.settings["filters"] = "50";
  narrow.settings["epochs"] = "10";
  narrow.settings["train-images"] = "60000";
  narrow.settings["threads"] = "1";
  LoggedRun wide = narrow;
  wide.key = {"width", "width-400", "lk_relu", "fashion_mnist", 102};
  wide.settings["filters"] = "400";
  EXPECT_EQ(
      command_of(find_experiment("width"), {narrow, wide}),
      "article run width --dataset fashion_mnist --activation lk_relu,relu --seeds 3 --epochs 10 "
      "--threads 1");
}

Dataset small_data() {
  torch::manual_seed(5);
  const Images images{at::randint(256, {40, 1, 4, 4}, at::kByte), at::arange(40, at::kLong) % 10};
  return {"random", images, images};
}

Training training_of(const char* stream, const char* activation) {
  return {
      variants(
          find_experiment("plasticity"),
          {{"stream", stream}, {"task-images", "20"}, {"epochs", "2"}, {"batch-size", "8"}})[0]
          .settings,
      find_activation(activation)};
}

void expect_same_task(const Epoch& one, const Epoch& other) {
  for (const EpochColumn& column : task_columns) {
    std::visit(
        [&](auto member) {
          if (std::string(column.name) != "task_time") {
            EXPECT_EQ(one.*member, other.*member) << column.name;
          }
        },
        column.member);
  }
}

TEST(StreamOfTasks, GoesOnFromACheckpointAsIfItHadNotStopped) {
  const Folder folder;
  const fs::path file = folder / "last.pt";
  const Dataset data = small_data();
  for (const char* stream : {"random-labels", "permuted-pixels"}) {
    const Training training = training_of(stream, "bn_relu");
    Trainer through(training, data, AlignedVector());
    const Epoch first = through.run(1, quiet);
    EXPECT_EQ(first.number, 1);
    save_checkpoint(file, through, {}, {first});
    Trainer resumed(training, data, AlignedVector());
    const std::vector<Epoch> tasks = load_checkpoint(file, resumed, {});
    ASSERT_EQ(tasks.size(), 1U);
    expect_same_task(tasks[0], first);
    expect_same_task(resumed.run(2, quiet), through.run(2, quiet));
  }
}

TEST(StreamOfTasks, LayersBehindLinkedActivationsAreAsWide) {
  // 16 pixels to three layers to 10 scores.
  const auto parameters = [](const char* activation) {
    return Trainer(training_of("random-labels", activation), small_data(), AlignedVector())
        .parameters();
  };
  EXPECT_EQ(parameters("relu"), 17 * 128 + 2 * 129 * 128 + 129 * 10);
  EXPECT_EQ(parameters("lk_sin_cos"), 17 * 64 + 2 * 129 * 64 + 129 * 10);
  EXPECT_EQ(parameters("ln_relu"), parameters("relu") + std::int64_t{3} * 2 * 128);
}

TEST(StreamOfTasks, NeedsAsManyImages) {
  Training training = training_of("random-labels", "relu");
  training.settings.task_images = 41;
  expect_error<examples::UsageError>(
      [&] { Trainer(training, small_data(), AlignedVector()); }, {"--task-images", "40", "41"});
}

/// With a rate of 0 and the images that it was trained on, validation after one step differs from
/// training only in what batch normalisation keeps.
TEST(BatchNormalisation, ValidatesAfterOneStepAsItTrained) {
  const Dataset data = small_data();
  Training training;
  training.settings =
      variants(find_experiment("depth"), {{"depth", "3"}, {"lr", "0"}, {"batch-size", "40"}})[0]
          .settings;
  training.activation = find_activation("bn_relu");
  const Epoch epoch = Trainer(training, data, AlignedVector()).run(1, quiet);
  EXPECT_NEAR(epoch.val_loss, epoch.loss, 0.02 * epoch.loss);
}

} // namespace
} // namespace tests
