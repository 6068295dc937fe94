#pragma once

// What the program can be told, by options or by environment variables.

#include <cstdint>
#include <string>
#include <thread>

namespace fashion_mnist {

struct Options {
  std::string data_dir;          ///< Empty: the folder that the build fills.
  std::string device;            ///< Empty: CUDA if there is a device, else the CPU.
  std::int64_t epochs = 2;       ///< At least 1.
  std::int64_t batch_size = 100; ///< At least 1.
  std::int64_t seed = 1;         ///< At least 0.
  /// Of the CPU. The network is so small that a second thread saves a third of the time and others
  /// nothing; with fewer cores than threads these wait for each other.
  std::int64_t threads = std::thread::hardware_concurrency() > 1 ? 2 : 1;
  std::int64_t train_images = 0; ///< Only the first so many; 0: all.
  bool help = false;
};

/// Reads the environment, then the command line, which wins. Throws
/// examples::UsageError.
Options parse_options(int argc, const char* const* argv);

/// The text of --help.
std::string usage();

} // namespace fashion_mnist
