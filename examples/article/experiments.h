#pragma once

// Every experiment of the article and its hyper-parameters. This is the only place for them.

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace article {

/// What a run is made of. The table of experiments gives values, options of the command line
/// replace them: knobs() names each once.
struct Settings {
  std::string network;
  std::string optimizer; ///< "sgd", "adam" or "rmsprop", with Keras' constants.
  double lr = 0;
  double decay = 0;    ///< Keras': the rate of step i (from 0) is lr / (1 + decay * i).
  double momentum = 0; ///< SGD's, by Nesterov's rule.
  std::int64_t batch_size = 32;
  std::int64_t linked_batch_size = 0; ///< For linked activations, if it is another; 0: it is not.
  std::int64_t epochs = 0;            ///< Of a stream's every task.
  bool shuffle = true;
  std::string init = "glorot_uniform"; ///< Or "glorot_normal", "kaiming_uniform".
  bool augment = false;                ///< Horizontal flip, shifts of up to 10 %.
  bool batch_norm = true;              ///< Of networks that have it.
  std::int64_t filters = 0;            ///< Of networks that have one number of filters, or units.
  std::int64_t depth = 0;              ///< Layers of networks that have one size of them.
  double offset = 0;                   ///< Added to every pixel.
  std::string schedule = "constant";   ///< Or "steps": schedule_factor() says how.
  std::string stream = "none";         ///< Of tasks: "random-labels", "permuted-pixels" (tasks.h).
  std::int64_t tasks = 1;              ///< Of the stream, one after the other.
  std::int64_t task_images = 0;        ///< Of each task.

  bool has_tasks() const {
    return stream != "none";
  }

  /// What is recorded one by one: tasks, or epochs.
  std::int64_t rounds() const {
    return has_tasks() ? tasks : epochs;
  }
};

/// A hyper-parameter: its option's name, what it is, where it is kept.
struct Knob {
  using Member = std::variant<
      double Settings::*,
      std::int64_t Settings::*,
      bool Settings::*,
      std::string Settings::*>;
  std::string name;
  std::string help;
  Member member;
  std::vector<std::string> choices; ///< Of a word; empty for numbers.
};
const std::vector<Knob>& knobs();

/// Throws examples::UsageError, naming the option, if the value is of another type, is out of range
/// or is none of the choices.
void set(Settings& settings, const Knob& knob, const std::string& value);

/// Each knob's name with its value.
std::map<std::string, std::string> describe(const Settings& settings);

struct Experiment {
  std::string name;
  std::string summary;
  std::string dataset;                  ///< Where no other is asked for.
  std::vector<std::string> activations; ///< Names.
  Settings settings;
  /// The knob whose values make the variants, and these values; empty if there is one variant.
  std::string knob;
  std::vector<std::string> values;
  /// What else a variant has, by its value: settings by knob.
  std::map<std::string, std::map<std::string, std::string>> more;
};

const std::vector<Experiment>& experiments();

/// Throws examples::UsageError, which lists the names, if there is none of this name.
const Experiment& find_experiment(const std::string& name);

/// One variant of an experiment, the overriding values (by knob) set.
struct Variant {
  std::string name; ///< "width-50"; "default" if there is one variant.
  Settings settings;
};
std::vector<Variant> variants(
    const Experiment& experiment, const std::map<std::string, std::string>& overrides);

/// What a schedule multiplies the rate by in an epoch (from 1).
double schedule_factor(const std::string& schedule, std::int64_t epoch);

} // namespace article
