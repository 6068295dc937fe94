#include "run_log.h"

#include "text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

namespace article {
namespace {

namespace fs = std::filesystem;
using output::AppendedFile, output::EventFile, output::replace_file, output::shortest;
using Settings = std::map<std::string, std::string>;

constexpr std::string_view kHeader = "epoch,loss,acc,val_loss,val_acc,epoch_time,dead_units\n";

fs::path settings_file(const fs::path& folder) {
  return folder / "run.json";
}

fs::path epochs_file(const fs::path& folder) {
  return folder / "epochs.csv";
}

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw std::runtime_error(path.string() + ": " + what);
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (!file) {
    fail(path, "cannot be read");
  }
  return content;
}

auto scalars(const Epoch& epoch) {
  return EventFile::Scalars{
      {"loss", epoch.loss},
      {"acc", epoch.accuracy},
      {"val_loss", epoch.val_loss},
      {"val_acc", epoch.val_accuracy},
      {"epoch_time", epoch.seconds},
      {"dead_units", static_cast<double>(epoch.dead_units)}};
}

std::string csv_line(const Epoch& epoch) {
  return output::join(
             {std::to_string(epoch.number),
              shortest(epoch.loss),
              shortest(epoch.accuracy),
              shortest(epoch.val_loss),
              shortest(epoch.val_accuracy),
              shortest(epoch.seconds),
              std::to_string(epoch.dead_units)},
             ",") +
         "\n";
}

// Reads what csv_line() writes; false if it is anything else.
bool read_line(std::string_view line, Epoch& epoch) {
  const char* at = line.data();
  const char* const end = at + line.size();
  const auto read = [&](auto& value, char after) {
    const auto [stop, error] = std::from_chars(at, end, value);
    const bool good = error == std::errc() && stop != end && *stop == after;
    at = good ? stop + 1 : at;
    return good;
  };
  return read(epoch.number, ',') && read(epoch.loss, ',') && read(epoch.accuracy, ',') &&
         read(epoch.val_loss, ',') && read(epoch.val_accuracy, ',') && read(epoch.seconds, ',') &&
         read(epoch.dead_units, '\n') && at == end;
}

std::vector<Epoch> read_epochs(const fs::path& path) {
  const std::string content = read_file(path);
  std::string_view rest = content;
  if (rest.substr(0, kHeader.size()) != kHeader) {
    fail(path, "expected the header " + std::string(kHeader.substr(0, kHeader.size() - 1)));
  }
  rest.remove_prefix(kHeader.size());
  std::vector<Epoch> epochs;
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    Epoch epoch;
    if (!read_line(rest.substr(0, end + 1), epoch)) {
      fail(path, "line " + std::to_string(epochs.size() + 2) + " is damaged");
    }
    epochs.push_back(epoch);
    rest.remove_prefix(end + 1);
  }
  return epochs;
}

void write_settings(const fs::path& folder, const RunKey& key, const Settings& settings) {
  nlohmann::ordered_json json;
  json["experiment"] = key.experiment;
  json["variant"] = key.variant;
  json["activation"] = key.activation;
  json["dataset"] = key.dataset;
  json["seed"] = key.seed;
  json["settings"] = settings;
  replace_file(settings_file(folder), json.dump(2) + "\n");
}

std::pair<RunKey, Settings> read_settings(const fs::path& folder) {
  const fs::path path = settings_file(folder);
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    const RunKey key{
        json.at("experiment").get<std::string>(),
        json.at("variant").get<std::string>(),
        json.at("activation").get<std::string>(),
        json.at("dataset").get<std::string>(),
        json.at("seed").get<int>()};
    return {key, json.at("settings").get<Settings>()};
  } catch (const nlohmann::json::exception& error) {
    fail(path, error.what());
  }
}

RunKey named(RunKey key) {
  if (key.variant.empty()) {
    key.variant = "default";
  }
  return key;
}

auto tied(const RunKey& key) {
  return std::tie(key.experiment, key.variant, key.activation, key.dataset, key.seed);
}

std::vector<Epoch> epochs_to_keep(const fs::path& folder, const RunKey& key, int last) {
  if (tied(read_settings(folder).first) != tied(key)) {
    fail(settings_file(folder), "belongs to another run, which cannot be resumed as this one");
  }
  const fs::path path = epochs_file(folder);
  std::vector<Epoch> epochs = read_epochs(path);
  const auto found = std::find_if(
      epochs.begin(), epochs.end(), [last](const Epoch& epoch) { return epoch.number == last; });
  if (found == epochs.end()) {
    fail(path, "has no epoch " + std::to_string(last) + " to go on after");
  }
  epochs.erase(found + 1, epochs.end());
  return epochs;
}

void remove_events(const fs::path& folder) {
  const std::vector<fs::directory_entry> entries(fs::directory_iterator(folder), {});
  for (const fs::directory_entry& entry : entries) {
    if (entry.path().filename().string().rfind("events.out.tfevents.", 0) == 0) {
      fs::remove(entry.path());
    }
  }
}

} // namespace

RunLog::RunLog(
    const fs::path& folder, const RunKey& key, const Settings& settings, int resume_after_epoch) {
  const RunKey run = named(key);
  std::string table(kHeader);
  if (resume_after_epoch > 0) {
    for (const Epoch& epoch : epochs_to_keep(folder, run, resume_after_epoch)) {
      table += csv_line(epoch);
    }
  } else {
    fs::create_directories(folder);
    remove_events(folder);
  }
  replace_file(epochs_file(folder), table);
  write_settings(folder, run, settings);
  table_ = std::make_unique<AppendedFile>(epochs_file(folder), AppendedFile::Opening::kExisting);
  events_ = std::make_unique<EventFile>(folder, resume_after_epoch + 1);
}

void RunLog::add(const Epoch& epoch) {
  table_->append(csv_line(epoch));
  events_->add(epoch.number, scalars(epoch));
}

std::vector<LoggedRun> read_runs(const fs::path& out, const std::string& experiment) {
  std::vector<fs::path> folders;
  if (fs::exists(out / experiment)) {
    for (const auto& entry : fs::recursive_directory_iterator(out / experiment)) {
      if (entry.path().filename() == settings_file({})) {
        folders.push_back(entry.path().parent_path());
      }
    }
  }
  std::sort(folders.begin(), folders.end());
  std::vector<LoggedRun> runs;
  for (const fs::path& folder : folders) {
    auto [key, settings] = read_settings(folder);
    runs.push_back({std::move(key), std::move(settings), read_epochs(epochs_file(folder))});
  }
  return runs;
}

} // namespace article
