#include "svg.h"

#include "text.h"

#include <algorithm>
#include <cmath>

namespace article::output {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  }
  return result;
}

std::string attribute(const std::string& name, const std::string& value) {
  return " " + name + "=\"" + escaped(value) + "\"";
}

// Tenths of a pixel.
std::string attribute(const std::string& name, double length) {
  return attribute(name, fixed(length, 1));
}

} // namespace

Svg::Svg(double width, double height)
    : content_(
          "<svg xmlns=\"http://www.w3.org/2000/svg\"" + attribute("width", width) +
          attribute("height", height) +
          attribute("viewBox", "0 0 " + fixed(width, 1) + " " + fixed(height, 1)) +
          attribute("font-family", "Helvetica, Arial, sans-serif") + ">\n") {
  rectangle(0, 0, width, height, "#ffffff");
}

void Svg::rectangle(double x, double y, double width, double height, const std::string& colour) {
  content_ += "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) +
              attribute("height", height) + attribute("fill", colour) + "/>\n";
}

void Svg::line(double x1, double y1, double x2, double y2, const std::string& colour) {
  content_ += "<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) +
              attribute("y2", y2) + attribute("stroke", colour) + "/>\n";
}

void Svg::curve(
    const std::vector<std::pair<double, double>>& points,
    const std::string& colour,
    const std::string& dashes,
    bool dots) {
  std::string places;
  for (const auto& [x, y] : points) {
    places += (places.empty() ? "" : " ") + fixed(x, 1) + "," + fixed(y, 1);
    if (dots) {
      content_ += "<circle" + attribute("cx", x) + attribute("cy", y) + attribute("r", 3.0) +
                  attribute("fill", colour) + "/>\n";
    }
  }
  content_ += "<polyline" + attribute("points", places) + attribute("fill", "none") +
              attribute("stroke", colour) + attribute("stroke-width", 2.0) +
              attribute("stroke-linejoin", "round");
  if (!dashes.empty()) {
    content_ += attribute("stroke-dasharray", dashes);
  }
  content_ += "/>\n";
}

void Svg::band(const std::vector<std::pair<double, double>>& points, const std::string& colour) {
  std::string places;
  for (const auto& [x, y] : points) {
    places += (places.empty() ? "" : " ") + fixed(x, 1) + "," + fixed(y, 1);
  }
  content_ += "<polygon" + attribute("points", places) + attribute("fill", colour) +
              attribute("fill-opacity", "0.15") + "/>\n";
}

void Svg::text(double x, double y, const std::string& text, Anchor anchor, int size) {
  constexpr const char* anchors[] = {"start", "middle", "end"};
  content_ += "<text" + attribute("x", x) + attribute("y", y) +
              attribute("font-size", std::to_string(size)) +
              attribute("text-anchor", anchors[static_cast<int>(anchor)]) +
              attribute("fill", "#222222") + ">" + escaped(text) + "</text>\n";
}

void Svg::upward_text(double x, double y, const std::string& text) {
  content_ +=
      "<g" +
      attribute("transform", "translate(" + fixed(x, 1) + " " + fixed(y, 1) + ") rotate(-90)") +
      ">\n";
  this->text(0, 0, text, Anchor::kMiddle);
  content_ += "</g>\n";
}

std::string Svg::finish() const {
  return content_ + "</svg>\n";
}

std::vector<double> ticks(double lowest, double highest, int most, double smallest_step) {
  const auto steps = [&](double step) {
    return std::ceil(highest / step) - std::floor(lowest / step);
  };
  double step = smallest_step;
  for (int i = 0; steps(step) > most; ++i) {
    constexpr double next[] = {2, 2.5, 2}; // 1, 2, 5, 10
    step *= next[i % 3];
  }
  const double first = std::floor(lowest / step);
  const double last = std::max(std::ceil(highest / step), first + 1);
  std::vector<double> values;
  for (double i = first; i <= last; ++i) {
    values.push_back(i * step);
  }
  return values;
}

} // namespace article::output
