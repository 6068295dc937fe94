#include "trainer.h"

#include "../common/usage_error.h"
#include "tasks.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/zeros.h>
#include <torch/cuda.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace article {
namespace {

std::vector<ActivationLayer> find_activations(const Network& network) {
  std::vector<ActivationLayer> all;
  for (const auto& module : network->modules()) {
    if (auto layer = std::dynamic_pointer_cast<ActivationLayerImpl>(module)) {
      all.emplace_back(std::move(layer));
    }
  }
  return all;
}

Settings adapted(Settings settings, const Activation& activation) {
  if (activation.expansion > 1 && settings.linked_batch_size > 0) {
    settings.batch_size = settings.linked_batch_size;
  }
  return settings;
}

/// The same weights on every device.
Network seeded_network(const Training& training, const Dataset& data) {
  torch::manual_seed(static_cast<std::uint64_t>(training.seed));
  Network network = make_network(training.settings, training.activation, data.image_sizes());
  network->to(data.train.pixels.device());
  return network;
}

/// Adds the sum of the losses and the number of hits to `sums`; returns the former.
at::Tensor evaluate(
    Network& network,
    const Images& images,
    const at::Tensor& pixels,
    double offset,
    at::Tensor& sums) {
  namespace F = torch::nn::functional;
  const at::Tensor scores = network->forward(to_numbers(pixels, offset));
  at::Tensor loss =
      F::cross_entropy(scores, images.labels, F::CrossEntropyFuncOptions().reduction(torch::kSum));
  const torch::NoGradGuard guard;
  sums[0] += loss.detach();
  sums[1] += scores.argmax(1).eq(images.labels).sum();
  return loss;
}

/// Where the images of a task are put.
Images task_images(const Settings& settings, const Images& all) {
  if (settings.task_images > all.count()) {
    throw examples::UsageError(
        "--task-images: expected at most " + std::to_string(all.count()) +
        ", as many as there are, got " + std::to_string(settings.task_images));
  }
  return all.some(settings.task_images);
}

void wait_for(const c10::Device& device) {
  if (device.is_cuda()) {
    torch::cuda::synchronize(device.index());
  }
}

} // namespace

Trainer::Trainer(const Training& training, const Dataset& data, const AlignedVector& group)
    : training_(training), data_(data), group_(group), device_(data.train.pixels.device()),
      network_(seeded_network(training, data)), activations_(find_activations(network_)),
      parameters_(*network_), optimizer_(training.settings, parameters_),
      sums_(at::zeros({2}, parameters_.values.options().dtype(at::kDouble))) {
  training_.settings = adapted(training.settings, training.activation);
  if (training.settings.has_tasks()) {
    shown_ = task_images(training.settings, data.train);
  } else {
    shown_ = data.train;
  }
  training_.settings.batch_size = std::min(training_.settings.batch_size, shown_.count());
  // Repeatable, before fast.
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
}

std::int64_t Trainer::steps_per_round() const {
  const std::int64_t size = training_.settings.batch_size;
  return (shown_.count() + size - 1) / size *
         (training_.settings.has_tasks() ? training_.settings.epochs : 1);
}

/// One column for each image in the epoch's order: its index and, with augmentation, its moves.
at::Tensor Trainer::draw_plan(int epoch) const {
  // The generator of the CPU takes 32 bits of a seed.
  const auto seed =
      static_cast<std::uint64_t>(training_.seed) * 1000003 + static_cast<std::uint64_t>(epoch);
  torch::manual_seed(seed);
  const std::int64_t count = shown_.count();
  const auto options = shown_.labels.options();
  at::Tensor plan =
      (training_.settings.shuffle ? at::randperm(count, options) : at::arange(count, options))
          .unsqueeze(0);
  if (training_.settings.augment) {
    plan = at::cat({plan, draw_moves(count, shown_)});
  }
  // What is drawn from here on (dropout) is each process's own.
  constexpr std::uint64_t apart = 2654435761;
  torch::manual_seed(seed + apart * static_cast<std::uint64_t>(group_.rank));
  return plan;
}

