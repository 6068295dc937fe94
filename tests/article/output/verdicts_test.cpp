// What is claimed, held against runs; and runs through streams of tasks.

#include "run.h"

#include "../../../examples/article/output/plots.h"
#include "../../../examples/article/output/tables.h"
#include "../../../examples/article/output/verdicts.h"

#include <algorithm>
#include <utility>

namespace tests {
namespace {

using namespace article::output;

class Verdicts : public Output {
 protected:
  /// The judgement of the claim that begins so.
  Judgement judged(const std::string& experiment, const std::string& claim) const {
    const std::vector<Summary> summaries = summarise(out_, experiment);
    const std::vector<Judgement> all = judge(experiment, &summaries.at(0));
    const auto found = std::find_if(all.begin(), all.end(), [&](const Judgement& one) {
      return one.claim.rfind(claim, 0) == 0;
    });
    EXPECT_NE(found, all.end()) << claim;
    return found == all.end() ? Judgement{} : *found;
  }

  void log_tasks(
      const article::RunKey& key, const std::vector<double>& accuracies, std::int64_t dead = 0) {
    article::RunLog run(folder(key), key, settings_, 0, article::task_columns);
    article::Epoch task;
    for (const double accuracy : accuracies) {
      ++task.number;
      task.accuracy = accuracy;
      task.seconds = 2;
      task.dead_units = dead * task.number;
      task.effective_rank = 1.5;
      task.weight_norm = 3.25;
      run.add(task);
    }
  }

