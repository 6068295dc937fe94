// run.json, epochs.csv and the event files. output_test.py reads the latter with TensorBoard.

#include "run.h"

#include "../../../examples/article/output/event_file.h"
#include "../../../examples/article/output/files.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <stdexcept>
#include <system_error>

#include <sys/resource.h>

namespace tests {
namespace {

namespace fs = std::filesystem;
using article::Epoch;
using article::RunKey;
using article::RunLog;

const RunKey kKey{"depth", "", "lk_relu", "fashion_mnist", 101};

Epoch epoch(int number) {
  return {number, 1.0 / number, .1 * number, 2.0 / number, .2 / number, 3.5 * number, 10L * number};
}

std::vector<int> numbers(const std::vector<Epoch>& epochs) {
  std::vector<int> result;
  std::transform(epochs.begin(), epochs.end(), std::back_inserter(result), [](const Epoch& epoch) {
    return epoch.number;
  });
  return result;
}

class Log : public Output {
 protected:
  fs::path folder_ = folder(kKey);

  void log_epochs(int first, int last) {
    RunLog log(folder_, kKey, {}, first - 1);
    for (int number = first; number <= last; ++number) {
      log.add(epoch(number));
    }
  }

  std::vector<Epoch> epochs() const {
    return article::read_runs(out_, "depth").at(0).epochs;
  }