void Trainer::compute_gradients(const at::Tensor& plan, std::int64_t batch_size) {
  parameters_.gradients.zero_();
  if (plan.size(1) == 0) {
    return; // more processes than images in the last batch
  }
  const Images images{
      shown_.pixels.index_select(0, plan[0]), shown_.labels.index_select(0, plan[0])};
  const at::Tensor pixels = training_.settings.augment
                                ? moved(images.pixels, plan.narrow(0, 1, plan.size(0) - 1))
                                : images.pixels;
  const at::Tensor loss = evaluate(network_, images, pixels, training_.settings.offset, sums_);
  (loss / batch_size).backward();
}

std::vector<at::Tensor> Trainer::kept() const {
  std::vector<at::Tensor> all = {parameters_.values};
  all.insert(all.end(), optimizer_.state.begin(), optimizer_.state.end());
  for (const at::Tensor& buffer : network_->buffers()) {
    all.push_back(buffer);
  }
  return all;
}

void Trainer::capture() {
  const std::int64_t batch_size = training_.settings.batch_size;
  const std::int64_t count = group_.share(batch_size).second;
  if (graph_ || !training_.graph || !Graph::possible(device_) || count == 0) {
    return;
  }
  // What rehearsals change beside the gradients: what batch normalisation keeps, and the sums.
  const torch::NoGradGuard guard;
  std::vector<at::Tensor> changed = network_->buffers();
  std::vector<at::Tensor> before;
  before.reserve(changed.size());
  for (const at::Tensor& buffer : changed) {
    before.push_back(buffer.clone());
  }
  captured_plan_ = at::zeros({training_.settings.augment ? 4 : 1, count}, shown_.labels.options());
  graph_ = std::make_unique<Graph>(device_, [&] {
    const torch::AutoGradMode differentiate(true);
    compute_gradients(captured_plan_, batch_size);
  });
  for (std::size_t i = 0; i < changed.size(); ++i) {
    changed[i].copy_(before[i]);
  }
}

void Trainer::step(const at::Tensor& plan, double factor) {
  const auto [begin, count] = group_.share(plan.size(1));
  const at::Tensor own = plan.narrow(1, begin, count);
  if (graph_ && plan.size(1) == training_.settings.batch_size) {
    captured_plan_.copy_(own);
    graph_->replay();
  } else {
    compute_gradients(own, plan.size(1));
  }
  group_.sum(parameters_.gradients);
  optimizer_.step(factor);
}

Epoch Trainer::train_epoch(int number, double factor, const Report& report) {
  const at::Tensor plan = draw_plan(number);
  const std::int64_t total = plan.size(1);
  const std::int64_t batch_size = training_.settings.batch_size;
  sums_.zero_();
  std::int64_t done = 0;
  const auto averages = [&] {
    const at::Tensor sums = sums_.cpu() * group_.size / done;
    return Averages{sums[0].item<double>(), sums[1].item<double>()};
  };
  wait_for(device_);
  const auto start = std::chrono::steady_clock::now();
  while (done < total) {
    const std::int64_t count = std::min(batch_size, total - done);
    step(plan.narrow(1, done, count), factor);
    done += count;
    report(static_cast<double>(done) / static_cast<double>(total), averages);
  }
  wait_for(device_);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;

  group_.sum(sums_);
  const at::Tensor sums = sums_.cpu() / total;
  Epoch epoch;
  epoch.number = number;
  epoch.loss = sums[0].item<double>();
  epoch.accuracy = sums[1].item<double>();
  epoch.seconds = taken.count();
  return epoch;
}

Epoch Trainer::run_epoch(int number, const Report& report) {
  network_->train();
  capture(); // draws random numbers, so before the epoch's seed
  Epoch epoch = train_epoch(number, schedule_factor(training_.settings.schedule, number), report);
  if (number == 1) {
    settle_averages();
  }
  average_buffers();
  validate(epoch);
  return epoch;
}

Epoch Trainer::run_task(int number, const Report& report) {
  network_->train();
  capture();
  draw_task(training_.settings, training_.seed, number, data_.train, shown_);
  const auto epochs = static_cast<int>(training_.settings.epochs);
  Epoch task;
  double seconds = 0;
  for (int i = 0; i < epochs; ++i) {
    task = train_epoch((number - 1) * epochs + i + 1, 1, [&](double done, const auto& averages) {
      report((i + done) / epochs, averages);
    });
    seconds += task.seconds;
  }
  task.number = number;
  task.seconds = seconds;
  if (number == 1) {
    settle_averages();
  }
  average_buffers();
  examine(task);
  return task;
}

