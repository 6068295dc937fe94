// The program as a user has it: its command line, interrupts, failures, many processes.

#include "folder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <torch/serialize/input-archive.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <sstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace tests {
namespace {

using namespace std::chrono_literals;

std::string read(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The program with arguments, under a shell; its output goes to a file.
class Program {
 public:
  Program(const fs::path& log, const std::string& arguments, const std::string& before = {})
      : log_(log), child_(::fork()) {
    if (child_ == 0) {
      const std::string command =
          before + "exec '" ARTICLE_PROGRAM "' " + arguments + " >'" + log.string() + "' 2>&1";
      ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }

  pid_t id() const {
    return child_;
  }

  /// The exit status; 128 and the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string output() const {
    return read(log_);
  }

 private:
  fs::path log_;
  pid_t child_;
};

void wait_for(const fs::path& file) {
  for (int i = 0; i < 600 && !fs::exists(file); ++i) {
    std::this_thread::sleep_for(100ms);
  }
  ASSERT_TRUE(fs::exists(file)) << file;
}

class Article : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder / "data");
    write_mnist(folder / "data", 26, 12);
  }

  /// Arguments of a small run into a folder `out`.
  std::string small_run(const std::string& out, const std::string& more) const {
    return "run " + what +
           " --activation lk_prelu --batch-size 8 --dataset mnist "
           "--device cpu --threads 1 --data-dir '" +
           (folder / "data").string() + "' --out '" + (folder / out).string() + "' " + more;
  }

  fs::path run_folder(const std::string& out) const {
    return folder / out / where / "lk_prelu" / "seed-100";
  }

  int run(const std::string& arguments, const std::string& before = {}) {
    Program program(folder / "log", arguments, before);
    const int status = program.wait();
    output = program.output();
    return status;
  }

  void expect_output(const std::vector<std::string>& parts) const {
    for (const std::string& part : parts) {
      EXPECT_NE(output.find(part), std::string::npos)
          << "'" << output << "' lacks '" << part << "'";
    }
  }

  /// epochs.csv as numbers, without the seconds.
  std::vector<std::vector<double>> epochs(const std::string& out) const {
    std::istringstream lines(read(run_folder(out) / "epochs.csv"));
    std::vector<std::vector<double>> table;
    std::string line;
    std::getline(lines, line);
    const auto seconds = std::count(
        line.begin(), line.begin() + static_cast<std::ptrdiff_t>(line.find("_time")), ',');
    while (std::getline(lines, line)) {
      std::istringstream cells(line);
      std::string cell;
      table.emplace_back();
      for (int column = 0; std::getline(cells, cell, ','); ++column) {
        if (column != seconds) {
          table.back().push_back(std::stod(cell));
        }
      }
    }
    return table;
  }

  at::Tensor parameters(const std::string& out) const {
    torch::serialize::InputArchive archive;
    archive.load_from((run_folder(out) / "last.pt").string());
    torch::serialize::InputArchive state;
    archive.read("state", state);
    at::Tensor values;
    state.read("tensor0", values, /*is_buffer=*/true);
    return values;
  }

  /// Cut off after its first epoch or task; `rounds`: the option for their number.
  void expect_to_go_on(const std::string& rounds);

  Folder folder;
  std::string output;
  std::string what = "covariate-shift --offset 0"; ///< Of small_run().
  fs::path where = "covariate-shift/offset-0";
};

TEST_F(Article, HelpAndWrongNames) {
  EXPECT_EQ(run("--help"), 0);
  expect_output({"run", "table", "plot", "list"});
  EXPECT_EQ(run("run --help"), 0);
  expect_output({"--activation", "--lr", "nobatchnorm", "--resume"});
  EXPECT_EQ(run("list"), 0);
  expect_output({"covariate-shift", "allcnn-schedule", "bn_relu"});
  EXPECT_EQ(run("ruin"), 2);
  expect_output({"run", "table", "plot", "list"});
  EXPECT_EQ(run("run dept"), 2);
  expect_output({"'dept'", "depth", "nobatchnorm"});
  EXPECT_EQ(run("run depth --activation gelu"), 2);
  expect_output({"'gelu'", "lk_relu"});
  EXPECT_EQ(run("run depth --dataset imagenet"), 2);
  expect_output({"'imagenet'", "fashion_mnist"});
  EXPECT_EQ(run("run depth --device tpu"), 2);
  expect_output({"tpu", "cuda:N"});
}

