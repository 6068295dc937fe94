#include "curves.h"

#include "text.h"

#include <algorithm>
#include <utility>

namespace article::output {

using Anchor = Svg::Anchor;

std::string draw_curves(const Chart& chart, const std::vector<Curve>& curves) {
  int last = 2; // so that the axis has a length
  double lowest = 1;
  double highest = 0;
  for (const Curve& curve : curves) {
    for (const auto& [number, spread] : curve.points) {
      last = std::max(last, number);
      lowest = std::min(lowest, chart.bands ? spread.lowest : spread.median);
      highest = std::max(highest, chart.bands ? spread.highest : spread.median);
    }
  }
  constexpr double width = 860;
  constexpr double height = 480;
  constexpr double left = 66;
  constexpr double right = width - 200;
  constexpr double top = 46;
  constexpr double bottom = height - 56;
  const Axis x{ticks(1, last, 12, 1), left, right};
  // Chance is a flat line that would lie on the axis.
  const Axis y{
      ticks(std::max(0.0, std::min(lowest, highest) - 0.02), highest, 8, chart.smallest_step),
      bottom,
      top};

  Svg svg(width, height);
  svg.text(left, 26, chart.title, Anchor::kStart, 16);
  for (const double mark : y.marks) {
    svg.line(left, y(mark), right, y(mark), kGridColour);
    svg.text(left - 8, y(mark) + kLabelDrop, fixed(mark, chart.digits), Anchor::kEnd);
  }
  for (const double number : x.marks) {
    svg.line(x(number), bottom, x(number), bottom + 5, kAxisColour);
    svg.text(x(number), bottom + 20, fixed(number, 0), Anchor::kMiddle);
  }
  svg.line(left, bottom, right, bottom, kAxisColour);
  svg.line(left, bottom, left, top, kAxisColour);
  svg.text((left + right) / 2, bottom + 42, chart.x_label, Anchor::kMiddle);
  svg.upward_text(18, (top + bottom) / 2, chart.y_label);

  svg.text(width - 14, top - 12, "last " + chart.x_label, Anchor::kEnd, 12);
  double legend = top + 8;
  for (const Curve& curve : curves) {
    std::vector<std::pair<double, double>> points;
    std::vector<std::pair<double, double>> band; // there along the highest, back along the lowest
    for (const auto& [number, spread] : curve.points) {
      points.emplace_back(x(number), y(spread.median));
      band.emplace_back(x(number), y(spread.highest));
    }
    for (auto point = curve.points.rbegin(); point != curve.points.rend(); ++point) {
      band.emplace_back(x(point->first), y(point->second.lowest));
    }
    if (chart.bands) {
      svg.band(band, curve.style.colour);
    }
    svg.curve(points, curve.style.colour, curve.style.dashes, points.size() == 1);
    svg.curve(
        {{right + 16, legend}, {right + 52, legend}},
        curve.style.colour,
        curve.style.dashes,
        false);
    svg.text(right + 60, legend + kLabelDrop, curve.style.name, Anchor::kStart);
    if (!curve.points.empty()) {
      const double value = curve.points.rbegin()->second.median;
      svg.text(width - 14, legend + kLabelDrop, fixed(value, chart.last_digits), Anchor::kEnd);
    }
    legend += 22;
  }
  return svg.finish();
}

} // namespace article::output
