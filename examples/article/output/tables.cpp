#include "tables.h"

#include "files.h"
#include "style.h"
#include "summary.h"
#include "table.h"
#include "text.h"
#include "verdicts.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace article {
namespace {

using namespace output;

constexpr const char* kMissing = "missing"; // not run
constexpr const char* kNone = "—";          // not published

// Settings with a column of their own.
constexpr const char* kParameters = "parameters";
constexpr const char* kSteps = "steps";

struct Column {
  std::string header;
  std::function<std::string(const Row&)> cell;
};

std::string number(const std::optional<double>& value, int digits, const char* otherwise) {
  return value ? fixed(*value, digits) : otherwise;
}

// The range of a number over a row's runs.
template <typename Count>
std::string range_of(const Row& row, Count count) {
  long long lowest = std::numeric_limits<long long>::max();
  long long highest = std::numeric_limits<long long>::min();
  for (const LoggedRun& run : row.runs) {
    const long long value = count(run);
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  return row.runs.empty() ? kMissing : range(lowest, highest);
}

Column measured(std::string header, int digits, std::optional<double> (*figure)(const Figures&)) {
  return {std::move(header), [=](const Row& row) {
            return number(row.measured ? figure(*row.measured) : std::nullopt, digits, kMissing);
          }};
}

Column published(std::string header, int digits, std::optional<double> (*figure)(const Figures&)) {
  return {std::move(header), [=](const Row& row) {
            return number(row.published ? figure(*row.published) : std::nullopt, digits, kNone);
          }};
}

std::optional<double> accuracy(const Figures& figures) {
  return figures.accuracy;
}

std::optional<double> median_accuracy(const Figures& figures) {
  return figures.median;
}

std::optional<double> time_ratio(const Figures& figures) {
  return figures.time_ratio;
}

bool is_published(const Summary& summary, std::optional<double> (*figure)(const Figures&)) {
  return std::any_of(summary.rows.begin(), summary.rows.end(), [figure](const Row& row) {
    return row.published && figure(*row.published);
  });
}

using Values = std::map<std::string, std::set<std::string>>;

// The settings of a row's runs, each with every value that it has.
void add_settings(const Row& row, Values& values) {
  for (const LoggedRun& run : row.runs) {
    for (const auto& [name, value] : run.settings) {
      values[name].insert(value);
    }
  }
}

Values settings_of(const Summary& summary) {
  Values values;
  for (const Row& row : summary.rows) {
    add_settings(row, values);
  }
  return values;
}

std::string alternatives(const std::set<std::string>& values) {
  return join({values.begin(), values.end()}, " or ");
}

// A setting as a column, where runs have it.
void add_setting(
    std::vector<Column>& columns,
    const Summary& summary,
    const std::string& header,
    const std::string& name) {
  if (settings_of(summary).count(name) == 0) {
    return;
  }
  columns.push_back({header, [name](const Row& row) {
                       Values values;
                       add_settings(row, values);
                       const auto found = values.find(name);
                       return found == values.end() ? kMissing : alternatives(found->second);
                     }});
}

// The median over a row's runs.
template <typename Number>
Column median_of(std::string header, int digits, Number number) {
  return {std::move(header), [=](const Row& row) -> std::string {
            std::vector<double> values;
            for (const LoggedRun& run : row.runs) {
              values.push_back(number(run));
            }
            return values.empty() ? kMissing : fixed(median(std::move(values)), digits);
          }};
}

Column dead_units() {
  return {"Dead units", [](const Row& row) {
            return range_of(row, [](const LoggedRun& run) { return run.epochs.back().dead_units; });
          }};
}

// What was measured of tasks: nothing is published, and none has validation images.
void add_task_figures(std::vector<Column>& columns) {
  constexpr const char* fifths[] = {"1st fifth", "2nd", "3rd", "4th", "5th"};
  for (std::size_t fifth = 0; fifth < 5; ++fifth) {
    columns.push_back(median_of(
        fifths[fifth], 3, [fifth](const LoggedRun& run) { return mean_accuracy(run, fifth); }));
  }
  columns.push_back({"5th, seeds", [](const Row& row) -> std::string {
                       std::vector<double> values;
                       for (const LoggedRun& run : row.runs) {
                         values.push_back(score(run));
                       }
                       if (values.empty()) {
                         return kMissing;
                       }
                       const auto [low, high] = std::minmax_element(values.begin(), values.end());
                       return fixed(*low, 3) + (*low == *high ? "" : "–" + fixed(*high, 3));
                     }});
  columns.push_back(dead_units());
  columns.push_back(
      median_of("Rank", 1, [](const LoggedRun& run) { return run.epochs.back().effective_rank; }));
  columns.push_back(
      median_of("Norm", 1, [](const LoggedRun& run) { return run.epochs.back().weight_norm; }));
}

void add_figures(
    std::vector<Column>& columns, const std::string& experiment, const Summary& summary) {
  columns.push_back(measured("Max", 4, accuracy));
  if (is_published(summary, accuracy)) {
    columns.push_back(published("Paper max", 4, accuracy));
  }
  columns.push_back(measured("Median", 4, median_accuracy));
  if (is_published(summary, median_accuracy)) {
    columns.push_back(published("Paper median", 4, median_accuracy));
  }
  if (is_published(summary, time_ratio)) {
    columns.push_back(measured("Time", 2, time_ratio));
    columns.push_back(published("Paper time", 2, time_ratio));
  }
  if (experiment == "covariate-shift" || experiment == "depth") {
    columns.push_back(dead_units());
  }
}

std::vector<Column> columns(const std::string& experiment, const Summary& summary) {
  std::vector<Column> columns;
  add_setting(columns, summary, "Parameters", kParameters);
  if (summary.has_tasks()) {
    add_task_figures(columns);
  } else {
    add_figures(columns, experiment, summary);
  }
  columns.push_back({summary.has_tasks() ? "Tasks" : "Epochs", [](const Row& row) {
                       return range_of(
                           row, [](const LoggedRun& run) { return run.epochs.back().number; });
                     }});
  add_setting(columns, summary, "Steps", kSteps);
  columns.push_back({"Seconds", [](const Row& row) -> std::string {
                       return row.runs.empty() ? kMissing : fixed(seconds_per_epoch(row), 1);
                     }});
  columns.push_back({"Seeds", [](const Row& row) { return std::to_string(row.runs.size()); }});
  return columns;
}

std::string settings_note(const Summary& summary) {
  Values values = settings_of(summary);
  values.erase(kParameters);
  values.erase(kSteps);
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const auto& [name, set] : values) {
    texts.push_back(name + " " + alternatives(set));
  }
  return texts.empty() ? "" : "Settings: " + join(texts, ", ") + ".";
}

std::vector<std::string> notes(const Summary& summary, const std::vector<Column>& columns) {
  const auto has = [&](const std::string& header) {
    return std::any_of(columns.begin(), columns.end(), [&](const Column& column) {
      return column.header == header;
    });
  };
  std::vector<std::string> notes;
  if (summary.has_tasks()) {
    notes.emplace_back(
        "Accuracy on a task's images in its last epoch of training, while it learns: the mean over "
        "each fifth of the tasks, the median over the seeds. Rank: effective rank of the last "
        "hidden layer. Norm: of all weights. Both, and the dead units, after the last task.");
  } else {
    notes.emplace_back(
        "Max and Median: best validation accuracy over a run's epochs, over the seeds.");
  }
  if (has("Paper max")) {
    notes.emplace_back("Paper: CIFAR-10, arXiv:1712.02609; “—” where it gives no figure.");
  }
  if (has("Time")) {
    notes.emplace_back("Time: of an epoch of training (median), over that of LK-ReLU without BN.");
  }
  if (has("Dead units") && !summary.has_tasks()) {
    notes.emplace_back("Dead units: after the last epoch, from the lowest to the highest seed.");
  }
  notes.push_back(
      std::string("Seconds: of ") + (summary.has_tasks() ? "a task" : "an epoch") +
      " of training (median).");
  if (std::string settings = settings_note(summary); !settings.empty()) {
    notes.push_back(std::move(settings));
  }
  return notes;
}

// What of the article's does not show here.
void add_verdicts(
    std::vector<std::string>& notes, const std::string& experiment, const Summary& summary) {
  std::vector<std::string> claims;
  for (const Judgement& one : judge(experiment, &summary)) {
    if (one.verdict == Verdict::kDoesNotHold) {
      claims.push_back(one.claim + " (" + one.seen + ")");
    }
  }
  if (!claims.empty()) {
    notes.push_back("Does not hold here: " + join(claims, "; ") + ".");
  }
}

Table make_table(const std::string& experiment, const Summary& summary) {
  const std::vector<Column> figures = columns(experiment, summary);
  Table table{experiment + " on " + summary.dataset, {}, 1, {}, notes(summary, figures)};
  add_verdicts(table.notes, experiment, summary);
  const bool variants = summary.rows.front().variant != "default" ||
                        summary.rows.back().variant != "default"; // they are sorted
  if (variants) {
    table.header.emplace_back("Variant");
    ++table.names;
  }
  table.header.emplace_back("Activation");
  for (const Column& column : figures) {
    table.header.push_back(column.header);
  }
  for (const Row& row : summary.rows) {
    std::vector<std::string> cells;
    if (variants) {
      cells.push_back(row.variant);
    }
    cells.push_back(style_of(row.activation).name);
    for (const Column& column : figures) {
      cells.push_back(column.cell(row));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

} // namespace

void write_tables(const std::filesystem::path& out, const std::string& experiment) {
  std::vector<std::string> markdown_tables;
  std::vector<std::string> latex_tables;
  for (const Summary& summary : summarise(out, experiment)) {
    const Table table = make_table(experiment, summary);
    markdown_tables.push_back(to_markdown(table));
    latex_tables.push_back(to_latex(table));
  }
  replace_file(out / experiment / "table.md", join(markdown_tables, "\n"));
  replace_file(out / experiment / "table.tex", join(latex_tables, "\n"));
}

} // namespace article
