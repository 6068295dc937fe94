#pragma once

// How an activation is drawn in tables and plots: a colour for each base activation, solid lines
// for linked ones, dashes for single ones, dots for those with √2 times the filters.

#include <cstddef>
#include <string>

namespace article::output {

struct Style {
  std::size_t rank; ///< Its place among the others.
  std::string name;
  std::string colour;
  std::string dashes; ///< As in SVG's stroke-dasharray; empty means solid.
};

/// For an activation that is not known: the last place, its own name, grey.
Style style_of(const std::string& activation);

} // namespace article::output
