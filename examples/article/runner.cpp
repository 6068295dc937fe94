#include "runner.h"

#include "../common/device.h"
#include "../common/progress.h"
#include "checkpoint.h"
#include "data.h"
#include "interrupt.h"
#include "output/run_log.h"
#include "trainer.h"

#include <linked_neurons/settle_allocator.h>

#include <ATen/Parallel.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace article {
namespace {

namespace fs = std::filesystem;
using examples::Progress;
using examples::UsageError;

c10::Device choose_device(const RunOptions& options, const Place& place) {
  c10::Device device = examples::choose_device(options.device);
  if (device.is_cuda() && place.size > 1) {
    const char* const local = std::getenv("LOCAL_RANK"); // on machines that have several
    const int rank = local != nullptr ? std::atoi(local) : place.rank;
    device.set_index(
        static_cast<c10::DeviceIndex>(rank % static_cast<int>(torch::cuda::device_count())));
  }
  return device;
}

void prepare(const RunOptions& options, const Place& place, const c10::Device& device) {
  linked_neurons::settle_allocator();
  // The optimizer's averages of a unit that is dead fade away for ever, and processors are slow
  // with numbers that small.
  at::globalContext().setFlushDenormal(true);
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  } else if (!place.file.empty()) {
    at::set_num_threads(std::max(1, at::get_num_threads() / place.size));
  }
  use_capturable_stream(device);
}

Images reduced(const Images& images, const char* option, std::int64_t wanted, double share) {
  if (wanted > images.count()) {
    throw UsageError(
        std::string(option) + ": expected at most " + std::to_string(images.count()) +
        ", as many as there are, got " + std::to_string(wanted));
  }
  const auto count =
      static_cast<std::int64_t>(std::ceil(share * static_cast<double>(images.count())));
  return images.some(wanted > 0 ? wanted : count);
}

Dataset load(const RunOptions& options, const std::string& name, const c10::Device& device) {
  Dataset data = load_dataset(name, options.data_dir);
  data.train = reduced(data.train, "--train-images", options.train_images, options.share);
  data.validation = reduced(data.validation, "--val-images", options.val_images, options.share);
  return data.to(device);
}

