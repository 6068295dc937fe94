#include "plots.h"

#include "files.h"
#include "style.h"
#include "summary.h"
#include "svg.h"
#include "text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace article {
namespace {

using namespace output;
using Anchor = Svg::Anchor;

constexpr const char* kAxisColour = "#666666";
constexpr const char* kGridColour = "#dddddd";
constexpr const char* kPublishedColour = "#c4c4c4";
constexpr double kLabelDrop = 4.5; // from a text's middle down to the line that it stands on

// Numbers between the ends of its ticks, mapped to pixels.
struct Axis {
  std::vector<double> marks;
  double start; // pixels
  double end;

  double operator()(double value) const {
    const double share = (value - marks.front()) / (marks.back() - marks.front());
    return start + share * (end - start);
  }
};

struct Curve {
  Style style;
  std::map<int, double> medians; // by epoch
};

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
  Curve curve{style_of(row.activation), {}};
  for (const auto& [epoch, values] : accuracies) {
    curve.medians[epoch] = median(values);
  }
  return curve;
}

std::string draw_curves(const std::string& title, const std::vector<Curve>& curves) {
  int last_epoch = 2; // so that the axis has a length
  double lowest = 1;
  double highest = 0;
  for (const Curve& curve : curves) {
    for (const auto& [epoch, accuracy] : curve.medians) {
      last_epoch = std::max(last_epoch, epoch);
      lowest = std::min(lowest, accuracy);
      highest = std::max(highest, accuracy);
    }
  }
  constexpr double width = 860;
  constexpr double height = 480;
  constexpr double left = 66;
  constexpr double right = width - 200;
  constexpr double top = 46;
  constexpr double bottom = height - 56;
  const Axis x{ticks(1, last_epoch, 12, 1), left, right};
  // Chance is a flat line that would lie on the axis.
  const Axis y{
      ticks(std::max(0.0, std::min(lowest, highest) - 0.02), highest, 8, 0.01), bottom, top};

  Svg svg(width, height);
  svg.text(left, 26, title, Anchor::kStart, 16);
  for (const double accuracy : y.marks) {
    svg.line(left, y(accuracy), right, y(accuracy), kGridColour);
    svg.text(left - 8, y(accuracy) + kLabelDrop, fixed(accuracy, 2), Anchor::kEnd);
  }
  for (const double epoch : x.marks) {
    svg.line(x(epoch), bottom, x(epoch), bottom + 5, kAxisColour);
    svg.text(x(epoch), bottom + 20, fixed(epoch, 0), Anchor::kMiddle);
  }
  svg.line(left, bottom, right, bottom, kAxisColour);
  svg.line(left, bottom, left, top, kAxisColour);
  svg.text((left + right) / 2, bottom + 42, "epoch", Anchor::kMiddle);
  svg.upward_text(18, (top + bottom) / 2, "validation accuracy, median over seeds");

  svg.text(width - 14, top - 12, "last epoch", Anchor::kEnd, 12);
  double legend = top + 8;
  for (const Curve& curve : curves) {
    std::vector<std::pair<double, double>> points;
    for (const auto& [epoch, accuracy] : curve.medians) {
      points.emplace_back(x(epoch), y(accuracy));
    }
    svg.curve(points, curve.style.colour, curve.style.dashes, points.size() == 1);
    svg.curve(
        {{right + 16, legend}, {right + 52, legend}},
        curve.style.colour,
        curve.style.dashes,
        false);
    svg.text(right + 60, legend + kLabelDrop, curve.style.name, Anchor::kStart);
    if (!curve.medians.empty()) {
      const double last = curve.medians.rbegin()->second;
      svg.text(width - 14, legend + kLabelDrop, fixed(last, 3), Anchor::kEnd);
    }
    legend += 22;
  }
  return svg.finish();
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
    std::map<std::string, std::vector<Curve>> curves;
    for (const Row& row : summary.rows) {
      if (!row.runs.empty()) {
        curves[row.variant].push_back(make_curve(row));
      }
    }
    const std::string title = experiment + " on " + summary.dataset;
    for (const auto& [variant, variant_curves] : curves) {
      const std::string path = "curves-" + summary.dataset + "-" + variant + ".svg";
      const std::string heading = variant == "default" ? title : join({title, variant}, ", ");
      replace_file(folder / path, draw_curves(heading, variant_curves));
    }
    replace_file(folder / ("best-" + summary.dataset + ".svg"), draw_bars(title, summary.rows));
  }
}

} // namespace article
