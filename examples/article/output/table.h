#pragma once

// A table as Markdown and as LaTeX.

#include <cstddef>
#include <string>
#include <vector>

namespace article::output {

/// In Unicode, before it is either.
struct Table {
  std::string title; ///< Markdown leaves out an empty one.
  std::vector<std::string> header;
  std::size_t names = 0; ///< The columns at the left that are text.
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> notes;
};

std::string to_markdown(const Table& table);

std::string to_latex(const Table& table);

} // namespace article::output
