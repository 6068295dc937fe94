// The layers alone, against their composed expressions and LibTorch's own activations:
//
//   layer/<activation>/<variant>/<pass>/<type>/<format>/<shape>
//
// `benchmark_layers --benchmark_filter='lk_relu/.*/fp32/nhwc'`; README.md beside this file says
// more.

#include "implementations.h"
#include "runner.h"

#include <ATen/ops/randn_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>

namespace benchmarks {
namespace {

enum class Pass { forward, backward, both, replayed };

struct Named {
  const char* name;
  Pass pass;
};
constexpr std::array<Named, 4> kPasses = {
    {{"forward", Pass::forward},
     {"backward", Pass::backward},
     {"forward_backward", Pass::both},
     {"forward_backward_graph", Pass::replayed}}}; // as one CUDA graph

struct ElementType {
  const char* name;
  at::ScalarType type;
};
constexpr std::array<ElementType, 3> kTypes = {
    {{"fp32", at::kFloat}, {"bf16", at::kBFloat16}, {"fp16", at::kHalf}}};

struct Shape {
  std::vector<std::int64_t> sizes;
  /// Part of the list without a filter, on the CPU and on CUDA.
  bool brief_cpu;
  bool brief_cuda;
};

/// Batch x channels x height x width, or batch x features.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {{1, 16, 8, 8}, false, false},
      {{8, 16, 28, 28}, false, false},
      {{8, 64, 28, 28}, true, false},
      {{128, 256, 14, 14}, false, true},
      {{32, 64, 56, 56}, true, false},
      {{32, 128, 28, 28}, false, false},
      {{32, 256, 28, 28}, false, false},
      {{16, 512, 14, 14}, false, false},
      {{8192, 4096}, false, false},
      {{256, 64, 56, 56}, false, true},
  };
  return all;
}

/// Bytes that backward keeps beyond the layer's output, which the next layer holds anyway. The
/// input counts if it is kept: the layer before has no use for its own output, as a rule.
std::int64_t kept_bytes(const Implementation& implementation, const Inputs& inputs) {
  const MemoryCounter counter(inputs.x.device().type());
  at::Tensor y;
  {
    Inputs own = inputs;
    own.x = inputs.x.clone();
    y = implementation.run(own);
  }
  return counter.live() - static_cast<std::int64_t>(y.nbytes());
}

void run(
    benchmark::State& state,
    Session& session,
    const Implementation& implementation,
    const Inputs& inputs,
    Pass pass) {
  using torch::autograd::grad;
  const auto forward = [&] { return implementation.run(inputs); };
  const auto leaves = inputs.leaves();
  const at::Tensor y = forward();
  const at::Tensor grad_y = at::randn_like(y);

  Call call;
  switch (pass) {
  case Pass::forward:
    call = [&] { return std::vector<at::Tensor>{forward()}; };
    break;
  case Pass::backward:
    // Of one graph, made before and retained: the same kernels as in a training step, and no
    // forward pass in between to decide what is in the caches.
    call = [&] { return grad({y}, leaves, {grad_y}, true, false, true); };
    break;
  case Pass::both:
  case Pass::replayed:
    call = [&] { return grad({forward()}, leaves, {grad_y}, false, false, true); };
    break;
  }

  {
    const MemoryCounter counter(session.device.type());
    call();
    state.counters["allocated_bytes"] = static_cast<double>(counter.allocated());
  }
  state.counters["kept_bytes"] = static_cast<double>(kept_bytes(implementation, inputs));
  const std::int64_t floor = (pass != Pass::backward ? implementation.floor.forward(inputs.x) : 0) +
                             (pass != Pass::forward ? implementation.floor.backward(inputs.x) : 0);
  const double seconds = session.measure(state, pass == Pass::replayed ? captured(call) : call);
  state.counters["floor_bytes"] = static_cast<double>(floor);
  state.counters["copy_percent"] = 100 * session.clock.copy_seconds(floor) / seconds;
}

/// The inputs of the case at hand: implementations follow each other, and share them.
const Inputs& shared_inputs(
    const std::vector<std::int64_t>& sizes,
    at::ScalarType type,
    at::MemoryFormat format,
    at::Device device) {
  static Inputs inputs;
  if (!inputs.are(sizes, type, format)) {
    inputs = {}; // frees the last ones first
    inputs = make_inputs(sizes, type, format, device);
  }
  return inputs;
}

/// Every pass and implementation of one shape, type and format; implementations beside each other,
/// for fairness on a machine whose speed changes from minute to minute.
void append_cases(
    std::vector<Case>& cases,
    const std::vector<std::int64_t>& sizes,
    const ElementType& type,
    at::MemoryFormat format,
    at::Device device,
    bool linked_only,
    bool brief) {
  const char* layout = sizes.size() == 2                        ? "nc"
                       : format == at::MemoryFormat::Contiguous ? "nchw"
                                                                : "nhwc";
  for (const auto& [pass_name, pass] : kPasses) {
    if (pass == Pass::replayed && !device.is_cuda()) {
      continue;
    }
    for (const Implementation& implementation : implementations()) {
      if (linked_only && !implementation.linked) {
        continue;
      }
      for (const bool bias : {false, true}) {
        if (bias && !implementation.linked) {
          continue;
        }
        std::string name = std::string("layer/") + implementation.activation + "/" +
                           implementation.variant + (bias ? "_bias/" : "/") + pass_name + "/" +
                           type.name + "/" + layout + "/" + shape_name(sizes);
        const auto body = [sizes, type, format, bias, pass = pass, &implementation](
                              benchmark::State& state, Session& session) {
          Inputs inputs = shared_inputs(sizes, type.type, format, session.device);
          if (!bias) {
            inputs.bias = at::Tensor();
          }
          run(state, session, implementation, inputs, pass);
        };
        cases.push_back({std::move(name), brief && !bias && pass != Pass::backward, body});
      }
    }
  }
}

std::vector<Case> make_cases(at::Device device) {
  std::vector<Case> cases;
  for (const Shape& shape : shapes()) {
    const bool brief = device.is_cuda() ? shape.brief_cuda : shape.brief_cpu;
    auto half = shape.sizes;
    half[1] /= 2;
    for (const ElementType& type : kTypes) {
      for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        if (shape.sizes.size() == 2 && format == at::MemoryFormat::ChannelsLast) {
          continue;
        }
        const bool listed = brief && type.type == at::kFloat;
        append_cases(cases, shape.sizes, type, format, device, false, listed);
        // Half the channels: as wide as the others at the output.
        append_cases(cases, half, type, format, device, true, listed);
      }
    }
  }
  return cases;
}

} // namespace
} // namespace benchmarks

int main(int argc, char** argv) {
  return benchmarks::run_cases(argc, argv, benchmark::kMicrosecond, benchmarks::make_cases);
}