  void log_depth(const std::string& activation, double accuracy) const {
    log({"depth", "", activation, "mnist", 100}, {accuracy});
  }
};

TEST_F(Verdicts, HoldDoNotHoldOrAreNotMeasured) {
  log_depth("lk_relu", .8);
  log_depth("lk_prelu", .7);
  const char* const learn = "LK-ReLU, LK-PReLU, LK-SELU learn";
  EXPECT_EQ(judged("depth", learn).verdict, Verdict::kNotMeasured);
  EXPECT_EQ(judged("depth", learn).seen, "—");
  log_depth("lk_selu", .6);
  EXPECT_EQ(judged("depth", learn).verdict, Verdict::kHolds);
  EXPECT_EQ(judged("depth", learn).seen, "LK-SELU 0.600, 0.15");
  // One that fails decides, whatever is missing.
  const char* const above = "LK-ReLU, LK-PReLU, LK-SELU are above BN+ReLU";
  log_depth("bn_relu", .75);
  EXPECT_EQ(judged("depth", above).verdict, Verdict::kDoesNotHold);
  EXPECT_EQ(judged("depth", above).seen, "LK-SELU 0.600, BN+ReLU 0.750");
  log_depth("swish", .2);
  EXPECT_EQ(judged("depth", "ReLU, PReLU, Swish learn").verdict, Verdict::kDoesNotHold);
}

TEST_F(Verdicts, AreOfTheMedianSeed) {
  log({"extended", "", "relu", "mnist", 100}, {.5});
  log({"extended", "", "relu", "mnist", 101}, {.9});
  log({"extended", "", "relu", "mnist", 102}, {.4});
  for (const char* base : {"prelu", "selu", "swish"}) {
    log({"extended", "", base, "mnist", 100}, {.1});
    log({"extended", "", std::string("lk_") + base, "mnist", 100}, {.7});
  }
  log({"extended", "", "lk_relu", "mnist", 100}, {.6});
  EXPECT_EQ(judged("extended", "Linked above single").verdict, Verdict::kHolds);
  EXPECT_EQ(judged("extended", "Linked above single").seen, "LK-ReLU 0.600, ReLU 0.500");
}

TEST_F(Verdicts, OfTimesAndOfDeadUnits) {
  log({"nobatchnorm", "no-bn", "lk_relu", "mnist", 100}, {.5}, 3);
  log({"nobatchnorm", "bn", "lk_relu", "mnist", 100}, {.5}, 6);
  const Judgement twice = judged("nobatchnorm", "BN takes");
  EXPECT_EQ(twice.verdict, Verdict::kHolds);
  EXPECT_EQ(twice.seen, "bn LK-ReLU 6.00, 2 × no-bn LK-ReLU 3.00");
  EXPECT_EQ(judged("nobatchnorm", "LK-ReLU without BN").verdict, Verdict::kHolds); // as good
  log({"nobatchnorm", "bn", "lk_relu", "mnist", 100}, {.5}, 5);
  EXPECT_EQ(judged("nobatchnorm", "BN takes").verdict, Verdict::kDoesNotHold);

  for (const char* offset : {"offset-10", "offset-20", "offset-30", "offset-40"}) {
    log({"covariate-shift", offset, "relu", "mnist", 100}, {.1}, 1, 3);
    for (const char* linked : {"lk_relu", "lk_prelu", "lk_selu", "lk_swish"}) {
      log({"covariate-shift", offset, linked, "mnist", 100}, {.1}, 1, 0);
    }
  }
  EXPECT_EQ(judged("covariate-shift", "ReLU's units die").verdict, Verdict::kHolds);
  EXPECT_EQ(judged("covariate-shift", "No linked unit").verdict, Verdict::kHolds);
  log({"covariate-shift", "offset-20", "lk_selu", "mnist", 101}, {.1}, 1, 1);
  EXPECT_EQ(judged("covariate-shift", "No linked unit").verdict, Verdict::kDoesNotHold);
}

TEST_F(Verdicts, AreATableOfAllExperiments) {
  log_depth("lk_swish", .1);
  const std::string table = article::verdicts(out_, {"depth", "allcnn"});
  EXPECT_NE(
      table.find("| depth | mnist | LK-Swish learns nothing | holds | 0.15, LK-Swish 0.100 |\n"),
      std::string::npos)
      << table;
  EXPECT_NE(
      table.find("| allcnn | — | LK-ReLU is the best | not measured | — |\n"), std::string::npos)
      << table;
  article::write_tables(out_, "depth");
  EXPECT_EQ(content(out_ / "depth" / "table.md").find("Does not hold"), std::string::npos);
  log_depth("lk_swish", .25);
  article::write_tables(out_, "depth");
  EXPECT_NE(
      content(out_ / "depth" / "table.md")
          .find("Does not hold here: LK-Swish learns nothing (0.15, LK-Swish 0.250)."),
      std::string::npos);
}

TEST_F(Verdicts, OfTasksAreOfTheLastFifth) {
  const std::vector<double> falls = {.9, .9, .5, .5, .5, .5, .5, .5, .3, .5};
  const std::vector<double> stays = {.5, .5, .5, .5, .5, .5, .5, .5, .5, .5};
  log_tasks({"plasticity", "random-labels", "relu", "mnist", 100}, falls, 4);
  log_tasks({"plasticity", "random-labels", "lk_relu", "mnist", 100}, stays, 0);
  log_tasks({"plasticity", "random-labels", "lk_sin_cos", "mnist", 100}, stays, 0);
  log_tasks({"plasticity", "random-labels", "ln_relu", "mnist", 100}, falls, 0);
  log_tasks({"plasticity", "random-labels", "bn_relu", "mnist", 100}, falls, 0);
  const Judgement units = judged("plasticity", "random-labels: LK-ReLU loses fewer units");
  EXPECT_EQ(units.verdict, Verdict::kHolds);
  EXPECT_EQ(units.seen, "random-labels ReLU 40, random-labels LK-ReLU 0");
  EXPECT_EQ(judged("plasticity", "random-labels: sine with cosine lo").verdict, Verdict::kHolds);
  const Judgement above = judged("plasticity", "random-labels: sine with cosine above");
  EXPECT_EQ(above.seen, "random-labels sine, cosine 0.500, random-labels BN+ReLU 0.400");

  const std::string table = [&] {
    article::write_tables(out_, "plasticity");
    return content(out_ / "plasticity" / "table.md");
  }();
  EXPECT_NE(
      table.find("| random-labels | ReLU | 0.900 | 0.500 | 0.500 | 0.500 | 0.400 | 0.400 | "
                 "40 | 1.5 | 3.2 | 10 | 2.0 | 1 |\n"),
      std::string::npos)
      << table;
}

TEST_F(Verdicts, TasksAreReadBackAndDrawnWithTheRangeOfTheSeeds) {
  const article::RunKey key{"plasticity", "random-labels", "relu", "mnist", 100};
  log_tasks(key, std::vector<double>(120, .25), 1);
  const auto runs = article::read_runs(out_, "plasticity");
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_TRUE(runs[0].has_tasks);
  ASSERT_EQ(runs[0].epochs.size(), 120U);
  EXPECT_EQ(runs[0].epochs[119].dead_units, 120);
  EXPECT_EQ(runs[0].epochs[119].weight_norm, 3.25);
  EXPECT_EQ(runs[0].epochs[119].val_accuracy, 0);

  article::write_plots(out_, "plasticity");
  for (const char* name : {"curves-mnist-random-labels.svg", "dead-mnist-random-labels.svg"}) {
    const std::string drawing = content(out_ / "plasticity" / name);
    const auto count = [&](const std::string& what) {
      int found = 0;
      for (auto at = drawing.find(what); at != std::string::npos; at = drawing.find(what, at + 1)) {
        ++found;
      }
      return found;
    };
    EXPECT_EQ(count("<polygon"), 1) << name;
    EXPECT_EQ(count("<polyline"), 2) << name; // one of them in the legend
    EXPECT_EQ(count(">last task<"), 1) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(out_ / "plasticity" / "best-mnist.svg"));
}

} // namespace
} // namespace tests
