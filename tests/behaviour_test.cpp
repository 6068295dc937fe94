// The layers among LibTorch's own mechanisms: what backward keeps alive, changes in place, grad
// modes, double backward, autocast, other devices, transforms.
#include "every_layer.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/forward_grad.h>
#include <torch/version.h>

// From 2.x on functorch's headers ask for a library that LibTorch does not bring.
#if TORCH_VERSION_MAJOR < 2 || __has_include(<nlohmann/json.hpp>)
#define TESTS_HAVE_FUNCTORCH
#include <ATen/functorch/BatchedTensorImpl.h>
#include <ATen/functorch/DynamicLayer.h>
#include <ATen/functorch/TensorWrapper.h>
#endif

namespace tests {
namespace {

using torch::autograd::grad;

TESTS_FOR_EVERY_LAYER(EveryLayer);

/// Tells whether a tensor's memory is still there, without keeping it.
class Watch {
 public:
  explicit Watch(const Tensor& tensor) : storage_(tensor.storage().getWeakStorageImpl()) {}

  bool is_freed() const {
    return storage_.expired();
  }

 private:
  c10::weak_intrusive_ptr<c10::StorageImpl> storage_;
};

TEST_P(EveryLayer, KeepsNoMoreThanItSays) {
  const Layer& layer = GetParam();
  const bool keeps_input = layer.saved == ln::Saved::input;
  for (const bool slopes_differentiated : {false, true}) {
    const bool keeps_output =
        layer.saved == ln::Saved::output || (layer.has_slopes && slopes_differentiated);
    const Tensor leaf = torch::randn({4, 8, 16, 16}).requires_grad_();
    const Parameters parameters =
        layer.parameters(leaf, 1, at::TensorOptions().requires_grad(slopes_differentiated));
    // No leaf, so that nobody but the layer may keep it.
    Tensor x = leaf * 1;
    const Watch input(x);
    Tensor y = layer.fused(x, parameters, 1);
    x.reset();
    EXPECT_EQ(input.is_freed(), !keeps_input);

    std::size_t bytes_beside_output = 0;
    for (const Tensor& kept : layer.kept_by(y)) {
      if (kept.defined() && !kept.is_alias_of(y)) {
        bytes_beside_output += kept.nbytes();
      }
    }
    const std::size_t sign_bytes = layer.saved == ln::Saved::signs ? leaf.numel() / 4 : 0;
    const std::size_t slope_bytes = layer.has_slopes ? 2 * sizeof(float) : 0;
    const std::size_t input_bytes = keeps_input ? leaf.nbytes() : 0;
    const std::size_t bias_bytes = layer.has_bias ? 8 * sizeof(float) : 0;
    EXPECT_EQ(bytes_beside_output, sign_bytes + slope_bytes + bias_bytes + input_bytes);

    const Watch output(y);
    Tensor loss = y.sum();
    y.reset();
    EXPECT_EQ(output.is_freed(), !keeps_output);

    loss.backward();
    EXPECT_TRUE(output.is_freed());
    EXPECT_TRUE(input.is_freed());
    const Tensor again = leaf.detach().requires_grad_();
    layer.composed(again, layer.parameters(again, 1), 1).sum().backward();
    EXPECT_TRUE(leaf.grad().allclose(again.grad(), 1e-5, 1e-5));
  }
}

TEST_P(EveryLayer, NoticesAChangeOfWhatBackwardReads) {
  const Layer& layer = GetParam();
  enum class Changed { input, output };
  for (const bool slopes_differentiated : {false, true}) {
    for (const auto changed : {Changed::input, Changed::output}) {
      const Tensor leaf = torch::randn({2, 3, 4}).requires_grad_();
      const Parameters parameters =
          layer.parameters(leaf, 1, at::TensorOptions().requires_grad(slopes_differentiated));
      Tensor x = leaf * 1;
      Tensor y = layer.fused(x, parameters, 1);
      Tensor expected = layer.composed(leaf * 1, parameters, 1);
      if (changed == Changed::input) {
        x.mul_(-3);
      } else {
        y.mul_(-3);
        expected = expected * -3;
      }
      const bool is_read =
          changed == Changed::input
              ? layer.saved == ln::Saved::input
              : layer.saved == ln::Saved::output || (layer.has_slopes && slopes_differentiated);
      if (!is_read) {
        const Tensor arriving = torch::randn_like(y);
        EXPECT_TRUE(grad({y}, {leaf}, {arriving})[0].allclose(
            grad({expected}, {leaf}, {arriving})[0], 1e-5, 1e-5));
        continue;
      }
      try {
        y.sum().backward();
        ADD_FAILURE() << "went on with a changed " << (changed == Changed::input ? "in" : "out")
                      << "put";
      } catch (const c10::Error& error) {
        EXPECT_NE(
            std::string(error.what()).find("modified by an inplace operation"), std::string::npos)
            << error.what();
      }
    }
  }
}

TEST_P(EveryLayer, RecordsNothingThatNobodyDifferentiates) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 3, 4}).requires_grad_();
  const Parameters parameters = layer.parameters(x, 1, at::TensorOptions().requires_grad(true));
  const Tensor expected = layer.fused(x, parameters, 1);
  EXPECT_NE(expected.grad_fn(), nullptr);
  const auto is_only_a_value = [&](const Tensor& y) {
    return y.equal(expected) && !y.requires_grad() && y.grad_fn() == nullptr;
  };
  EXPECT_TRUE(is_only_a_value(layer.fused(x.detach(), layer.parameters(x, 1), 1)));
  {
    torch::NoGradGuard guard;
    EXPECT_TRUE(is_only_a_value(layer.fused(x, parameters, 1)));
  }
  {
    c10::InferenceMode guard;
    const Tensor y = layer.fused(x, parameters, 1);
    EXPECT_TRUE(is_only_a_value(y));
    EXPECT_TRUE(y.is_inference());
    // An input that was born in inference mode.
    EXPECT_TRUE(is_only_a_value(layer.fused(x * 1, parameters, 1)));
  }
  if (layer.has_slopes) {
    EXPECT_TRUE(layer.fused(x.detach(), parameters, 1).requires_grad());
  }
}