TEST_F(Article, RunsAndMakesTablesAndPlots) {
  ASSERT_EQ(run(small_run("runs", "--epochs 2 --seeds 2")), 0) << output;
  EXPECT_EQ(epochs("runs").size(), 2U);
  EXPECT_TRUE(fs::exists(run_folder("runs").parent_path() / "seed-101" / "best.pt"));
  const std::string out = " covariate-shift --out '" + (folder / "runs").string() + "'";
  EXPECT_EQ(run("table" + out), 0) << output;
  EXPECT_EQ(run("plot" + out), 0) << output;
  const auto endings = [&] {
    std::string all;
    for (const auto& entry : fs::directory_iterator(folder / "runs" / "covariate-shift")) {
      all += entry.path().extension().string();
    }
    return all;
  }();
  EXPECT_NE(endings.find(".tex"), std::string::npos);
  EXPECT_NE(endings.find(".md"), std::string::npos);
  EXPECT_NE(endings.find(".svg"), std::string::npos);

  EXPECT_EQ(run(small_run("runs", "--epochs 2 --seeds 2")), 2);
  expect_output({run_folder("runs").string(), "--resume", "--overwrite"});
  EXPECT_EQ(run(small_run("runs", "--epochs 2 --resume --lr 0.5")), 1);
  expect_output({"last.pt", "trained with lr 0.001, not 0.5"});
}

void Article::expect_to_go_on(const std::string& rounds) {
  Program program(folder / "log", small_run("cut", rounds + "100000"));
  wait_for(run_folder("cut") / "last.pt");
  ::kill(program.id(), SIGINT);
  EXPECT_EQ(program.wait(), 130);
  EXPECT_NE(
      program.output().find("--resume goes on after the last finished epoch"), std::string::npos)
      << program.output();

  const std::string total = rounds + std::to_string(epochs("cut").size() + 2);
  ASSERT_EQ(run(small_run("cut", "--resume " + total)), 0) << output;
  ASSERT_EQ(run(small_run("through", total)), 0) << output;
  EXPECT_EQ(epochs("cut"), epochs("through"));
  EXPECT_TRUE(parameters("cut").equal(parameters("through")));
}

TEST_F(Article, InterruptedItGoesOnToTheSameResult) {
  expect_to_go_on("--epochs ");
}

TEST_F(Article, AStreamOfTasksGoesOnToTheSameResult) {
  what = "plasticity --stream permuted-pixels --task-images 16 --epochs 2";
  where = "plasticity/permuted-pixels";
  expect_to_go_on("--tasks ");
  const std::string out = " plasticity --out '" + (folder / "cut").string() + "'";
  EXPECT_EQ(run("table" + out), 0) << output;
  EXPECT_EQ(run("plot" + out), 0) << output;
  for (const char* name :
       {"table.md", "curves-mnist-permuted-pixels.svg", "dead-mnist-permuted-pixels.svg"}) {
    EXPECT_TRUE(fs::exists(folder / "cut" / "plasticity" / name)) << name;
  }
}

TEST_F(Article, TheRecordedVerdictsAreThoseOfTheRecordedRuns) {
  ASSERT_EQ(run("verdicts --out '" ARTICLE_RESULTS "'"), 0) << output;
  EXPECT_EQ(output, read(ARTICLE_RESULTS "/verdicts.md"))
      << "article verdicts --out examples/article/results >examples/article/results/verdicts.md";
}

