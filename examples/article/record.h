#pragma once

// What is kept of a run: which run it is, and its epochs, or its tasks.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace article {

/// One finished epoch; of a run through a stream of tasks, one finished task.
struct Epoch {
  int number = 0;                        ///< From 1.
  double loss = 0, accuracy = 0;         ///< Training, averages over the (task's last) epoch.
  double val_loss = 0, val_accuracy = 0; ///< Validation. A task has none.
  double seconds = 0;                    ///< Training time.
  std::int64_t dead_units = 0;           ///< activations.h says what is counted.
  double effective_rank = 0;             ///< Of the last hidden layer (tasks.h). Tasks only.
  double weight_norm = 0;                ///< Of all parameters, the root of their squares' sum.
};

/// A column of the file epochs.csv and a scalar of TensorBoard's.
struct EpochColumn {
  const char* name;
  std::variant<int Epoch::*, double Epoch::*, std::int64_t Epoch::*> member;
};

/// What is recorded of an epoch, and of a task.
inline const std::vector<EpochColumn> epoch_columns = {
    {"epoch", &Epoch::number},
    {"loss", &Epoch::loss},
    {"acc", &Epoch::accuracy},
    {"val_loss", &Epoch::val_loss},
    {"val_acc", &Epoch::val_accuracy},
    {"epoch_time", &Epoch::seconds},
    {"dead_units", &Epoch::dead_units}};
inline const std::vector<EpochColumn> task_columns = {
    {"task", &Epoch::number},
    {"loss", &Epoch::loss},
    {"acc", &Epoch::accuracy},
    {"task_time", &Epoch::seconds},
    {"dead_units", &Epoch::dead_units},
    {"effective_rank", &Epoch::effective_rank},
    {"weight_norm", &Epoch::weight_norm}};

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