/// First and second derivatives, in double.
std::vector<Tensor> derivatives(
    const Layer& layer, bool is_fused, const Tensor& at, std::int64_t dim, std::uint64_t seed) {
  torch::manual_seed(seed); // not randn_like: its numbers would follow the memory's order
  const auto options = at::TensorOptions(at::kDouble).requires_grad(true);
  const Tensor x = at.detach().requires_grad_();
  const Parameters parameters = layer.parameters(x, dim, options);
  const Tensor y = (is_fused ? layer.fused : layer.composed)(x, parameters, dim);
  const Tensor arriving = torch::randn(y.sizes(), at::kDouble).requires_grad_();
  auto leaves = layer.leaves(x, parameters);
  auto results = grad({y}, leaves, {arriving}, true, /*create_graph=*/true);
  std::vector<Tensor> directions;
  for (const Tensor& first : results) {
    directions.push_back(torch::randn(first.sizes(), at::kDouble));
  }
  // With respect to the arriving gradient too.
  leaves.push_back(arriving);
  const auto second = grad(results, leaves, directions, true, false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < second.size(); ++i) {
    // LibTorch says undefined for a zero where it knows of it.
    results.push_back(second[i].defined() ? second[i] : at::zeros_like(leaves[i]));
  }
  return results;
}

TEST_P(EveryLayer, IsDifferentiableTwiceOnEachAxis) {
  const Layer& layer = GetParam();
  // 0 is a kink of the others.
  const bool is_smooth = layer.saved == ln::Saved::input || layer.name == std::string("lk_swish");
  Tensor x = torch::randn({3, 2, 4, 5}, at::kDouble);
  x = at::where(x.abs() < 0.05, is_smooth ? at::zeros_like(x) : at::ones_like(x), x);
  x[0][0][0][0] = is_smooth ? 0 : 1;
  const std::vector<Tensor> memory = {
      x,
      x.contiguous(at::MemoryFormat::ChannelsLast),
      x.transpose(0, 3).contiguous().transpose(0, 3)};
  for (const Tensor& each : memory) {
    for (std::int64_t dim = -4; dim < 4; ++dim) {
      const auto ours = derivatives(layer, true, each, dim, 7);
      const auto theirs = derivatives(layer, false, each, dim, 7);
      ASSERT_EQ(ours.size(), theirs.size());
      for (std::size_t i = 0; i < ours.size(); ++i) {
        expect_within(
            ours[i],
            theirs[i],
            theirs[i].abs() * 1e-12 + 1e-12,
            "derivative " + std::to_string(i) + " at dim " + std::to_string(dim));
      }
    }
  }
}

