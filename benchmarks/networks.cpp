// One training step of whole networks: forward, loss, backward, SGD:
//
//   network/<network>/<activation>/<filters>/<variant>/<type>/<format>/<mode>/<batch>
//
// `benchmark_networks --benchmark_filter='allcnn/lk_relu'`; README.md beside this file says more.

#include "network.h"
#include "runner.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <torch/optim/sgd.h>

#include <memory>

namespace benchmarks {
namespace {

struct Setting {
  const char* name; ///< type and format, as the case is named
  bool autocast;    ///< to bfloat16, on CUDA
  at::MemoryFormat format;
};

/// Casts to bfloat16 on CUDA while it lives. Without the cache, which pays only where a weight is
/// used twice, and has no place in a graph.
struct Autocast {
  Autocast() {
    at::autocast::set_autocast_cache_enabled(false);
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCUDA, true);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  }
};

/// One network in training on one batch, over and over.
class Training {
 public:
  Training(
      torch::nn::Sequential network,
      const Setting& setting,
      at::IntArrayRef batch,
      at::Device device)
      : network_(std::move(network)), autocast_(setting.autocast),
        images_(at::randn(batch, device).contiguous(setting.format)),
        labels_(at::randint(10, {batch[0]}, at::TensorOptions(at::kLong).device(device))),
        optimizer_(moved(setting.format, device), torch::optim::SGDOptions(1e-3)) {}

  at::Tensor step() {
    optimizer_.zero_grad();
    at::Tensor loss = at::cross_entropy_loss(scores(), labels_);
    loss.backward();
    optimizer_.step();
    return loss.detach();
  }

 private:
  std::vector<at::Tensor> moved(at::MemoryFormat format, at::Device device) {
    network_->to(device);
    auto parameters = network_->parameters();
    for (auto& parameter : parameters) {
      if (parameter.dim() == 4) {
        parameter.set_data(parameter.contiguous(format));
      }
    }
    return parameters;
  }

  at::Tensor scores() {
    if (!autocast_) {
      return network_->forward(images_);
    }
    const Autocast guard;
    return network_->forward(images_).to(at::kFloat);
  }

  torch::nn::Sequential network_;
  bool autocast_;
  at::Tensor images_;
  at::Tensor labels_;
  torch::optim::SGD optimizer_;
};

void run(
    benchmark::State& state,
    Session& session,
    const std::function<torch::nn::Sequential()>& make_network,
    const Setting& setting,
    at::IntArrayRef batch,
    bool graph) {
  std::shared_ptr<Training> training;
  Call step = [&] { return std::vector<at::Tensor>{training->step()}; };
  {
    // The whole life of a training: parameters, and two steps, since the second one begins with the
    // first one's gradients.
    const MemoryCounter counter(session.device.type());
    training = std::make_shared<Training>(make_network(), setting, batch, session.device);
    if (graph) {
      step = captured(step); // which takes some steps, too
    } else {
      step();
      step();
    }
    state.counters["peak_MiB"] = static_cast<double>(counter.peak()) / (1 << 20);
  }
  session.measure(state, step);
}

void append_case(
    std::vector<Case>& cases,
    const Network& network,
    const Activation& activation,
    Filters filters,
    const Setting& setting,
    at::IntArrayRef batch,
    bool graph,
    bool brief) {
  std::string name = std::string("network/") + network.name + "/" + activation.name + "/" +
                     (filters == Filters::full ? "full/" : "half/") + activation.variant + "/" +
                     setting.name + (graph ? "/graph/" : "/eager/") + shape_name(batch);
  const auto body = [=, &network, batch = batch.vec()](benchmark::State& state, Session& session) {
    const auto make = [&] { return network.make(activation, filters, batch); };
    run(state, session, make, setting, batch, graph);
  };
  cases.push_back({std::move(name), brief, body});
}

/// Activations beside each other, for fairness on a machine whose speed changes from minute to
/// minute.
std::vector<Case> make_cases(at::Device device) {
  const std::vector<Setting> settings =
      device.is_cuda()
          ? std::vector<
                Setting>{{"bf16/nhwc", true, at::MemoryFormat::ChannelsLast}, {"tf32/nchw", false, at::MemoryFormat::Contiguous}}
          : std::vector<Setting>{
                {"fp32/nhwc", false, at::MemoryFormat::ChannelsLast},
                {"fp32/nchw", false, at::MemoryFormat::Contiguous}};
  const std::vector<bool> modes =
      device.is_cuda() ? std::vector<bool>{false, true} : std::vector<bool>{false};
  std::vector<Case> cases;
  for (const Network& network : networks()) {
    for (const Setting& setting : settings) {
      for (const bool graph : modes) {
        for (const Activation& activation : activations()) {
          const bool reference = activation.name == "bn_relu";
          if (activation.normalise && !reference && !network.normalises_all) {
            continue;
          }
          for (const auto filters : {Filters::full, Filters::half}) {
            if (filters == Filters::half && activation.expansion == 1) {
              continue;
            }
            const bool brief = &setting == &settings.front() && !graph &&
                               (reference || !activation.normalise) &&
                               (filters == Filters::half || activation.expansion == 1);
            append_case(
                cases,
                network,
                activation,
                filters,
                setting,
                device.is_cuda() ? network.batch_cuda : network.batch_cpu,
                graph,
                brief);
          }
        }
      }
    }
  }
  return cases;
}

} // namespace
} // namespace benchmarks

int main(int argc, char** argv) {
  if (at::hasCUDA()) {
    // The fastest algorithm for each convolution, and TF32 where nothing narrower is asked for.
    at::globalContext().setBenchmarkCuDNN(true);
    at::globalContext().setAllowTF32CuBLAS(true);
  }
  return benchmarks::run_cases(argc, argv, benchmark::kMillisecond, benchmarks::make_cases);
}
