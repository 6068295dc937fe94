#pragma once

#include <filesystem>
#include <string>

namespace article {

/// Writes an experiment's tables, one a data set, to table.tex and table.md in <out>/<experiment>/:
/// what was measured beside what was published, runs that are missing as missing. Throws
/// std::runtime_error if there are no runs, std::system_error if a file cannot be written.
void write_tables(const std::filesystem::path& out, const std::string& experiment);

} // namespace article