TEST_P(EveryLayer, TakesExpandedGradients) {
  const Layer& layer = GetParam();
  const std::vector<std::int64_t> sizes = {2, 6, 5, 7};
  const Tensor cases[] = {
      torch::ones({}).expand(sizes),
      torch::full({1, 1, 1, 1}, 1.0 / 420).expand(sizes),
      torch::randn({1, 6, 1, 1}).expand(sizes),
      torch::randn({2, 1, 5, 7}).expand(sizes),
      torch::randn({2, 6, 1, 7}).expand(sizes)};
  for (const Tensor& expanded : cases) {
    const Tensor x = torch::randn({2, 3, 5, 7}).requires_grad_();
    const Parameters parameters = layer.parameters(x, 1, at::TensorOptions().requires_grad(true));
    const auto leaves = layer.leaves(x, parameters);
    const auto ours = grad({layer.fused(x, parameters, 1)}, leaves, {expanded});
    const auto theirs = grad({layer.fused(x, parameters, 1)}, leaves, {expanded.contiguous()});
    for (std::size_t i = 0; i < ours.size(); ++i) {
      expect_same_bits(ours[i], theirs[i], "an expanded gradient");
    }
  }
}

TEST_P(EveryLayer, TakesEmptyTensorsAndBatches) {
  const Layer& layer = GetParam();
  struct Case {
    std::vector<std::int64_t> sizes;
    std::int64_t dim;
  };
  const Case cases[] = {
      {{0}, 0}, {{0, 3}, 1}, {{0, 3, 4, 5}, 1}, {{2, 0, 4}, 1}, {{2, 3, 0}, -2}, {{2, 3, 0}, -1}};
  for (const auto& [sizes, dim] : cases) {
    const Tensor x = torch::empty(sizes).requires_grad_();
    const Parameters parameters = layer.parameters(x, dim, at::TensorOptions().requires_grad(true));
    const Tensor y = layer.fused(x, parameters, dim);
    EXPECT_EQ(y.sizes(), layer.composed(x, parameters, dim).sizes());
    const auto leaves = layer.leaves(x, parameters);
    const auto grads = grad({y}, leaves, {torch::ones_like(y)});
    EXPECT_EQ(grads[0].sizes(), sizes);
    for (std::size_t i = 1; i < grads.size(); ++i) {
      EXPECT_TRUE(grads[i].equal(torch::zeros_like(leaves[i])));
    }
  }
}

TEST_P(EveryLayer, IsDifferentiableThroughViews) {
  const Layer& layer = GetParam();
  using View = Tensor (*)(const Tensor& leaf);
  const View views[] = {
      [](const Tensor& leaf) { return leaf.slice(3, 0, 8, 2); },
      [](const Tensor& leaf) { return leaf.slice(1, 0, 6, 2); },
      [](const Tensor& leaf) { return leaf.narrow(2, 1, 3); },
      [](const Tensor& leaf) { return leaf.narrow(1, 1, 2).transpose(0, 2); },
      [](const Tensor& leaf) {
        return leaf.narrow(0, 1, 1).expand({5, -1, -1, -1});
      },
      [](const Tensor& leaf) { return leaf.reshape({-1}); },
      // An axis of one index, with the stride of another place.
      [](const Tensor& leaf) { return leaf.unsqueeze(0).transpose(0, 1); },
      [](const Tensor& leaf) { return leaf.diagonal(0, 2, 3); }};
  for (const View& view : views) {
    const auto run = [&](const auto& function) {
      torch::manual_seed(3);
      const Tensor leaf = torch::randn({4, 6, 5, 8}).requires_grad_();
      const Tensor x = view(leaf);
      const Tensor y = function(x, layer.parameters(x, -1), -1);
      return std::vector<Tensor>{y, grad({y}, {leaf}, {torch::randn(y.sizes())})[0]};
    };
    const auto ours = run(layer.fused);
    const auto theirs = run(layer.composed);
    EXPECT_TRUE(ours[0].allclose(theirs[0], 1e-5, 1e-6));
    EXPECT_TRUE(ours[1].allclose(theirs[1], 1e-5, 1e-5));
  }
}