/// Takes out of the running averages what batch normalisation starts them with (mean 0, variance
/// 1): after few steps, as of a small share of the images, that would be most of them.
void Trainer::settle_averages() {
  const torch::NoGradGuard guard;
  const auto settle = [](auto* layer) {
    if (layer == nullptr) {
      return;
    }
    const auto steps = layer->num_batches_tracked.template item<double>();
    const double start = std::pow(1 - layer->options.momentum().value(), steps);
    if (start < 1) {
      layer->running_mean.div_(1 - start);
      layer->running_var.sub_(start).div_(1 - start);
    }
  };
  for (const auto& module : network_->modules()) {
    settle(module->as<torch::nn::BatchNorm1d>());
    settle(module->as<torch::nn::BatchNorm2d>());
  }
}

void Trainer::average_buffers() {
  const torch::NoGradGuard guard;
  std::vector<at::Tensor> buffers = network_->buffers();
  for (at::Tensor& buffer : buffers) {
    if (buffer.is_floating_point()) {
      group_.sum(buffer);
      buffer.div_(group_.size);
    }
  }
}

void Trainer::validate(Epoch& epoch) {
  const torch::NoGradGuard guard;
  network_->eval();
  for (ActivationLayer& layer : activations_) {
    layer->watch();
  }
  const auto [begin, count] = group_.share(data_.validation.count());
  sums_.zero_();
  constexpr std::int64_t batch_size = 500;
  for (std::int64_t done = 0; done < count; done += batch_size) {
    const std::int64_t size = std::min(batch_size, count - done);
    const Images images{
        data_.validation.pixels.narrow(0, begin + done, size),
        data_.validation.labels.narrow(0, begin + done, size)};
    evaluate(network_, images, images.pixels, training_.settings.offset, sums_);
  }
  std::vector<at::Tensor> alive;
  for (ActivationLayer& layer : activations_) {
    alive.push_back(layer->alive(device_).to(at::kDouble));
  }
  at::Tensor totals = at::cat({sums_, at::cat(alive)});
  group_.sum(totals);
  totals = totals.cpu();
  const auto images = static_cast<double>(data_.validation.count());
  epoch.val_loss = totals[0].item<double>() / images;
  epoch.val_accuracy = totals[1].item<double>() / images;
  epoch.dead_units = totals.slice(0, 2).eq(0).sum().item<std::int64_t>();
}

/// After a task: each process looks at all of its images, in one batch.
void Trainer::examine(Epoch& task) {
  const torch::NoGradGuard guard;
  network_->eval();
  for (ActivationLayer& layer : activations_) {
    layer->watch(/*keep=*/layer.get() == activations_.back().get());
  }
  network_->forward(to_numbers(shown_.pixels, training_.settings.offset));
  task.effective_rank = effective_rank(activations_.back()->take_output());
  for (ActivationLayer& layer : activations_) {
    task.dead_units += layer->alive(device_).logical_not().sum().item<std::int64_t>();
  }
  task.weight_norm = parameters_.values.norm().item<double>();
}

void Trainer::save(torch::serialize::OutputArchive& archive) const {
  archive.write("steps", c10::IValue(optimizer_.steps));
  std::size_t index = 0;
  for (const at::Tensor& tensor : kept()) {
    archive.write("tensor" + std::to_string(index++), tensor.cpu(), /*is_buffer=*/true);
  }
}

void Trainer::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard guard;
  c10::IValue steps;
  archive.read("steps", steps);
  optimizer_.steps = steps.toInt();
  std::size_t index = 0;
  for (const at::Tensor& tensor : kept()) {
    at::Tensor value;
    archive.read("tensor" + std::to_string(index++), value, /*is_buffer=*/true);
    TORCH_CHECK(
        value.sizes() == tensor.sizes(),
        "expected a tensor of sizes ",
        tensor.sizes(),
        ", got ",
        value.sizes());
    tensor.copy_(value);
  }
}

} // namespace article
