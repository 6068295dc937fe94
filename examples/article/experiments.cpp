#include "experiments.h"

#include "../common/usage_error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <type_traits>

namespace article {
namespace {

using examples::UsageError;
using Names = std::vector<std::string>;

const Names single = {"relu", "prelu", "selu", "swish"};
const Names linked = {"lk_relu", "lk_prelu", "lk_selu", "lk_swish"};
const Names wider = {"relu_sqrt2", "prelu_sqrt2", "selu_sqrt2", "swish_sqrt2"};

Names operator+(Names all, const Names& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Every experiment starts from Settings' own defaults; a value that stands here is the article's.
std::vector<Experiment> make_experiments() {
  std::vector<Experiment> all;
  const auto add = [&all](const char* name, const char* summary) -> Experiment& {
    all.emplace_back();
    all.back().name = name;
    all.back().summary = summary;
    all.back().dataset = "cifar10";
    all.back().activations = single + linked;
    return all.back();
  };

  Experiment& shift = add("covariate-shift", "the input moved by an offset; dead neurons");
  shift.dataset = "fashion_mnist";
  shift.settings.network = "covariate-shift";
  shift.settings.optimizer = "adam";
  shift.settings.lr = 1e-3;
  shift.settings.epochs = 5;
  shift.settings.filters = 11;
  shift.knob = "offset";
  shift.values = {"0", "10", "20", "30", "40"};

  Experiment& width = add("width", "one convolution, narrow and wide");
  width.settings.network = "width";
  width.settings.optimizer = "sgd";
  width.settings.lr = 0.01;
  width.settings.epochs = 200;
  width.settings.shuffle = false;
  width.knob = "filters";
  width.values = {"50", "400"};

  Experiment& depth = add("depth", "fifty convolutions of four filters");
  depth.activations = single + linked + wider + Names{"bn_relu"};
  depth.settings.network = "depth";
  depth.settings.optimizer = "adam";
  depth.settings.lr = 1e-3;
  depth.settings.epochs = 200;
  depth.settings.shuffle = false;
  depth.settings.filters = 4;
  depth.settings.depth = 50;

  Experiment& extended = add("extended", "four convolutions: as many parameters, linked or not");
  extended.activations = single + wider + linked;
  extended.settings.network = "extended";
  extended.settings.optimizer = "rmsprop";
  extended.settings.lr = 1e-4;
  extended.settings.decay = 1e-6;
  extended.settings.epochs = 200;
  extended.settings.init = "glorot_normal";

  Experiment& allcnn = add("allcnn", "the all-convolutional network");
  allcnn.settings.network = "allcnn";
  allcnn.settings.optimizer = "sgd";
  allcnn.settings.lr = 0.01;
  allcnn.settings.decay = 1e-6;
  allcnn.settings.momentum = 0.9;
  allcnn.settings.linked_batch_size = 128;
  allcnn.settings.epochs = 3000;
  allcnn.settings.augment = true;

  Experiment scheduled = allcnn;
  scheduled.name = "allcnn-schedule";
  scheduled.summary = "the same with a learning rate that falls in steps";
  scheduled.settings.schedule = "steps";
  scheduled.knob = "lr";
  scheduled.values = {"0.01", "0.001"};
  all.push_back(scheduled);

  Experiment& resnet = add("resnet50", "a narrow ResNet-50 with batch normalisation");
  resnet.settings.network = "resnet50";
  resnet.settings.optimizer = "adam";
  resnet.settings.lr = 1e-3;
  resnet.settings.decay = 1e-6;
  resnet.settings.batch_size = 128;
  resnet.settings.epochs = 2000;
  resnet.settings.augment = true;
  resnet.knob = "batch-norm";
  resnet.values = {"true"};

  Experiment plain = resnet;
  plain.name = "nobatchnorm";
  plain.summary = "ResNet-50 with and without batch normalisation: accuracy and time";
  plain.activations = {"lk_relu", "selu", "lk_selu"};
  plain.values = {"true", "false"};
  all.push_back(plain);

  // Not the article's: what linked activations are for today.
  Experiment& stream = add("plasticity", "one task after another: does the network still learn?");
  stream.dataset = "fashion_mnist";
  stream.activations = single + linked + Names{"lk_sin_cos", "bn_relu", "ln_relu"};
  stream.settings.network = "plasticity";
  stream.settings.optimizer = "adam";
  stream.settings.lr = 1e-3;
  stream.settings.init = "kaiming_uniform";
  stream.settings.filters = 128;
  stream.settings.depth = 3;
  stream.settings.tasks = 200;
  stream.knob = "stream";
  stream.values = {"random-labels", "permuted-pixels"};
  stream.more = {
      {"random-labels", {{"task-images", "1200"}, {"epochs", "20"}, {"batch-size", "64"}}},
      {"permuted-pixels", {{"task-images", "6400"}, {"epochs", "1"}, {"batch-size", "16"}}}};
  return all;
}

std::vector<Knob> make_knobs() {
  return {
      {"network",
       "the network",
       &Settings::network,
       {"covariate-shift", "width", "depth", "extended", "allcnn", "resnet50", "plasticity"}},
      {"optimizer",
       "the optimizer, with Keras' constants",
       &Settings::optimizer,
       {"sgd", "adam", "rmsprop"}},
      {"lr", "learning rate", &Settings::lr, {}},
      {"decay", "its fall: step i has lr / (1 + decay * i)", &Settings::decay, {}},
      {"momentum", "of SGD, by Nesterov's rule", &Settings::momentum, {}},
      {"schedule",
       "steps: less after 500, 2000, 2350, 2750 epochs",
       &Settings::schedule,
       {"constant", "steps"}},
      {"batch-size", "images a step, of all processes together", &Settings::batch_size, {}},
      {"linked-batch-size",
       "the same for linked activations; 0: no other",
       &Settings::linked_batch_size,
       {}},
      {"epochs", "how often each image is shown (in its task)", &Settings::epochs, {}},
      {"shuffle", "another order of the images each epoch", &Settings::shuffle, {}},
      {"init",
       "the first weights",
       &Settings::init,
       {"glorot_uniform", "glorot_normal", "kaiming_uniform"}},
      {"augment", "flip images, shift them by up to 10 %", &Settings::augment, {}},
      {"batch-norm", "batch normalisation in resnet50", &Settings::batch_norm, {}},
      {"filters", "of covariate-shift, width and depth; units", &Settings::filters, {}},
      {"depth", "3x3 convolutions of depth, layers of plasticity", &Settings::depth, {}},
      {"offset", "added to each pixel (0 ... 1)", &Settings::offset, {}},
      {"stream",
       "of tasks, each with labels or an order of the pixels of its own",
       &Settings::stream,
       {"none", "random-labels", "permuted-pixels"}},
      {"tasks", "of the stream", &Settings::tasks, {}},
      {"task-images", "of each task", &Settings::task_images, {}},
  };
}

std::string text(const std::string& value) {
  return value;
}

std::string text(bool value) {
  return value ? "true" : "false";
}

std::string text(std::int64_t value) {
  return std::to_string(value);
}

std::string text(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, error == std::errc() ? end : buffer};
}

template <class T>
bool parse(const std::string& value, T& result) {
  if constexpr (std::is_same_v<T, std::string>) {
    result = value;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    result = value == "true";
    return result || value == "false";
  } else {
    const char* const end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, result);
    return error == std::errc() && rest == end && std::isfinite(static_cast<double>(result));
  }
}

std::string joined(const Names& names) {
  std::string all;
  for (const std::string& name : names) {
    all += (all.empty() ? "" : ", ") + name;
  }
  return all;
}

const Knob& find_knob(const std::string& name) {
  return *std::find_if(
      knobs().begin(), knobs().end(), [&](const Knob& knob) { return knob.name == name; });
}

std::string value_of(const Settings& settings, const Knob& knob) {
  return std::visit([&](auto member) { return text(settings.*member); }, knob.member);
}

} // namespace

