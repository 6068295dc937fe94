#pragma once

#include "../../../examples/article/output/run_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tests {

/// A test with a folder of its own.
class Output : public testing::Test {
 protected:
  Output() {
    const auto* const info = testing::UnitTest::GetInstance()->current_test_info();
    out_ = std::filesystem::path(testing::TempDir()) /
           (std::string("article_") + info->test_suite_name() + "_" + info->name());
    std::filesystem::remove_all(out_);
    std::filesystem::create_directories(out_);
  }

  ~Output() override {
    std::filesystem::remove_all(out_);
  }

  std::filesystem::path folder(const article::RunKey& key) const {
    return out_ / key.experiment / (key.variant.empty() ? "default" : key.variant) /
           key.activation / ("seed-" + std::to_string(key.seed));
  }

  /// Logs a run with these validation accuracies, one an epoch.
  void log(
      const article::RunKey& key,
      const std::vector<double>& accuracies,
      double seconds = 1,
      std::int64_t dead_units = 0) const {
    article::RunLog run(folder(key), key, settings_, 0);
    article::Epoch epoch;
    for (const double accuracy : accuracies) {
      ++epoch.number;
      epoch.val_accuracy = accuracy;
      epoch.seconds = seconds;
      epoch.dead_units = dead_units;
      run.add(epoch);
    }
  }

  std::filesystem::path out_;
  std::map<std::string, std::string> settings_;
};

inline std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The message of the Error that `call` throws.
template <class Error, class Call>
std::string message(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no such error";
  return {};
}

} // namespace tests