  std::size_t event_files() const {
    return static_cast<std::size_t>(std::count_if(
        fs::directory_iterator(folder_), fs::directory_iterator(), [](const auto& entry) {
          return entry.path().filename().string().rfind("events.out.tfevents.", 0) == 0;
        }));
  }
};

// RFC 3720, appendix B.4; the first is the CRC catalogue's check value.
TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(article::output::crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(article::output::crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(article::output::crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

TEST_F(Log, IsReadBack) {
  Epoch odd{2, NAN, 1.0 / 3, std::numeric_limits<double>::infinity(), 1e-300, 12345.678, 1LL << 40};
  {
    RunLog log(folder_, kKey, {{"lr", "0.001"}, {"note", "a \"quoted\" ü,\n"}}, 0);
    log.add(epoch(1));
    log.add(odd);
  }
  const auto runs = article::read_runs(out_, "depth");
  ASSERT_EQ(runs.size(), 1U);
  const article::LoggedRun& run = runs[0];
  EXPECT_EQ(run.key.experiment, "depth");
  EXPECT_EQ(run.key.variant, "default");
  EXPECT_EQ(run.key.activation, "lk_relu");
  EXPECT_EQ(run.key.dataset, "fashion_mnist");
  EXPECT_EQ(run.key.seed, 101);
  EXPECT_EQ(run.settings.size(), 2U);
  EXPECT_EQ(run.settings.at("lr"), "0.001");
  EXPECT_EQ(run.settings.at("note"), "a \"quoted\" ü,\n");
  ASSERT_EQ(run.epochs.size(), 2U);
  EXPECT_EQ(run.epochs[0].loss, 1);
  EXPECT_EQ(run.epochs[0].seconds, 3.5);
  EXPECT_EQ(run.epochs[1].number, 2);
  EXPECT_TRUE(std::isnan(run.epochs[1].loss));
  EXPECT_EQ(run.epochs[1].accuracy, odd.accuracy);
  EXPECT_EQ(run.epochs[1].val_loss, odd.val_loss);
  EXPECT_EQ(run.epochs[1].val_accuracy, odd.val_accuracy);
  EXPECT_EQ(run.epochs[1].seconds, odd.seconds);
  EXPECT_EQ(run.epochs[1].dead_units, odd.dead_units);
}

TEST_F(Log, IsOnTheDiskAtOnce) {
  RunLog log(folder_, kKey, {}, 0);
  EXPECT_TRUE(epochs().empty());
  log.add(epoch(1));
  EXPECT_EQ(numbers(epochs()), std::vector<int>{1});
}

TEST_F(Log, ResumedForgetsWhatCameLater) {
  log_epochs(1, 4);
  log_epochs(3, 3);
  EXPECT_EQ(numbers(epochs()), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(event_files(), 2U);
}

TEST_F(Log, ResumedIsAsOneThatWasNotInterrupted) {
  log_epochs(1, 4);
  const std::string whole = content(folder_ / "epochs.csv");
  log_epochs(1, 3);
  log_epochs(3, 4);
  EXPECT_EQ(content(folder_ / "epochs.csv"), whole);
}

TEST_F(Log, StartedAnewReplacesTheOldOne) {
  log_epochs(1, 4);
  log_epochs(1, 1);
  EXPECT_EQ(numbers(epochs()), std::vector<int>{1});
  EXPECT_EQ(event_files(), 1U);
}

TEST_F(Log, ResumesOnlyWhatIsThere) {
  log_epochs(1, 2);
  const std::string text = message<std::runtime_error>([&] { RunLog(folder_, kKey, {}, 3); });
  EXPECT_NE(text.find("epochs.csv: has no epoch 3"), std::string::npos) << text;
  EXPECT_EQ(numbers(epochs()), (std::vector<int>{1, 2}));
}

TEST_F(Log, ResumesNoOtherRun) {
  log_epochs(1, 2);
  RunKey other = kKey;
  other.dataset = "mnist";
  const std::string text = message<std::runtime_error>([&] { RunLog(folder_, other, {}, 1); });
  EXPECT_NE(text.find("run.json: belongs to another run"), std::string::npos) << text;
  EXPECT_EQ(numbers(epochs()), (std::vector<int>{1, 2}));
}

TEST_F(Log, HalfALineIsNoEpoch) {
  log_epochs(1, 2);
  const fs::path table = folder_ / "epochs.csv";
  fs::resize_file(table, fs::file_size(table) - 1);
  EXPECT_EQ(numbers(epochs()), std::vector<int>{1});
  log_epochs(2, 3);
  EXPECT_EQ(numbers(epochs()), (std::vector<int>{1, 2, 3}));
}

TEST_F(Log, DamageIsNamed) {
  log_epochs(1, 1);
  const fs::path table = folder_ / "epochs.csv";
  for (const char* line : {"2,0.5\n", "2,1,1,1,1,1,one\n", "2,1,1,1,1,1,1,1\n", "\n"}) {
    fs::resize_file(table, 0);
    std::ofstream(table) << "epoch,loss,acc,val_loss,val_acc,epoch_time,dead_units\n" << line;
    const std::string text =
        message<std::runtime_error>([&] { article::read_runs(out_, "depth"); });
    EXPECT_EQ(text, table.string() + ": line 2 is damaged") << line;
  }
  std::ofstream(table) << "epoch\n";
  EXPECT_NE(
      message<std::runtime_error>([&] {
        article::read_runs(out_, "depth");
      }).find("epochs.csv: expected the header epoch,loss,"),
      std::string::npos);
  std::ofstream(folder_ / "run.json") << "{\"seed\": 1}\n";
  EXPECT_NE(
      message<std::runtime_error>([&] { article::read_runs(out_, "depth"); }).find("run.json: "),
      std::string::npos);
}

TEST_F(Log, NoFolderHasNoRuns) {
  EXPECT_TRUE(article::read_runs(out_, "width").empty());
}

TEST_F(Log, FolderThatCannotBeIsNamed) {
  std::ofstream(out_ / "depth") << "a file";
  EXPECT_NE(
      message<std::system_error>([&] { RunLog(folder_, kKey, {}, 0); }).find(out_ / "depth"),
      std::string::npos);
}

// The size of files is limited while this lives, which stands for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(Log, FullDiskLosesNoFinishedEpoch) {
  RunLog log(folder_, kKey, {}, 0);
  log.add(epoch(1));
  const std::string table = content(folder_ / "epochs.csv");
  {
    const FileSizeLimit limit(table.size() + 5); // room for a part of the next line
    const std::string text = message<std::system_error>([&] { log.add(epoch(2)); });
    EXPECT_NE(
        text.find((folder_ / "epochs.csv").string() + ": cannot be written"), std::string::npos)
        << text;
  }
  EXPECT_EQ(content(folder_ / "epochs.csv"), table);
  log.add(epoch(2));
  EXPECT_EQ(numbers(epochs()), (std::vector<int>{1, 2}));
}

TEST_F(Log, FullDiskIsReportedAtTheStart) {
  const FileSizeLimit limit(10);
  const std::string text = message<std::system_error>([&] { RunLog(folder_, kKey, {}, 0); });
  EXPECT_NE(text.find("epochs.csv"), std::string::npos) << text;
}

TEST(Files, FullDevice) {
  article::output::AppendedFile file(
      "/dev/full", article::output::AppendedFile::Opening::kExisting);
  try {
    file.append("text");
    ADD_FAILURE() << "wrote to a full device";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_space_on_device);
    EXPECT_EQ(std::string(error.what()).rfind("/dev/full: ", 0), 0U) << error.what();
  }
}

TEST_F(Output, ReplacingKeepsTheOldFileWhereItFails) {
  const fs::path path = out_ / "file";
  article::output::replace_file(path, "old");
  {
    const FileSizeLimit limit(10);
    EXPECT_THROW(article::output::replace_file(path, "a longer text"), std::system_error);
  }
  EXPECT_EQ(content(path), "old");
  article::output::replace_file(path, "new");
  EXPECT_EQ(content(path), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(out_), {}), 1);
}

} // namespace
} // namespace tests