const std::vector<Knob>& knobs() {
  static const std::vector<Knob> all = make_knobs();
  return all;
}

void set(Settings& settings, const Knob& knob, const std::string& value) {
  const auto check = [&](bool holds, const std::string& expected) {
    if (!holds) {
      throw UsageError("--" + knob.name + ": expected " + expected + ", got '" + value + "'");
    }
  };
  const bool word = std::holds_alternative<std::string Settings::*>(knob.member);
  const bool known =
      std::find(knob.choices.begin(), knob.choices.end(), value) != knob.choices.end();
  check(!word || known, "one of " + joined(knob.choices));
  std::visit(
      [&](auto member) {
        using Value = std::decay_t<decltype(settings.*member)>;
        const bool right = parse(value, settings.*member);
        if constexpr (std::is_same_v<Value, bool>) {
          check(right, "true or false");
        } else if constexpr (std::is_same_v<Value, double>) {
          check(right && (knob.name == "offset" || settings.*member >= 0), "a number, at least 0");
        } else if constexpr (std::is_same_v<Value, std::int64_t>) {
          const std::int64_t least = knob.name == "linked-batch-size" ? 0 : 1;
          check(
              right && settings.*member >= least,
              "a whole number, at least " + std::to_string(least));
        }
      },
      knob.member);
}

