#include "text.h"

#include <charconv>

namespace article::output {
namespace {

template <typename... Format>
std::string to_text(double value, Format... format) {
  char text[400]; // 1e308 has 309 digits before the point
  const auto result = std::to_chars(text, text + sizeof text, value, format...);
  return {text, result.ptr};
}

} // namespace

std::string shortest(double value) {
  return to_text(value);
}

std::string fixed(double value, int digits) {
  return to_text(value, std::chars_format::fixed, digits);
}

std::string join(const std::vector<std::string>& texts, const std::string& separator) {
  std::string joined;
  for (const std::string& text : texts) {
    joined += (joined.empty() ? "" : separator) + text;
  }
  return joined;
}

std::string range(long long lowest, long long highest) {
  const std::string first = std::to_string(lowest);
  return lowest == highest ? first : first + "–" + std::to_string(highest);
}

} // namespace article::output