TEST_P(EveryLayer, KeepsTheMemoryFormatOnEveryDevice) {
  const Layer& layer = GetParam();
  using at::MemoryFormat;
  std::vector<std::pair<std::vector<std::int64_t>, MemoryFormat>> cases;
  for (const std::int64_t channels : {1, 5}) {
    for (const std::int64_t side : {1, 3}) {
      cases.push_back({{2, channels, side, side}, MemoryFormat::Contiguous});
      cases.push_back({{2, channels, side, side}, MemoryFormat::ChannelsLast});
      cases.push_back({{2, channels, 2, side, side}, MemoryFormat::Contiguous});
      cases.push_back({{2, channels, 2, side, side}, MemoryFormat::ChannelsLast3d});
    }
  }
  for (const auto device : {at::kCPU, at::kMeta}) {
    for (const auto& [sizes, format] : cases) {
      const auto options = at::TensorOptions(device).memory_format(format);
      const Tensor x = torch::empty(sizes, options).requires_grad_();
      for (const std::int64_t dim : {1, -1}) {
        const Tensor y = layer.fused(x, layer.parameters(x, dim, device), dim);
        std::vector<std::int64_t> linked = sizes;
        linked[dim < 0 ? sizes.size() + dim : dim] *= 2;
        EXPECT_EQ(y.sizes(), linked);
        EXPECT_EQ(y.device(), device);
        const auto expected = options.memory_format(x.suggest_memory_format());
        EXPECT_EQ(y.strides(), torch::empty(linked, expected).strides());
        const Tensor back = grad({y}, {x}, {torch::ones_like(y)})[0];
        EXPECT_EQ(back.sizes(), sizes);
        EXPECT_TRUE(back.is_contiguous(format)) << back.strides();
      }
    }
    const Tensor permuted = torch::empty({3, 4, 5, 6}, device).permute({2, 0, 3, 1});
    const Tensor y = layer.fused(permuted, layer.parameters(permuted, 1, device), 1);
    EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{5, 6, 6, 4}));
    EXPECT_TRUE(y.permute({1, 3, 0, 2}).is_contiguous());
  }
}

/// Autocast to bfloat16 on the CPU, as a program turns it on.
class Autocast {
 public:
  Autocast() {
    set(true);
  }
  ~Autocast() {
    at::autocast::clear_cache();
    set(false);
  }

 private:
  static void set(bool enabled) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCPU, enabled);
#else
    at::autocast::set_cpu_enabled(enabled);
#endif
  }
};

TEST_P(EveryLayer, TakesWhatAutocastGivesIt) {
  const Layer& layer = GetParam();
  torch::nn::Linear linear(8, 16);
  const Tensor x = torch::randn({4, 8});
  Parameters parameters;
  Tensor y;
  Tensor expected;
  {
    Autocast autocast;
    const Tensor z = linear(x);
    ASSERT_EQ(z.scalar_type(), at::kBFloat16);
    parameters = layer.parameters(z, 1, at::TensorOptions().requires_grad(true));
    y = layer.fused(z, parameters, 1);
    expected = layer.composed(z.detach().to(at::kFloat), parameters, 1);
  }
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(y.to(at::kFloat).allclose(expected, 0.01, 0.01));
  y.sum().backward();
  EXPECT_EQ(linear->weight.grad().scalar_type(), at::kFloat);
  if (layer.has_slopes) {
    const auto theirs = grad({expected.sum()}, {parameters.weight.pos, parameters.weight.neg});
    EXPECT_EQ(parameters.weight.pos.grad().scalar_type(), at::kFloat);
    EXPECT_TRUE(parameters.weight.pos.grad().allclose(theirs[0], 0.01, 0.01));
    EXPECT_TRUE(parameters.weight.neg.grad().allclose(theirs[1], 0.01, 0.01));
  }
}

