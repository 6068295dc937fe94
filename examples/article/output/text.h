#pragma once

// Numbers as text, whatever the locale.

#include <cstddef>
#include <string>
#include <vector>

namespace article::output {

/// As many digits as it takes to read the same number back.
std::string shortest(double value);

/// That many digits after the point.
std::string fixed(double value, int digits);

std::string join(const std::vector<std::string>& texts, const std::string& separator);

/// "7", or "3–8" where the two differ.
std::string range(long long lowest, long long highest);

} // namespace article::output
