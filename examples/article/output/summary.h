#pragma once

// An experiment's runs in the order of its tables and plots, with what the paper published.

#include "published.h"
#include "run_log.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace article::output {

/// The runs of one variant and activation: one a seed, those without an epoch left out.
struct Row {
  std::string variant;
  std::string activation;
  std::vector<LoggedRun> runs;
  std::optional<Figures> measured;
  std::optional<Figures> published;
};

/// The runs on one data set: rows for what was published and for every variant with every
/// activation that was run.
struct Summary {
  std::string dataset;
  std::vector<Row> rows;

  /// Whether these are runs through streams of tasks.
  bool has_tasks() const;
};

/// What tells one run from another of its row: the best validation accuracy over the epochs; of a
/// stream's tasks, the mean accuracy over the last fifth.
double score(const LoggedRun& run);

/// The mean accuracy over one fifth (0 … 4) of a run's tasks.
double mean_accuracy(const LoggedRun& run, std::size_t fifth);

/// Of all epochs of all of a row's runs: the median takes no notice of a slow first epoch.
double seconds_per_epoch(const Row& row);

/// One summary a data set. Throws std::runtime_error if there are no runs at all.
std::vector<Summary> summarise(const std::filesystem::path& out, const std::string& experiment);

/// The median, the mean of the two in the middle where their number is even.
double median(std::vector<double> values);

} // namespace article::output
