#include "table.h"

#include "text.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace article::output {
namespace {

using Replacements = std::vector<std::pair<std::string, std::string>>;

std::string replaced(const std::string& text, const Replacements& replacements) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto found =
        std::find_if(replacements.begin(), replacements.end(), [&](const auto& replacement) {
          return text.compare(at, replacement.first.size(), replacement.first) == 0;
        });
    if (found == replacements.end()) {
      result += text[at++];
    } else {
      result += found->second;
      at += found->first.size();
    }
  }
  return result;
}

std::string markdown(const std::string& text) {
  return replaced(
      text,
      {{"\\", "\\\\"}, {"|", "\\|"}, {"_", "\\_"}, {"*", "\\*"}, {"<", "&lt;"}, {"`", "\\`"}});
}

std::string latex(const std::string& text) {
  return replaced(
      text,
      {{"\\", "\\textbackslash{}"},
       {"~", "\\textasciitilde{}"},
       {"^", "\\textasciicircum{}"},
       {"&", "\\&"},
       {"%", "\\%"},
       {"$", "\\$"},
       {"#", "\\#"},
       {"_", "\\_"},
       {"{", "\\{"},
       {"}", "\\}"},
       {"√2", "$\\sqrt{2}$"},
       {"“", "``"},
       {"”", "''"},
       {"—", "---"},
       {"–", "--"}});
}

// A row's cells, each through `escape`, with `separator` between them.
template <typename Escape>
std::string row_text(
    const std::vector<std::string>& cells, const std::string& separator, Escape escape) {
  std::vector<std::string> texts;
  std::transform(cells.begin(), cells.end(), std::back_inserter(texts), escape);
  return join(texts, separator);
}

} // namespace

std::string to_markdown(const Table& table) {
  std::string text = table.title.empty() ? "" : "### " + markdown(table.title) + "\n\n";
  text += "| " + row_text(table.header, " | ", markdown) + " |\n|";
  for (std::size_t column = 0; column < table.header.size(); ++column) {
    text += column < table.names ? " --- |" : " ---: |";
  }
  for (const auto& row : table.rows) {
    text += "\n| " + row_text(row, " | ", markdown) + " |";
  }
  return text + (table.notes.empty() ? "" : "\n\n" + row_text(table.notes, "\n", markdown)) + "\n";
}

std::string to_latex(const Table& table) {
  std::string text = "\\begin{table}\n\\centering\n\\scriptsize\n";
  text += "\\setlength{\\tabcolsep}{2pt}\n\\begin{tabular}{@{}";
  text += std::string(table.names, 'l') + std::string(table.header.size() - table.names, 'r');
  text += "@{}}\n\\hline\n" + row_text(table.header, " & ", latex) + " \\\\\n\\hline\n";
  for (const auto& row : table.rows) {
    text += row_text(row, " & ", latex) + " \\\\\n";
  }
  return text + "\\hline\n\\end{tabular}\n\\caption{" + latex(table.title) + ".\n" +
         row_text(table.notes, "\n", latex) + "}\n\\end{table}\n";
}

} // namespace article::output
