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
#include <variant>

namespace article {
namespace {

namespace fs = std::filesystem;
using output::AppendedFile, output::EventFile, output::replace_file, output::shortest;
using Settings = std::map<std::string, std::string>;

using Columns = std::vector<EpochColumn>;

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

std::string header(const Columns& columns) {
  std::vector<std::string> names;
  for (const EpochColumn& column : columns) {
    names.emplace_back(column.name);
  }
  return output::join(names, ",") + "\n";
}

EventFile::Scalars scalars(const Epoch& epoch, const Columns& columns) {
  EventFile::Scalars all;
  for (auto column = columns.begin() + 1; column != columns.end(); ++column) { // the step is first
    all.emplace_back(
        column->name,
        std::visit(
            [&](auto member) { return static_cast<double>(epoch.*member); }, column->member));
  }
  return all;
}

std::string csv_line(const Epoch& epoch, const Columns& columns) {
  struct Text {
    std::string operator()(double value) const {
      return shortest(value);
    }
    std::string operator()(std::int64_t value) const {
      return std::to_string(value);
    }
    std::string operator()(int value) const {
      return std::to_string(value);
    }
  };
  std::vector<std::string> cells;
  for (const EpochColumn& column : columns) {
    cells.push_back(std::visit([&](auto member) { return Text()(epoch.*member); }, column.member));
  }
  return output::join(cells, ",") + "\n";
}

// Reads what csv_line() writes; false if it is anything else.
bool read_line(std::string_view line, const Columns& columns, Epoch& epoch) {
  const char* at = line.data();
  const char* const end = at + line.size();
  const auto read = [&](auto& value, char after) {
    const auto [stop, error] = std::from_chars(at, end, value);
    const bool good = error == std::errc() && stop != end && *stop == after;
    at = good ? stop + 1 : at;
    return good;
  };
  return std::all_of(columns.begin(), columns.end(), [&](const EpochColumn& column) {
    const char after = &column == &columns.back() ? '\n' : ',';
    return std::visit([&](auto member) { return read(epoch.*member, after); }, column.member);
  });
}

bool has_tasks(std::string_view table) {
  const std::string tasks = header(task_columns);
  return table.substr(0, tasks.size()) == tasks;
}

std::vector<Epoch> read_epochs(const fs::path& path, const std::string& content) {
  std::string_view rest = content;
  const std::string_view first = rest.substr(0, rest.find('\n') + 1);
  const Columns& columns = has_tasks(content) ? task_columns : epoch_columns;
  if (first != header(columns)) {
    const std::string expected = header(columns);
    fail(path, "expected the header " + expected.substr(0, expected.size() - 1));
  }
  rest.remove_prefix(first.size());
  std::vector<Epoch> epochs;
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    Epoch epoch;
    if (!read_line(rest.substr(0, end + 1), columns, epoch)) {
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
  std::vector<Epoch> epochs = read_epochs(path, read_file(path));
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
    const fs::path& folder,
    const RunKey& key,
    const Settings& settings,
    int resume_after_epoch,
    const std::vector<EpochColumn>& columns)
    : columns_(columns) {
  const RunKey run = named(key);
  std::string table = header(columns);
  if (resume_after_epoch > 0) {
    for (const Epoch& epoch : epochs_to_keep(folder, run, resume_after_epoch)) {
      table += csv_line(epoch, columns);
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
  table_->append(csv_line(epoch, columns_));
  events_->add(epoch.number, scalars(epoch, columns_));
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
    const fs::path path = epochs_file(folder);
    const std::string table = read_file(path);
    runs.push_back(
        {std::move(key), std::move(settings), read_epochs(path, table), has_tasks(table)});
  }
  return runs;
}

} // namespace article
