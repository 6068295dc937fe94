#include "command.h"

#include "output/table.h"
#include "output/text.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace article {
namespace {

/// What a run has where nothing is asked for; of a variant that the experiment lacks, the first's.
std::map<std::string, std::string> defaults(const Experiment& experiment, const std::string& name) {
  const std::vector<Variant> all = variants(experiment, {});
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Variant& variant) { return variant.name == name; });
  std::map<std::string, std::string> settings =
      describe((found == all.end() ? all.front() : *found).settings);
  settings["device"] = ""; // the machine's
  settings["threads"] = "";
  settings["world-size"] = "1";
  // Of the data sets all images.
  settings["train-images"] = experiment.dataset == "cifar10" ? "50000" : "60000";
  settings["val-images"] = "10000";
  return settings;
}

} // namespace

std::string command_of(const Experiment& experiment, const std::vector<LoggedRun>& runs) {
  std::set<std::string> activations;
  std::set<int> seeds;
  std::map<std::string, std::set<std::string>> options;
  const std::string& dataset = runs.front().key.dataset;
  Experiment on = experiment;
  on.dataset = dataset;
  for (const LoggedRun& run : runs) {
    activations.insert(run.key.activation);
    seeds.insert(run.key.seed);
    for (const auto& [name, value] : defaults(on, run.key.variant)) {
      const auto found = run.settings.find(name);
      if (found != run.settings.end() && found->second != value) {
        options[name].insert(found->second);
      }
    }
  }
  std::string text = "article run " + experiment.name;
  const auto add = [&](const std::string& name, const std::string& value) {
    text += " --" + name + " " + value;
  };
  if (dataset != experiment.dataset) {
    add("dataset", dataset);
  }
  if (const auto& all = experiment.activations;
      std::set<std::string>(all.begin(), all.end()) != activations) {
    add("activation", output::join({activations.begin(), activations.end()}, ","));
  }
  if (*seeds.begin() != 100) {
    add("seed", std::to_string(*seeds.begin()));
  }
  if (seeds.size() > 1) {
    add("seeds", std::to_string(*seeds.rbegin() - *seeds.begin() + 1));
  }
  for (const auto& [name, values] : options) {
    add(name, output::join({values.begin(), values.end()}, " or "));
  }
  return text;
}

std::string commands_table(const std::filesystem::path& out) {
  output::Table table{"", {"Experiment", "Data set", "Command"}, 3, {}, {}};
  for (const Experiment& experiment : experiments()) {
    std::map<std::string, std::vector<LoggedRun>> datasets;
    for (LoggedRun& run : read_runs(out, experiment.name)) {
      datasets[run.key.dataset].push_back(std::move(run));
    }
    for (const auto& [dataset, runs] : datasets) {
      table.rows.push_back({experiment.name, dataset, command_of(experiment, runs)});
    }
  }
  return to_markdown(table);
}

} // namespace article
