#pragma once

// The little of SVG that the plots need. Lengths are pixels, y runs down.

#include <string>
#include <utility>
#include <vector>

namespace article::output {

class Svg {
 public:
  enum class Anchor { kStart, kMiddle, kEnd }; ///< What of a text is at its point.

  /// A drawing on white.
  Svg(double width, double height);

  void rectangle(double x, double y, double width, double height, const std::string& colour);
  void line(double x1, double y1, double x2, double y2, const std::string& colour);

  /// With a dot at each point where `dots` is set.
  void curve(
      const std::vector<std::pair<double, double>>& points,
      const std::string& colour,
      const std::string& dashes,
      bool dots);

  /// A closed area, see-through.
  void band(const std::vector<std::pair<double, double>>& points, const std::string& colour);

  void text(double x, double y, const std::string& text, Anchor anchor, int size = 13);

  /// Text that runs upwards, its middle at the point.
  void upward_text(double x, double y, const std::string& text);

  /// The document.
  std::string finish() const;

 private:
  std::string content_;
};

/// Numbers to mark on an axis, both ends included: multiples of 1, 2 or 5 times a power of ten, at
/// least `smallest_step` apart, that enclose `lowest` and `highest` with at most `most` steps.
std::vector<double> ticks(double lowest, double highest, int most, double smallest_step);

} // namespace article::output
