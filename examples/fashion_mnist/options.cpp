#include "options.h"

#include "../common/usage_error.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <regex>
#include <stdexcept>

namespace fashion_mnist {
namespace {

/// A value that does not fit; the message says what was expected.
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

std::int64_t whole_number(
    const std::string& text, std::int64_t least, std::int64_t most = no_limit) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value < least || value > most) {
    throw BadValue(
        "a whole number" +
        (most == no_limit ? ", at least " + std::to_string(least)
                          : " from " + std::to_string(least) + " to " + std::to_string(most)));
  }
  return value;
}

/// Whether there is such a device is asked later, of LibTorch.
std::string device(const std::string& text) {
  static const std::regex known("cpu|cuda(:(0|[1-9][0-9]?))?");
  if (!std::regex_match(text, known)) {
    throw BadValue("cpu, cuda or cuda:N");
  }
  return text;
}

struct Option {
  const char* name;
  const char* argument;
  const char* help;
  void (*set)(Options& options, const std::string& value);
};

const Option all_options[] = {
    {"data-dir",
     "FOLDER",
     "where the four files are (default: searched for)",
     [](Options& o, const std::string& value) { o.data_dir = value; }},
    {"device",
     "DEVICE",
     "cpu, cuda or cuda:N (default: cuda if there is one)",
     [](Options& o, const std::string& value) { o.device = device(value); }},
    {"epochs",
     "N",
     "how often each image is shown (default: 2)",
     [](Options& o, const std::string& value) { o.epochs = whole_number(value, 1); }},
    {"batch-size",
     "N",
     "images a step (default: 100)",
     [](Options& o, const std::string& value) { o.batch_size = whole_number(value, 1); }},
    {"seed",
     "N",
     "of the weights and of the images' order (default: 1)",
     [](Options& o, const std::string& value) { o.seed = whole_number(value, 0); }},
    {"threads",
     "N",
     "of the CPU (default: 2, since the network is too small for more)",
     [](Options& o, const std::string& value) { o.threads = whole_number(value, 1, 1024); }},
    {"train-images",
     "N",
     "train on the first N images alone (default: all)",
     [](Options& o, const std::string& value) { o.train_images = whole_number(value, 1); }},
};

/// data-dir is LINKED_NEURONS_DATA_DIR in the environment.
std::string environment_name(const Option& option) {
  std::string name = std::string("LINKED_NEURONS_") + option.name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return name;
}

/// `source` is the option or the environment variable that the value came from.
void set(
    Options& options, const Option& option, const std::string& source, const std::string& value) {
  try {
    option.set(options, value);
  } catch (const BadValue& expected) {
    throw examples::UsageError(source + ": expected " + expected.what() + ", got '" + value + "'");
  }
}

const Option& find(const std::string& argument) {
  std::string names;
  for (const Option& option : all_options) {
    if (argument == std::string("--") + option.name) {
      return option;
    }
    names += std::string("--") + option.name + ", ";
  }
  throw examples::UsageError("unknown option '" + argument + "'; there are " + names + "--help");
}

} // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    // Asked for help, the program gives it, whatever else is wrong.
    if (argv[i] == std::string("--help") || argv[i] == std::string("-h")) {
      options.help = true;
      return options;
    }
  }
  for (const Option& option : all_options) {
    const std::string name = environment_name(option);
    const char* const value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') {
      set(options, option, name, value);
    }
  }
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const Option& option = find(name);
    if (equals == std::string::npos && i + 1 == argc) {
      throw examples::UsageError(name + " needs a value");
    }
    set(options,
        option,
        name,
        equals == std::string::npos ? argv[++i] : argument.substr(equals + 1));
  }
  return options;
}

std::string usage() {
  std::string text =
      "Usage: fashion_mnist [options]\n"
      "Trains one small network on Fashion-MNIST, once for each activation, and compares them.\n\n"
      "Each option is an environment variable too; the option wins.\n";
  for (const Option& option : all_options) {
    std::string line = std::string("  --") + option.name + " " + option.argument;
    line.resize(std::max<std::size_t>(line.size(), 24), ' ');
    text +=
        line + " " + option.help + "\n" + std::string(25, ' ') + environment_name(option) + "\n";
  }
  return text + "  --help                 this text\n";
}

} // namespace fashion_mnist
