#include "summary.h"

#include "style.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace article::output {
namespace {

// Variants by their length first, so that width-50 comes before width-400.
struct Place {
  std::string variant;
  std::string activation;

  bool operator<(const Place& other) const {
    return key() < other.key();
  }

 private:
  std::tuple<std::size_t, std::string, std::size_t, std::string> key() const {
    return {variant.size(), variant, style_of(activation).rank, activation};
  }
};

void add_time_ratios(std::vector<Row>& rows) {
  const auto unit = std::find_if(rows.begin(), rows.end(), [](const Row& row) {
    return row.measured && row.published && row.published->time_ratio == 1;
  });
  if (unit != rows.end()) {
    const double seconds = seconds_per_epoch(*unit);
    for (Row& row : rows) {
      if (row.measured) {
        row.measured->time_ratio = seconds_per_epoch(row) / seconds;
      }
    }
  }
}

Summary summarise(const std::vector<LoggedRun>& runs, const std::string& experiment) {
  std::set<std::string> variants;
  std::set<std::string> activations;
  std::map<Place, Row> rows;
  for (const LoggedRun& run : runs) {
    variants.insert(run.key.variant);
    activations.insert(run.key.activation);
    rows[{run.key.variant, run.key.activation}].runs.push_back(run);
  }
  for (const std::string& variant : variants) {
    for (const std::string& activation : activations) {
      rows[{variant, activation}];
    }
  }
  for (const Published& entry : kPublished) {
    if (entry.experiment == experiment) {
      rows[{entry.variant, entry.activation}].published = entry.figures;
    }
  }

  Summary summary{runs.front().key.dataset, {}};
  for (auto& [place, row] : rows) {
    row.variant = place.variant;
    row.activation = place.activation;
    if (!row.runs.empty()) {
      std::vector<double> accuracies;
      std::transform(row.runs.begin(), row.runs.end(), std::back_inserter(accuracies), score);
      row.measured =
          Figures{*std::max_element(accuracies.begin(), accuracies.end()), median(accuracies)};
    }
    summary.rows.push_back(std::move(row));
  }
  add_time_ratios(summary.rows);
  return summary;
}

} // namespace

bool Summary::has_tasks() const {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) {
    return !row.runs.empty() && row.runs.front().has_tasks;
  });
}

double score(const LoggedRun& run) {
  if (run.has_tasks) {
    return mean_accuracy(run, 4);
  }
  double best = 0;
  for (const Epoch& epoch : run.epochs) {
    best = std::fmax(best, epoch.val_accuracy); // which passes over a NaN
  }
  return best;
}

double mean_accuracy(const LoggedRun& run, std::size_t fifth) {
  // At least one task, where there are fewer than five.
  const std::size_t count = run.epochs.size();
  const std::size_t begin = std::min(fifth * count / 5, count - 1);
  const std::size_t end = std::max((fifth + 1) * count / 5, begin + 1);
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) {
    sum += run.epochs[i].accuracy;
  }
  return sum / static_cast<double>(end - begin);
}

double seconds_per_epoch(const Row& row) {
  std::vector<double> seconds;
  for (const LoggedRun& run : row.runs) {
    for (const Epoch& epoch : run.epochs) {
      seconds.push_back(epoch.seconds);
    }
  }
  return median(std::move(seconds));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<Summary> summarise(const std::filesystem::path& out, const std::string& experiment) {
  std::map<std::string, std::vector<LoggedRun>> datasets;
  for (LoggedRun& run : read_runs(out, experiment)) {
    if (!run.epochs.empty()) {
      datasets[run.key.dataset].push_back(std::move(run));
    }
  }
  if (datasets.empty()) {
    throw std::runtime_error(
        (out / experiment).string() + ": no run of this experiment has finished an epoch");
  }
  std::vector<Summary> summaries;
  summaries.reserve(datasets.size());
  for (const auto& [dataset, runs] : datasets) {
    summaries.push_back(summarise(runs, experiment));
  }
  return summaries;
}

} // namespace article::output
