#pragma once

// One network in training.

#include "activations.h"
#include "data.h"
#include "experiments.h"
#include "graph.h"
#include "networks.h"
#include "optimizer.h"
#include "processes.h"
#include "record.h"

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace article {

/// What a run is trained with, and where.
struct Training {
  Settings settings;
  Activation activation;
  int seed = 100;
  bool graph = true; ///< Capture the step where that is possible.
};

/// Trains by the epoch or, through a stream of tasks, by the task. Everything random in an epoch
/// comes from the seed and the epoch's number, so that a training that is cut between epochs (or
/// tasks) and goes on ends as one that was not.
///
/// In several processes each takes its part of every batch and of the validation images. Batch
/// normalisation trains on the process's own part; what it keeps is averaged after each epoch.
class Trainer {
 public:
  /// Told after each step how much of the epoch is done (0 ... 1); it may ask for the averages of
  /// loss and accuracy so far (of this process), which waits for the device. What it throws ends
  /// the epoch.
  struct Averages {
    double loss = 0;
    double accuracy = 0;
  };
  using Report = std::function<void(double done, const std::function<Averages()>& averages)>;

  /// The data set is on the device.
  Trainer(const Training& training, const Dataset& data, const AlignedVector& group);

  /// Trains and validates. `number` counts from 1.
  Epoch run_epoch(int number, const Report& report);

  /// Trains on a task of the stream, for all of its epochs, and looks at the network then.
  Epoch run_task(int number, const Report& report);

  /// The one of the two that the settings ask for.
  Epoch run(int number, const Report& report) {
    return training_.settings.has_tasks() ? run_task(number, report) : run_epoch(number, report);
  }

  /// Of an epoch, or a task.
  std::int64_t steps_per_round() const;

  std::int64_t parameters() const {
    return parameters_.values.numel();
  }

  void save(torch::serialize::OutputArchive& archive) const;
  void load(torch::serialize::InputArchive& archive);

 private:
  at::Tensor draw_plan(int epoch) const;
  Epoch train_epoch(int number, double factor, const Report& report);
  void compute_gradients(const at::Tensor& plan, std::int64_t batch_size);
  void capture();
  void step(const at::Tensor& plan, double factor);
  void settle_averages();
  void average_buffers();
  void validate(Epoch& epoch);
  void examine(Epoch& task);
  /// Parameters, what the optimizer keeps, buffers: what makes the state after an epoch.
  std::vector<at::Tensor> kept() const;

  Training training_;
  Dataset data_;
  Images shown_; // what is trained on: all of them, or the task's
  AlignedVector group_;
  c10::Device device_;
  Network network_;
  std::vector<ActivationLayer> activations_;
  FlatParameters parameters_;
  Optimizer optimizer_;
  at::Tensor sums_; // of loss and hits in this epoch, doubles
  at::Tensor captured_plan_;
  std::unique_ptr<Graph> graph_;
};

} // namespace article