TEST_F(Article, WhatCannotBeWrittenIsSaidAtOnceAndLosesNoEpoch) {
  write(folder / "file", {});
  EXPECT_EQ(run(small_run("file", "--epochs 1")), 1);
  expect_output({(folder / "file").string()});

  // A limit on files stands for a full disk. The first epoch's checkpoint is larger than it.
  ASSERT_EQ(run(small_run("full", "--epochs 1")), 0) << output;
  const auto before = epochs("full");
  const at::Tensor first = parameters("full");
  EXPECT_EQ(run(small_run("full", "--epochs 3 --resume"), "trap '' XFSZ; ulimit -f 16; "), 1);
  expect_output({run_folder("full").string(), "File too large"});
  EXPECT_TRUE(parameters("full").equal(first));
  EXPECT_EQ(epochs("full").at(0), before.at(0));

  ASSERT_EQ(run(small_run("full", "--epochs 3 --resume")), 0) << output;
  ASSERT_EQ(run(small_run("through", "--epochs 3")), 0) << output;
  EXPECT_EQ(epochs("full"), epochs("through"));
}

class Processes : public Article {
 protected:
  /// Whether this build has them; if not, what it says.
  bool there() {
    const bool there = run(small_run("there", "--epochs 1 --world-size 2")) == 0;
    if (!there) {
      expect_output({"this build cannot train in several processes", "configure again"});
    }
    return there;
  }

  void expect_close_to_one_process(const std::string& out) {
    ASSERT_EQ(run(small_run("one", "--epochs 3")), 0) << output;
    EXPECT_TRUE(parameters(out).allclose(parameters("one"), 1e-4, 1e-5));
    const auto alone = epochs("one");
    const auto together = epochs(out);
    ASSERT_EQ(alone.size(), together.size());
    for (std::size_t epoch = 0; epoch < alone.size(); ++epoch) {
      for (std::size_t column = 0; column < alone[epoch].size(); ++column) {
        EXPECT_NEAR(alone[epoch][column], together[epoch][column], 1e-4) << epoch << " " << column;
      }
    }
  }
};

TEST_F(Processes, TwoTrainAsOneDoes) {
  if (!there()) {
    GTEST_SKIP() << output;
  }
  ASSERT_EQ(run(small_run("two", "--epochs 3 --world-size 2")), 0) << output;
  expect_close_to_one_process("two");
}

TEST_F(Processes, LaunchedOnesMeet) {
  if (!there()) {
    GTEST_SKIP() << output;
  }
  const auto place = [](int rank) {
    const int port = 20000 + ::getpid() % 20000;
    return "export MASTER_ADDR=127.0.0.1 MASTER_PORT=" + std::to_string(port) +
           " WORLD_SIZE=2 RANK=" + std::to_string(rank) + "; ";
  };
  const std::string arguments = small_run("two", "--epochs 3");
  Program second(folder / "second", arguments, place(1));
  EXPECT_EQ(run(arguments, place(0)), 0) << output;
  EXPECT_EQ(second.wait(), 0) << second.output();
  expect_close_to_one_process("two");

  EXPECT_EQ(run(arguments, "export WORLD_SIZE=2; "), 2);
  expect_output({"RANK is not"});
}

TEST_F(Processes, OneThatDiesEndsTheOthers) {
  if (!there()) {
    GTEST_SKIP() << output;
  }
  Program program(folder / "log", small_run("cut", "--epochs 100000 --world-size 2"));
  wait_for(run_folder("cut") / "last.pt");
  const std::string id = std::to_string(program.id());
  std::istringstream children(read("/proc/" + id + "/task/" + id + "/children"));
  pid_t first = 0;
  pid_t second = 0;
  children >> first >> second;
  ASSERT_GT(second, 0);
  ::kill(second, SIGKILL);
  EXPECT_EQ(program.wait(), 1);
  EXPECT_NE(
      program.output().find("process 1 of 2 was killed by signal 9; the others were ended"),
      std::string::npos)
      << program.output();
  EXPECT_NE(::kill(first, 0), 0) << "the other is still there";
}

TEST_F(Processes, AnInterruptLeavesAResumableState) {
  if (!there()) {
    GTEST_SKIP() << output;
  }
  Program program(folder / "log", small_run("two", "--epochs 100000 --world-size 2"));
  wait_for(run_folder("two") / "last.pt");
  ::kill(program.id(), SIGINT);
  EXPECT_EQ(program.wait(), 130) << program.output();
  const std::string total = std::to_string(epochs("two").size() + 1);
  EXPECT_EQ(run(small_run("two", "--resume --world-size 2 --epochs " + total)), 0) << output;
}

} // namespace
} // namespace tests
