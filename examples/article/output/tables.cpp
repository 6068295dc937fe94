#include "tables.h"

#include "files.h"
#include "style.h"
#include "summary.h"
#include "text.h"

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

constexpr const char* kParameters = "parameters"; // a setting with a column of its own

// A table in Unicode, before it is Markdown or LaTeX.
struct Table {
  std::string title;
  std::vector<std::string> header;
  std::size_t names = 0; // the columns at the left that are text
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> notes;
};

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

std::string parameters(const Row& row) {
  Values values;
  add_settings(row, values);
  const auto found = values.find(kParameters);
  return found == values.end() ? kMissing : alternatives(found->second);
}

std::vector<Column> columns(const std::string& experiment, const Summary& summary) {
  std::vector<Column> columns;
  if (settings_of(summary).count(kParameters) != 0) {
    columns.push_back({"Parameters", parameters});
  }
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
    columns.push_back(
        {"Dead units", [](const Row& row) {
           return range_of(row, [](const LoggedRun& run) { return run.epochs.back().dead_units; });
         }});
  }
  columns.push_back({"Epochs", [](const Row& row) {
                       return range_of(
                           row, [](const LoggedRun& run) { return run.epochs.back().number; });
                     }});
  columns.push_back({"Seeds", [](const Row& row) { return std::to_string(row.runs.size()); }});
  return columns;
}

std::string settings_note(const Summary& summary) {
  Values values = settings_of(summary);
  values.erase(kParameters);
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
  std::vector<std::string> notes{
      "Max and Median: best validation accuracy over a run's epochs, over the seeds."};
  if (has("Paper max")) {
    notes.emplace_back("Paper: CIFAR-10, arXiv:1712.02609; “—” where it gives no figure.");
  }
  if (has("Time")) {
    notes.emplace_back("Time: of an epoch of training (median), over that of LK-ReLU without BN.");
  }
  if (has("Dead units")) {
    notes.emplace_back("Dead units: after the last epoch, from the lowest to the highest seed.");
  }
  if (std::string settings = settings_note(summary); !settings.empty()) {
    notes.push_back(std::move(settings));
  }
  return notes;
}

Table make_table(const std::string& experiment, const Summary& summary) {
  const std::vector<Column> figures = columns(experiment, summary);
  Table table{experiment + " on " + summary.dataset, {}, 1, {}, notes(summary, figures)};
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

using Replacements = std::vector<std::pair<std::string, std::string>>;

std::string replaced(const std::string& text, const Replacements& replacements) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto found =
        std::find_if(replacements.begin(), replacements.end(), [&](const auto& replacement) {
          return text.compare(at, replacement.first.size(), replacement.first) == 0;
        });
    if (found == replacements.end()) {
      result += text[at++];
    } else {
      result += found->second;
      at += found->first.size();
    }
  }
  return result;
}

std::string markdown(const std::string& text) {
  return replaced(
      text,
      {{"\\", "\\\\"}, {"|", "\\|"}, {"_", "\\_"}, {"*", "\\*"}, {"<", "&lt;"}, {"`", "\\`"}});
}

std::string latex(const std::string& text) {
  return replaced(
      text,
      {{"\\", "\\textbackslash{}"},
       {"~", "\\textasciitilde{}"},
       {"^", "\\textasciicircum{}"},
       {"&", "\\&"},
       {"%", "\\%"},
       {"$", "\\$"},
       {"#", "\\#"},
       {"_", "\\_"},
       {"{", "\\{"},
       {"}", "\\}"},
       {"√2", "$\\sqrt{2}$"},
       {"“", "``"},
       {"”", "''"},
       {"—", "---"},
       {"–", "--"}});
}

// A row's cells, each through `escape`, with `separator` between them.
template <typename Escape>
std::string row_text(
    const std::vector<std::string>& cells, const std::string& separator, Escape escape) {
  std::vector<std::string> texts;
  std::transform(cells.begin(), cells.end(), std::back_inserter(texts), escape);
  return join(texts, separator);
}

std::string to_markdown(const Table& table) {
  std::string text = "### " + markdown(table.title) + "\n\n";
  text += "| " + row_text(table.header, " | ", markdown) + " |\n|";
  for (std::size_t column = 0; column < table.header.size(); ++column) {
    text += column < table.names ? " --- |" : " ---: |";
  }
  for (const auto& row : table.rows) {
    text += "\n| " + row_text(row, " | ", markdown) + " |";
  }
  return text + "\n\n" + row_text(table.notes, "\n", markdown) + "\n";
}

std::string to_latex(const Table& table) {
  std::string text = "\\begin{table}\n\\centering\n\\scriptsize\n";
  text += "\\setlength{\\tabcolsep}{2pt}\n\\begin{tabular}{@{}";
  text += std::string(table.names, 'l') + std::string(table.header.size() - table.names, 'r');
  text += "@{}}\n\\hline\n" + row_text(table.header, " & ", latex) + " \\\\\n\\hline\n";
  for (const auto& row : table.rows) {
    text += row_text(row, " & ", latex) + " \\\\\n";
  }
  return text + "\\hline\n\\end{tabular}\n\\caption{" + latex(table.title) + ".\n" +
         row_text(table.notes, "\n", latex) + "}\n\\end{table}\n";
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
