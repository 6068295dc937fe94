#pragma once

// What a run keeps in its folder beside its checkpoints: run.json (which run it is, its settings),
// epochs.csv and TensorBoard's event files.

#include "../record.h"
#include "event_file.h"
#include "files.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace article {

/// Writes the log of one run. An epoch is on the disk when add() returns, and an error leaves those
/// before it as they are. What cannot be written is a std::system_error that names the file.
class RunLog {
 public:
  /// Starts a log in `folder`, in the place of an earlier one. With `resume_after_epoch` above 0 it
  /// goes on after that epoch instead and forgets later ones: what was logged and not yet in a
  /// checkpoint. So log an epoch first, then save its checkpoint. Throws std::runtime_error if the
  /// folder holds another run, or the log ends before that epoch. `columns`: what is logged, first
  /// the number.
  RunLog(
      const std::filesystem::path& folder,
      const RunKey& key,
      const std::map<std::string, std::string>& settings,
      int resume_after_epoch,
      const std::vector<EpochColumn>& columns = epoch_columns);

  void add(const Epoch& epoch);

 private:
  std::vector<EpochColumn> columns_;
  std::unique_ptr<output::AppendedFile> table_;
  std::unique_ptr<output::EventFile> events_;
};

/// A run as its folder tells.
struct LoggedRun {
  RunKey key;
  std::map<std::string, std::string> settings;
  std::vector<Epoch> epochs;
  bool has_tasks = false; ///< Its epochs are tasks of a stream.
};

/// The runs of one experiment under `out`, sorted by their folders; none if there is no such
/// folder. A last line that was not finished is left out; anything else that is not as RunLog
/// writes it is a std::runtime_error that names the file.
std::vector<LoggedRun> read_runs(const std::filesystem::path& out, const std::string& experiment);

} // namespace article
