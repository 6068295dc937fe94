#pragma once

// What is kept of a run: which run it is, and its epochs.

#include <cstdint>
#include <string>

namespace article {

/// One finished epoch.
struct Epoch {
  int number = 0;                        ///< From 1.
  double loss = 0, accuracy = 0;         ///< Training, averages over the epoch.
  double val_loss = 0, val_accuracy = 0; ///< Validation.
  double seconds = 0;                    ///< Training time of the epoch.
  std::int64_t dead_units = 0;           ///< activations.h says what is counted.
};

/// What tells one run from another; its folder is
/// <out>/<experiment>/<variant>/<activation>/seed-<seed>/.
struct RunKey {
  std::string experiment; ///< "depth"
  std::string variant;    ///< "width-50", "offset-10"; empty means "default".
  std::string activation; ///< "lk_relu", "relu_sqrt2", "bn_relu"
  std::string dataset;    ///< "fashion_mnist"
  int seed = 100;
};

} // namespace article
