#pragma once

// Many runs, one after the other.

#include "activations.h"
#include "experiments.h"
#include "processes.h"
#include "record.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace article {

/// What the program was asked for.
struct RunOptions {
  std::vector<std::string> experiments;
  std::vector<std::string> activations; ///< Empty: the experiment's own.
  std::string dataset;                  ///< Empty: the experiment's own.
  std::filesystem::path data_dir;       ///< Empty: found (data.h).
  std::filesystem::path out = "runs";
  std::string device; ///< Empty: CUDA if there is a device, else the CPU.
  int seed = 100;     ///< The first.
  int seeds = 1;
  int threads = 0;   ///< 0: as many as the machine has cores, shared among local processes.
  int timeout = 600; ///< Seconds that a process waits for the others.
  double share = 1;  ///< Of the images of every class, training and validation, the first ones.
  std::int64_t train_images = 0; ///< 0: as `share` says.
  std::int64_t val_images = 0;
  bool graph = true;
  bool resume = false;
  bool overwrite = false;
  std::map<std::string, std::string> overrides; ///< By knob (experiments.h).
};

struct PlannedRun {
  RunKey key;
  Settings settings;
};

/// The runs that this means. Throws examples::UsageError for what it does not understand.
std::vector<PlannedRun> plan_runs(const RunOptions& options);

/// Where a run is kept.
std::filesystem::path run_folder(const std::filesystem::path& out, const RunKey& key);

/// Trains all of them. Throws Interrupted, std::system_error for what cannot be written,
/// std::runtime_error for what cannot be read; every epoch finished before is on the disk then.
void run_all(const RunOptions& options, const Place& place);

} // namespace article
