// Tables and plots. output_test.py parses the latter.

#include "run.h"

#include "../../../examples/article/output/plots.h"
#include "../../../examples/article/output/summary.h"
#include "../../../examples/article/output/svg.h"
#include "../../../examples/article/output/tables.h"

#include <cmath>
#include <stdexcept>

namespace tests {
namespace {

using article::output::median;
using article::output::ticks;

class Results : public Output {
 protected:
  std::string table(const std::string& experiment, const std::string& ending) const {
    article::write_tables(out_, experiment);
    return content(out_ / experiment / ("table." + ending));
  }

  // Every part, in this order.
  static void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
    std::size_t at = 0;
    for (const std::string& part : parts) {
      at = text.find(part, at);
      ASSERT_NE(at, std::string::npos) << part << "\nis not where it should be in\n" << text;
      at += part.size();
    }
  }
};

TEST(Median, OddAndEven) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Ticks, EncloseTheValues) {
  EXPECT_EQ(ticks(1, 8, 12, 1), (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(
      ticks(1, 200, 12, 1), (std::vector<double>{0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200}));
  EXPECT_EQ(ticks(3, 3, 8, 1), (std::vector<double>{3, 4}));
  EXPECT_EQ(ticks(7, 88, 2, 1), (std::vector<double>{0, 50, 100}));
}

TEST_F(Results, DepthInMarkdown) {
  const double nan = NAN;
  settings_ = {{"batch_size", "128"}};
  log({"depth", "", "relu", "fashion_mnist", 100}, {.1, .1}, 1, 7);
  log({"depth", "", "relu", "fashion_mnist", 101}, {.0625, .125, .1}, 1, 12);
  log({"depth", "", "lk_relu", "fashion_mnist", 100}, {.5, nan, .875, .75});
  log({"depth", "", "lk_relu", "fashion_mnist", 101}, {.5, .625});
  log({"depth", "", "lk_relu", "fashion_mnist", 102}, {.8125});
  log({"depth", "", "swish", "fashion_mnist", 100}, {}); // no epoch yet: missing
  expect_parts(
      table("depth", "md"),
      {"### depth on fashion\\_mnist\n\n| Activation | Max | Paper max | Median |",
       " Paper median | Dead units | Epochs | Seconds | Seeds |\n",
       "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
       "| ReLU | 0.1250 | 0.1000 | 0.1125 | 0.1000 | 7–12 | 2–3 | 1.0 | 2 |\n",
       "| LK-ReLU | 0.8750 | 0.5667 | 0.8125 | 0.5607 | 0 | 1–4 | 1.0 | 3 |\n",
       "| PReLU | missing | 0.1000 | missing | 0.1000 | missing | missing | missing | 0 |\n",
       "| Swish | missing | 0.1000 | missing | 0.1000 | missing | missing | missing | 0 |\n",
       "| ReLU √2 | missing | 0.1000 | missing | — | missing | missing | missing | 0 |\n",
       "| BN+ReLU | missing | 0.5202 | missing | 0.5114 | missing | missing | missing | 0 |\n\n",
       "arXiv:1712.02609",
       "Settings: batch\\_size 128.\n"});
}

TEST_F(Results, DepthInLatex) {
  settings_ = {{"batch_size", "128"}};
  log({"depth", "", "selu_sqrt2", "fashion_mnist", 100}, {.5});
  expect_parts(
      table("depth", "tex"),
      {"\\begin{tabular}{@{}lrrrrrrrr@{}}\n\\hline\nActivation & Max & ",
       "SELU $\\sqrt{2}$ & 0.5000 & 0.5707 & 0.5000 & --- & 0 & 1 & 1.0 & 1 \\\\\n",
       "\\hline\n\\end{tabular}\n\\caption{depth on fashion\\_mnist.\n",
       "``---'' where",
       "batch\\_size 128.}\n\\end{table}\n"});
}

TEST_F(Results, TimeAgainstLKReLUWithoutBN) {
  log({"nobatchnorm", "no-bn", "lk_relu", "cifar10", 100}, {.5, .5, .5}, 2);
  log({"nobatchnorm", "bn", "lk_relu", "cifar10", 100}, {.25}, 5);
  log({"nobatchnorm", "no-bn", "selu", "cifar10", 100}, {.75}, 3);
  expect_parts(
      table("nobatchnorm", "md"),
      {"| Variant | Activation | Max | Paper max | Median | Time |",
       " Paper time | Epochs | Seconds | Seeds |\n| --- | --- | ---: |",
       "| bn | LK-ReLU | 0.2500 | 0.9027 | 0.2500 | 2.50 | 2.09 | 1 | 5.0 | 1 |\n",
       "| bn | SELU | missing | 0.9041 | missing | missing | 2.07 | missing | missing | 0 |\n",
       "| no-bn | LK-ReLU | 0.5000 | 0.9048 | 0.5000 | 1.00 | 1.00 | 3 | 2.0 | 1 |\n",
       "| no-bn | SELU | 0.7500 | 0.8611 | 0.7500 | 1.50 | 1.38 | 1 | 3.0 | 1 |\n"});
}

TEST_F(Results, NoTimeRatioWithoutItsUnit) {
  log({"nobatchnorm", "bn", "lk_relu", "cifar10", 100}, {.25}, 5);
  expect_parts(
      table("nobatchnorm", "md"),
      {"| bn | LK-ReLU | 0.2500 | 0.9027 | 0.2500 | missing | 2.09 | 1 | 5.0 | 1 |\n"});
}

TEST_F(Results, UnpublishedVariantsFormAGrid) {
  log({"covariate-shift", "offset-10", "relu", "mnist", 100}, {.25}, 1, 3);
  log({"covariate-shift", "offset-0", "mine", "mnist", 100}, {.75});
  const std::string text = table("covariate-shift", "md");
  expect_parts(
      text,
      {"| Variant | Activation | Max | Median | Dead units | Epochs | Seconds | Seeds |\n",
       "| offset-0 | ReLU | missing | missing | missing | missing | missing | 0 |\n",
       "| offset-0 | mine | 0.7500 | 0.7500 | 0 | 1 | 1.0 | 1 |\n",
       "| offset-10 | ReLU | 0.2500 | 0.2500 | 3 | 1 | 1.0 | 1 |\n",
       "| offset-10 | mine | missing |"});
  EXPECT_EQ(text.find("aper"), std::string::npos) << text;
}

TEST_F(Results, OneTableForEachDataSet) {
  log({"width", "width-50", "relu", "mnist", 100}, {.9});
  log({"width", "width-400", "relu", "cifar10", 100}, {.6});
  expect_parts(
      table("width", "md"),
      {"### width on cifar10\n",
       "| width-50 | ReLU | missing | 0.5767 |",
       "| width-400 | ReLU | 0.6000 | 0.6154 |",
       "### width on mnist\n",
       "| width-50 | ReLU | 0.9000 | 0.5767 |",
       "| width-400 | ReLU | missing | 0.6154 |"});
}

TEST_F(Results, SettingsAreStatedAndParametersAreAColumn) {
  settings_ = {{"lr", "0.1"}, {"epochs", "8"}, {"parameters", "700"}, {"steps", "90"}};
  log({"depth", "", "relu", "mnist", 100}, {.5});
  settings_ = {{"lr", "0.1"}, {"epochs", "9"}, {"parameters", "1300"}};
  log({"depth", "", "lk_relu", "mnist", 100}, {.5});
  expect_parts(
      table("depth", "md"),
      {"| Activation | Parameters | Max |",
       "| Epochs | Steps | Seconds | Seeds |",
       "| ReLU | 700 | 0.5000 |",
       "| 1 | 90 | 1.0 | 1 |",
       "| LK-ReLU | 1300 | 0.5000 |",
       "| PReLU | missing | missing |",
       "\nSettings: epochs 8 or 9, lr 0.1.\n"});
}

TEST_F(Results, NoRunsAreNamed) {
  log({"depth", "", "relu", "mnist", 100}, {});
  const std::string folder = (out_ / "depth").string();
  for (auto* const write : {article::write_tables, article::write_plots}) {
    EXPECT_EQ(
        message<std::runtime_error>([&] { write(out_, "depth"); }),
        folder + ": no run of this experiment has finished an epoch");
  }
}

TEST_F(Results, PlotsAreTheSameBytesAgain) {
  log({"width", "width-50", "relu", "mnist", 100}, {.25, .5, .5});
  log({"width", "width-50", "lk_relu", "mnist", 100}, {.5});
  log({"width", "width-400", "relu", "mnist", 100}, {.75, NAN});
  std::vector<std::string> plots[2];
  for (auto& drawn : plots) {
    article::write_plots(out_, "width");
    for (const char* name :
         {"curves-mnist-width-50.svg", "curves-mnist-width-400.svg", "best-mnist.svg"}) {
      drawn.push_back(content(out_ / "width" / name));
      std::filesystem::remove(out_ / "width" / name);
    }
  }
  EXPECT_EQ(plots[0], plots[1]);
}

} // namespace
} // namespace tests
