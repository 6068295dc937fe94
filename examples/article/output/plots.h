#pragma once

#include <filesystem>
#include <string>

namespace article {

/// Draws an experiment's runs into <out>/<experiment>/: for each data set and variant
/// curves-<dataset>-<variant>.svg, validation accuracy over the epochs (median over the seeds), and
/// for each data set best-<dataset>.svg, bars of the best accuracy beside the published one. Of
/// streams of tasks, accuracy over the tasks instead and dead-<dataset>-<variant>.svg, dead units
/// over the tasks, both with the range over the seeds. The
/// same runs give the same bytes. Throws std::runtime_error if there are no runs, std::system_error
/// if a file cannot be written.
void write_plots(const std::filesystem::path& out, const std::string& experiment);

} // namespace article
