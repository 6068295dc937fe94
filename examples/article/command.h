#pragma once

// How recorded runs are made again.

#include "experiments.h"
#include "output/run_log.h"

#include <filesystem>
#include <string>
#include <vector>

namespace article {

/// The command that trains these runs of an experiment, on one data set, anew.
std::string command_of(const Experiment& experiment, const std::vector<LoggedRun>& runs);

/// The commands for all runs in a folder, a table in Markdown.
std::string commands_table(const std::filesystem::path& out);

} // namespace article
