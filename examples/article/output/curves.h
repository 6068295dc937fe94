#pragma once

// Curves over epochs or tasks.

#include "style.h"
#include "svg.h"

#include <map>
#include <string>
#include <vector>

namespace article::output {

constexpr const char* kAxisColour = "#666666";
constexpr const char* kGridColour = "#dddddd";
constexpr double kLabelDrop = 4.5; // from a text's middle down to the line that it stands on

/// Numbers between the ends of its ticks, mapped to pixels.
struct Axis {
  std::vector<double> marks;
  double start; // pixels
  double end;

  double operator()(double value) const {
    const double share = (value - marks.front()) / (marks.back() - marks.front());
    return start + share * (end - start);
  }
};

/// Over the seeds.
struct Spread {
  double median;
  double lowest;
  double highest;
};

struct Curve {
  Style style;
  std::map<int, Spread> points; ///< By the number of an epoch or a task.
};

struct Chart {
  std::string title;
  std::string x_label; ///< "epoch": what is counted.
  std::string y_label;
  double smallest_step; ///< Between two marks at the left.
  int digits;           ///< Of a mark.
  int last_digits;      ///< Of the legend's numbers, the curves' last ones.
  bool bands;           ///< From the lowest to the highest seed.
};

std::string draw_curves(const Chart& chart, const std::vector<Curve>& curves);

} // namespace article::output