std::map<std::string, std::string> describe(const Settings& settings) {
  std::map<std::string, std::string> all;
  for (const Knob& knob : knobs()) {
    all[knob.name] = value_of(settings, knob);
  }
  return all;
}

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> all = make_experiments();
  return all;
}

const Experiment& find_experiment(const std::string& name) {
  Names names;
  for (const Experiment& experiment : experiments()) {
    if (experiment.name == name) {
      return experiment;
    }
    names.push_back(experiment.name);
  }
  throw UsageError("unknown experiment '" + name + "'; there are " + joined(names));
}

std::vector<Variant> variants(
    const Experiment& experiment, const std::map<std::string, std::string>& overrides) {
  Settings settings = experiment.settings;
  for (const auto& [name, value] : overrides) {
    set(settings, find_knob(name), value);
    if (name == "batch-size" && overrides.count("linked-batch-size") == 0) {
      settings.linked_batch_size = 0;
    }
  }
  if (experiment.knob.empty()) {
    return {{"default", settings}};
  }
  std::vector<Variant> all;
  const Knob& knob = find_knob(experiment.knob);
  const auto chosen = overrides.find(knob.name);
  for (const std::string& value :
       chosen == overrides.end() ? experiment.values : Names{chosen->second}) {
    Variant variant{"", settings};
    set(variant.settings, knob, value);
    if (const auto more = experiment.more.find(value); more != experiment.more.end()) {
      for (const auto& [name, own] : more->second) {
        if (overrides.count(name) == 0) {
          set(variant.settings, find_knob(name), own);
        }
      }
    }
    // The canonical spelling: 0.010 is lr-0.01.
    const std::string canonical = value_of(variant.settings, knob);
    if (knob.name == "batch-norm") {
      variant.name = variant.settings.batch_norm ? "bn" : "no-bn";
    } else if (knob.name == "stream") {
      variant.name = canonical;
    } else {
      // The article's network "width" has no other name for its filters.
      variant.name = (knob.name == "filters" ? "width" : knob.name) + "-" + canonical;
    }
    // What else makes other experiments of the same name.
    if (variant.settings.optimizer != experiment.settings.optimizer) {
      variant.name = variant.settings.optimizer + "-" + variant.name;
    }
    all.push_back(variant);
  }
  return all;
}

double schedule_factor(const std::string& schedule, std::int64_t epoch) {
  if (schedule == "constant") {
    return 1;
  }
  struct Step {
    std::int64_t until;
    double factor;
  };
  for (const Step& step : {Step{500, 1}, Step{2000, 0.75}, Step{2350, 0.5}, Step{2750, 0.1}}) {
    if (epoch <= step.until) {
      return step.factor;
    }
  }
  return 0.05;
}

} // namespace article