std::string duration(double seconds) {
  char text[32];
  const auto whole = static_cast<long>(std::ceil(seconds));
  std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

template <class... Values>
std::string print(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

const Epoch& best_of(const std::vector<Epoch>& epochs) {
  return *std::max_element(epochs.begin(), epochs.end(), [](const Epoch& one, const Epoch& other) {
    return one.val_accuracy < other.val_accuracy;
  });
}

/// One of the runs, from where it stands to its last epoch.
class Run {
 public:
  Run(const RunOptions& options,
      const PlannedRun& planned,
      const Dataset& data,
      const AlignedVector& group,
      std::string title)
      : settings_(planned.settings), group_(group), title_(std::move(title)),
        folder_(run_folder(options.out, planned.key)), trainer_(
                                                           {planned.settings,
                                                            find_activation(planned.key.activation),
                                                            planned.key.seed,
                                                            options.graph},
                                                           data,
                                                           group) {
    identity_ = describe(settings_);
    identity_.erase(rounds_name()); // more of them may be asked for later
    identity_["train-images"] = std::to_string(data.train.count());
    identity_["val-images"] = std::to_string(data.validation.count());
    start(options, planned.key, data);
  }

  void finish(Progress& progress) {
    const auto start = std::chrono::steady_clock::now();
    const auto first = static_cast<std::int64_t>(epochs_.size());
    for (std::int64_t number = first + 1; number <= settings_.rounds(); ++number) {
      const auto report = [&](double done, const std::function<Trainer::Averages()>& averages) {
        if (interrupted()) {
          throw Interrupted();
        }
        if (group_.first() && progress.due()) {
          const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
          const double finished = static_cast<double>(number - 1 - first) + done;
          const double left = static_cast<double>(settings_.rounds() - first) - finished;
          progress.show(line(number, done, averages(), taken.count() / finished * left));
        }
      };
      keep(trainer_.run(static_cast<int>(number), report));
    }
    if (group_.first() && !epochs_.empty()) {
      progress.clear();
      std::printf("%s: %s\n", title_.c_str(), result().c_str());
      std::fflush(stdout);
    }
  }

 private:
  /// What is counted in rounds(): the name of its setting.
  const char* rounds_name() const {
    return settings_.has_tasks() ? "tasks" : "epochs";
  }

  std::string result() const {
    const Epoch& last = epochs_.back();
    const auto dead_units = static_cast<long long>(last.dead_units);
    if (settings_.has_tasks()) {
      return print(
          "acc %.4f in the first task, %.4f in the last (%d); dead units %lld, %.1f s",
          epochs_.front().accuracy,
          last.accuracy,
          last.number,
          dead_units,
          last.seconds);
    }
    const Epoch& best = best_of(epochs_);
    return print(
        "best val_acc %.4f in epoch %d; last: val_acc %.4f, dead units %lld, %.1f s",
        best.val_accuracy,
        best.number,
        last.val_accuracy,
        dead_units,
        last.seconds);
  }

  fs::path last() const {
    return folder_ / "last.pt";
  }

  fs::path best() const {
    return folder_ / "best.pt";
  }

  void start(const RunOptions& options, const RunKey& key, const Dataset& data) {
    if (fs::exists(last())) {
      if (options.resume) {
        epochs_ = load_checkpoint(last(), trainer_, identity_);
      } else if (!options.overwrite) {
        throw UsageError(
            folder_.string() + ": there is this run already; --resume goes on with it (and passes "
                               "over it if it is finished), --overwrite starts anew");
      }
    }
    const auto finished = static_cast<std::int64_t>(epochs_.size()) >= settings_.rounds();
    if (!group_.first() || finished) {
      return;
    }
    if (epochs_.empty()) {
      fs::remove(last());
      fs::remove(best());
    }
    std::map<std::string, std::string> shown = identity_;
    shown[rounds_name()] = std::to_string(settings_.rounds());
    shown["parameters"] = std::to_string(trainer_.parameters());
    shown["device"] = data.train.pixels.device().str();
    shown["processor"] = examples::processor_name();
    shown["steps"] = std::to_string(settings_.rounds() * trainer_.steps_per_round());
    shown["threads"] = std::to_string(at::get_num_threads());
    shown["world-size"] = std::to_string(group_.size);
    log_.emplace(
        folder_,
        key,
        shown,
        static_cast<int>(epochs_.size()),
        settings_.has_tasks() ? task_columns : epoch_columns);
  }

  /// The log goes first: what it has and the checkpoint has not is trained again.
  void keep(const Epoch& epoch) {
    const bool better = !settings_.has_tasks() &&
                        (epochs_.empty() || epoch.val_accuracy > best_of(epochs_).val_accuracy);
    epochs_.push_back(epoch);
    if (log_) {
      log_->add(epoch);
      if (better) {
        save_checkpoint(best(), trainer_, identity_, epochs_);
      }
      save_checkpoint(last(), trainer_, identity_, epochs_);
    }
  }

  std::string line(
      std::int64_t number, double done, const Trainer::Averages& averages, double left) const {
    std::string text = title_;
    text += print(
        "  %s %lld/%lld %3.0f %%  loss %.4f  acc %.4f",
        settings_.has_tasks() ? "task" : "epoch",
        static_cast<long long>(number),
        static_cast<long long>(settings_.rounds()),
        100 * done,
        averages.loss,
        averages.accuracy);
    if (!settings_.has_tasks() && !epochs_.empty()) {
      text += print("  val_acc %.4f", epochs_.back().val_accuracy);
    }
    return text + "  " + duration(left) + " left";
  }

  Settings settings_;
  AlignedVector group_;
  std::string title_;
  fs::path folder_;
  Trainer trainer_;
  Identity identity_;
  std::vector<Epoch> epochs_;
  std::optional<RunLog> log_;
};

} // namespace

std::vector<PlannedRun> plan_runs(const RunOptions& options) {
  if (!options.dataset.empty()) {
    check_dataset_name(options.dataset);
  }
  std::vector<PlannedRun> runs;
  for (const std::string& name : options.experiments) {
    const Experiment& experiment = find_experiment(name);
    for (const Variant& variant : variants(experiment, options.overrides)) {
      for (const std::string& activation :
           options.activations.empty() ? experiment.activations : options.activations) {
        for (int seed = options.seed; seed < options.seed + options.seeds; ++seed) {
          runs.push_back(
              {{experiment.name,
                variant.name,
                find_activation(activation).name,
                options.dataset.empty() ? experiment.dataset : options.dataset,
                seed},
               variant.settings});
        }
      }
    }
  }
  return runs;
}

fs::path run_folder(const fs::path& out, const RunKey& key) {
  return out / key.experiment / key.variant / key.activation / ("seed-" + std::to_string(key.seed));
}

void run_all(const RunOptions& options, const Place& place) {
  const c10::Device device = choose_device(options, place);
  prepare(options, place, device);
  const std::vector<PlannedRun> runs = plan_runs(options);
  const AlignedVector group = join(place, device, std::chrono::seconds(options.timeout));
  std::map<std::string, Dataset> loaded;
  Progress progress;
  std::size_t number = 0;
  for (const PlannedRun& run : runs) {
    const RunKey& key = run.key;
    if (loaded.count(key.dataset) == 0) {
      loaded[key.dataset] = load(options, key.dataset, device);
    }
    std::string title = "[" + std::to_string(++number) + "/" + std::to_string(runs.size()) + "] ";
    title += key.experiment + (key.variant == "default" ? "" : " " + key.variant) + " " +
             key.activation + " seed " + std::to_string(key.seed);
    Run(options, run, loaded[key.dataset], group, std::move(title)).finish(progress);
  }
}

} // namespace article
