// The layers where something in the thread is given LibTorch's operators before their kernels are,
// although the tensors are plain: each layer in each such way of running, forward and backward.
//
// (Python's ways: tests/modes/; functorch's transforms: derivatives_test.cpp.)
#include "every_layer.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/library.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

namespace tests {
namespace {

using Function = std::function<Tensor(const Tensor&)>;

/// What a function gave, and the operators that were seen meanwhile.
struct Ran {
  Tensor result;
  std::vector<std::string> seen;
};

/// A way of running: the function is run on `example`, and what was recorded then on `x`, where
/// something is recorded.
struct Way {
  const char* name;
  Ran (*run)(const Function& function, const Tensor& example, const Tensor& x);
};

Ran run_traced(const Function& function, const Tensor& example, const Tensor& x) {
  namespace tracer = torch::jit::tracer;
  const auto name_of_variable = [](const Tensor& /*variable*/) { return std::string(); };
  const auto [state, outputs] = tracer::trace(
      {example},
      [&](torch::jit::Stack inputs) { return torch::jit::Stack{function(inputs[0].toTensor())}; },
      name_of_variable);
  Ran ran;
  for (const auto* node : state->graph->nodes()) {
    ran.seen.emplace_back(node->kind().toQualString());
  }
  torch::jit::GraphFunction recorded("recorded", state->graph, nullptr);
  ran.result = recorded({x}).toTensor();
  return ran;
}

// A mode such as Python's, of which C++ has none: LibTorch keeps a dispatch key for it.
constexpr auto kMode = c10::DispatchKey::TESTING_ONLY_GenericMode;
std::vector<std::string> seen_by_mode;

void run_in_mode(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  seen_by_mode.push_back(op.schema().name());
  const c10::impl::ExcludeDispatchKeyGuard below(kMode);
  op.callBoxed(stack);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_in_mode>());
}

Ran run_seen(const Function& function, const Tensor& /*example*/, const Tensor& x) {
  seen_by_mode.clear();
  const c10::impl::IncludeDispatchKeyGuard mode(kMode);
  const Tensor result = function(x);
  return {result, seen_by_mode};
}

const Way kWays[] = {{"traced", run_traced}, {"in_a_mode", run_seen}};

class EveryLayerAndWay : public testing::TestWithParam<std::tuple<Layer, Way>> {
 protected:
  const Layer& layer = std::get<0>(GetParam());

  /// Runs a function in this way, which must see operators that compute, not only memory taken.
  Tensor run(const Function& function, const Tensor& example, const Tensor& x) const {
    const auto [result, seen] = std::get<1>(GetParam()).run(function, example, x);
    const auto saw = [&seen = seen](const char* name) {
      return std::find(seen.begin(), seen.end(), name) != seen.end();
    };
    EXPECT_FALSE(seen.empty());
    EXPECT_FALSE(saw("aten::empty_strided"));
    return result;
  }

  static void expect_close(const Tensor& ours, const Tensor& theirs) {
    expect_within(ours, theirs, theirs.abs() * 1e-12 + 1e-12, "");
  }
};

INSTANTIATE_TEST_SUITE_P(
    ,
    EveryLayerAndWay,
    testing::Combine(testing::ValuesIn(kEveryLayer), testing::ValuesIn(kWays)),
    [](const auto& info) {
      return std::get<0>(info.param).label() + "_" + std::get<1>(info.param).name;
    });

TEST_P(EveryLayerAndWay, RunsForward) {
  const Tensor example = torch::randn({2, 3, 4}, at::kDouble);
  const Tensor x = torch::randn({5, 3, 4}, at::kDouble);
  for (const std::int64_t dim : {1, -1}) {
    const auto parameters = layer.parameters(x, dim, at::kDouble);
    const auto fused = [&](const Tensor& input) { return layer.fused(input, parameters, dim); };
    expect_close(run(fused, example, x), layer.composed(x, parameters, dim));
  }
}

TEST_P(EveryLayerAndWay, RunsForwardAndBackward) {
  const Tensor x = torch::randn({2, 3, 4}, at::kDouble);
  const Tensor arriving = torch::randn({2, 6, 4}, at::kDouble);
  const auto parameters = layer.parameters(x, 1, at::kDouble);
  const auto gradient_of = [&](const auto& function) -> Function {
    return [&](const Tensor& input) {
      const Tensor leaf = input.detach().requires_grad_();
      return torch::autograd::grad({function(leaf, parameters, 1)}, {leaf}, {arriving})[0];
    };
  };
  // A tracer records what is called, and autograd's own calls are not.
  if (std::string(std::get<1>(GetParam()).name) != "traced") {
    expect_close(run(gradient_of(layer.fused), x, x), gradient_of(layer.composed)(x));
  }
}

TEST_P(EveryLayerAndWay, RunsBackwardOfAnEagerForward) {
  const auto options = at::TensorOptions(at::kDouble).requires_grad(true);
  const Tensor x = torch::randn({2, 3, 4}, options);
  const auto parameters = layer.parameters(x, 1, options);
  const auto leaves = layer.leaves(x, parameters);
  const auto gradients = [&](const Tensor& y) -> Function {
    return [&leaves, y](const Tensor& arriving) {
      std::vector<Tensor> all;
      for (const Tensor& each : torch::autograd::grad({y}, leaves, {arriving}, true)) {
        all.push_back(each.reshape({-1}));
      }
      return at::cat(all);
    };
  };
  const Tensor example = torch::randn({2, 6, 4}, at::kDouble);
  const Tensor arriving = torch::randn({2, 6, 4}, at::kDouble);
  const Tensor expected = gradients(layer.composed(x, parameters, 1))(arriving);
  try {
    expect_close(run(gradients(layer.fused(x, parameters, 1)), example, arriving), expected);
  } catch (const std::exception& error) {
    // Nor does the tracer take what LibTorch's own nodes saved.
    const std::string message = error.what();
    EXPECT_NE(message.find("Cannot insert a Tensor that requires grad"), std::string::npos)
        << message;
  }
}

TEST_P(EveryLayer, MakesNoNodeBelowAutograd) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 3}).requires_grad_();
  const auto parameters = layer.parameters(x, 1);
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  EXPECT_FALSE(layer.composed(x, parameters, 1).requires_grad());
  const Tensor y = layer.fused(x, parameters, 1);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_TRUE(y.allclose(layer.composed(x, parameters, 1), 1e-5, 1e-5));
}

} // namespace
} // namespace tests
