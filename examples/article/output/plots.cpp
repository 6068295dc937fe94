#include "plots.h"

#include "curves.h"
#include "files.h"
#include "style.h"
#include "summary.h"
#include "text.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace article {
namespace {

using namespace output;
using Anchor = Svg::Anchor;

constexpr const char* kPublishedColour = "#c4c4c4";

std::map<int, Spread> spreads(const std::map<int, std::vector<double>>& values) {
  std::map<int, Spread> all;
  for (const auto& [number, of_seeds] : values) {
    const auto [low, high] = std::minmax_element(of_seeds.begin(), of_seeds.end());
    all[number] = {median(of_seeds), *low, *high};
  }
  return all;
}

// A NaN or an epoch that only some seeds have reached does not end a curve.
Curve make_curve(const Row& row) {
  std::map<int, std::vector<double>> accuracies;
  for (const LoggedRun& run : row.runs) {
    for (const Epoch& epoch : run.epochs) {
      if (!std::isnan(epoch.val_accuracy)) {
        accuracies[epoch.number].push_back(epoch.val_accuracy);
      }
    }
  }
  return {style_of(row.activation), spreads(accuracies)};
}

// Of so many tasks the mean, at the last one's number: a task is easier or harder than the next.
constexpr int kMaxPoints = 50; // of a curve at most

Curve make_task_curve(const Row& row, double (*value)(const Epoch&)) {
  int last = 0;
  for (const LoggedRun& run : row.runs) {
    last = std::max(last, run.epochs.back().number);
  }
  const int width = (last + kMaxPoints - 1) / kMaxPoints;
  std::map<int, std::vector<double>> means;
  for (const LoggedRun& run : row.runs) {
    double sum = 0;
    for (const Epoch& task : run.epochs) {
      sum += value(task);
      if (task.number % width == 0) {
        means[task.number].push_back(sum / width);
        sum = 0;
      }
    }
  }
  return {style_of(row.activation), spreads(means)};
}

// A variant's rows one below the other, each with a bar for what was measured and one for what was
// published.
std::string draw_bars(const std::string& title, const std::vector<Row>& rows) {
  constexpr double width = 860;
  constexpr double left = 120;
  constexpr double right = width - 70;
  constexpr double top = 84;
  constexpr double row_height = 36;
  constexpr double bar_height = 13;
  constexpr double heading_height = 30;
  const auto has_heading = [&](std::size_t i) {
    const std::string& variant = rows[i].variant;
    return i == 0 ? variant != "default" : variant != rows[i - 1].variant;
  };
  double bottom = top;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    bottom += row_height + (has_heading(i) ? heading_height : 0);
  }
  const Axis x{ticks(0, 1, 10, 0.1), left, right};

  Svg svg(width, bottom + 60);
  svg.text(left, 26, title, Anchor::kStart, 16);
  svg.rectangle(left, 44, bar_height, bar_height, style_of("lk_relu").colour);
  svg.text(left + 20, 55, "measured, best of the seeds", Anchor::kStart);
  if (std::any_of(
          rows.begin(), rows.end(), [](const Row& row) { return row.published.has_value(); })) {
    svg.rectangle(left + 230, 44, bar_height, bar_height, kPublishedColour);
    svg.text(left + 250, 55, "published (CIFAR-10)", Anchor::kStart);
  }
  for (const double accuracy : x.marks) {
    svg.line(x(accuracy), top, x(accuracy), bottom, kGridColour);
    svg.text(x(accuracy), bottom + 20, fixed(accuracy, 1), Anchor::kMiddle);
  }
  svg.text((left + right) / 2, bottom + 44, "best validation accuracy", Anchor::kMiddle);

  double y = top;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (has_heading(i)) {
      svg.text(left - 10, y + 20, row.variant, Anchor::kEnd, 14);
      y += heading_height;
    }
    const Style style = style_of(row.activation);
    svg.text(left - 10, y + bar_height + kLabelDrop, style.name, Anchor::kEnd);
    const auto bar = [&](const std::optional<Figures>& figures, const std::string& colour) {
      if (figures) {
        const double end = x(figures->accuracy);
        svg.rectangle(left, y, end - left, bar_height, colour);
        svg.text(end + 6, y + bar_height - 2, fixed(figures->accuracy, 4), Anchor::kStart, 12);
      }
      y += bar_height;
    };
    if (!row.measured) {
      svg.text(left + 6, y + bar_height - 3, "missing", Anchor::kStart, 12);
    }
    bar(row.measured, style.colour);
    bar(row.published, kPublishedColour);
    y += row_height - 2 * bar_height;
  }
  svg.line(left, top, left, bottom, kAxisColour);
  return svg.finish();
}

} // namespace

void write_plots(const std::filesystem::path& out, const std::string& experiment) {
  const std::filesystem::path folder = out / experiment;
  for (const Summary& summary : summarise(out, experiment)) {
    std::map<std::string, std::vector<Row>> variants;
    for (const Row& row : summary.rows) {
      if (!row.runs.empty()) {
        variants[row.variant].push_back(row);
      }
    }
    const std::string title = experiment + " on " + summary.dataset;
    for (const auto& each : variants) {
      const auto& variant = each.first;
      const auto& rows = each.second; // no structured bindings, which a lambda cannot capture
      const std::string name = summary.dataset + "-" + variant + ".svg";
      const std::string heading = variant == "default" ? title : join({title, variant}, ", ");
      const auto draw = [&](const std::string& file, const Chart& chart, auto curve_of) {
        std::vector<Curve> curves;
        std::transform(rows.begin(), rows.end(), std::back_inserter(curves), curve_of);
        replace_file(folder / (file + name), draw_curves(chart, curves));
      };
      if (!summary.has_tasks()) {
        draw(
            "curves-",
            {heading, "epoch", "validation accuracy, median over seeds", 0.01, 2, 3, false},
            make_curve);
        continue;
      }
      const std::string seeds = ", median and range over seeds";
      draw("curves-", {heading, "task", "accuracy" + seeds, 0.01, 2, 3, true}, [](const Row& row) {
        return make_task_curve(row, [](const Epoch& task) { return task.accuracy; });
      });
      draw("dead-", {heading, "task", "dead units" + seeds, 1, 0, 0, true}, [](const Row& row) {
        return make_task_curve(
            row, [](const Epoch& task) { return static_cast<double>(task.dead_units); });
      });
    }
    if (!summary.has_tasks()) {
      replace_file(folder / ("best-" + summary.dataset + ".svg"), draw_bars(title, summary.rows));
    }
  }
}

} // namespace article