TEST_P(EveryLayer, WorksUnderVmap) {
#if defined(TESTS_HAVE_FUNCTORCH)
  namespace functorch = at::functorch;
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({3, 2, 4, 5}).requires_grad_();
  const auto level = functorch::initAndPushDynamicLayer(
      functorch::TransformType::Vmap, 3, functorch::RandomnessType::Error);
  // Each sample is transposed, and none sees the batch, which lies between its axes.
  const Tensor samples = functorch::addBatchDim(x.transpose(0, 2), 2, level);
  const Tensor linked = layer.fused(samples, layer.parameters(samples, -1), -1);
  functorch::popDynamicLayerAndDeleteMetadata();
  const auto* batched = functorch::maybeGetBatchedImpl(linked);
  ASSERT_NE(batched, nullptr);
  const Tensor y = batched->value().movedim(batched->bdim(), 0);
  const Tensor expected = layer.composed(x.transpose(1, 2), layer.parameters(x, -1), -1);
  EXPECT_TRUE(y.allclose(expected, 1e-5, 1e-6));
  const Tensor arriving = torch::randn(y.sizes());
  const Tensor back = grad({expected}, {x}, {arriving})[0];
  EXPECT_TRUE(grad({y}, {x}, {arriving})[0].allclose(back, 1e-5, 1e-5));
#else
  GTEST_SKIP() << "this LibTorch's functorch headers need nlohmann/json.hpp";
#endif
}

TEST_P(EveryLayer, WorksUnderFunctorchsGrad) {
#if defined(TESTS_HAVE_FUNCTORCH)
  namespace functorch = at::functorch;
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 4, 5});
  const Tensor arriving = torch::randn({2, 8, 5});
  const auto level =
      functorch::initAndPushDynamicLayer(functorch::TransformType::Grad, {}, {}, true);
  const Tensor wrapped = functorch::makeTensorWrapper(x, level).requires_grad_();
  const Tensor y = layer.fused(wrapped, layer.parameters(x, 1), 1);
  const Tensor back = grad({(y * arriving).sum()}, {wrapped})[0];
  functorch::popDynamicLayerAndDeleteMetadata();
  const auto* gradient = functorch::maybeGetTensorWrapper(back);
  ASSERT_NE(gradient, nullptr);
  x.requires_grad_();
  const Tensor expected = layer.composed(x, layer.parameters(x, 1), 1);
  EXPECT_TRUE(gradient->value().allclose(grad({expected}, {x}, {arriving})[0], 1e-5, 1e-5));
#else
  GTEST_SKIP() << "this LibTorch's functorch headers need nlohmann/json.hpp";
#endif
}

/// What comes after it does not depend on what went in, as far as autograd knows.
struct NoGradient : torch::autograd::Function<NoGradient> {
  static Tensor forward(torch::autograd::AutogradContext* /*context*/, const Tensor& x) {
    return x.clone();
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* /*context*/,
      const torch::autograd::variable_list& /*grads*/) {
    return {Tensor()};
  }
};

TEST_P(EveryLayer, PassesOnThatThereIsNoGradient) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 4, 5}).requires_grad_();
  const Tensor y = layer.fused(x, layer.parameters(x, 1), 1);
  (NoGradient::apply(y).sum() + x.sum()).backward();
  EXPECT_TRUE(x.grad().equal(at::ones_like(x)));
}

TEST_P(EveryLayer, RefusesASecondBackwardOfAFreedGraph) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 4, 5}).requires_grad_();
  const Tensor y = layer.fused(x, layer.parameters(x, 1), 1).sum();
  y.backward();
  EXPECT_THROW(y.backward(), c10::Error);
}

TEST_P(EveryLayer, RefusesTangents) {
  const Layer& layer = GetParam();
  const Tensor x = torch::randn({2, 3});
  const auto level = static_cast<std::int64_t>(torch::autograd::ForwardADLevel::get_next_idx());
  try {
    layer.fused(at::_make_dual(x, torch::ones_like(x), level), layer.parameters(x, 1), 1);
    ADD_FAILURE() << "took a tangent and may have dropped it";
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    EXPECT_EQ(message.find(layer.name), 0U) << message;
    EXPECT_NE(message.find("forward-mode differentiation is not supported"), std::string::npos)
        << message;
  }
  torch::autograd::ForwardADLevel::release_idx(level);
}

} // namespace
} // namespace tests
