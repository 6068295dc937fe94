// The layers among LibTorch's own mechanisms: what backward keeps alive, changes in place, grad
// modes, autocast, other devices.
#include "autocast.h"
#include "every_layer.h"

#include <torch/nn.h>

namespace tests {
namespace {

using torch::autograd::grad;

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
  for (const bool weights_differentiated : {false, true}) {
    const bool saves_output = layer.keeps_output(weights_differentiated);
    const Tensor leaf = torch::randn({4, 8, 16, 16}).requires_grad_();
    const Parameters parameters =
        layer.parameters(leaf, 1, at::TensorOptions().requires_grad(weights_differentiated));
    // No leaf, so that nobody but the layer may keep it.
    Tensor x = leaf * 1;
    const Watch input(x);
    Tensor y = layer.fused(x, parameters, 1);
    x.reset();
    EXPECT_EQ(input.is_freed(), !keeps_input);

    std::size_t bytes_beside_output = 0;
    for (const Tensor& saved : layer.saved_by(y)) {
      if (saved.defined() && !saved.is_alias_of(y)) {
        bytes_beside_output += saved.nbytes();
      }
    }
    const std::size_t mask_bytes = layer.saved == ln::Saved::masks ? leaf.numel() / 4 : 0;
    const std::size_t weight_bytes = layer.has_weight ? 2 * sizeof(float) : 0;
    const std::size_t input_bytes = keeps_input ? leaf.nbytes() : 0;
    const std::size_t bias_bytes = layer.has_bias ? 8 * sizeof(float) : 0;
    EXPECT_EQ(bytes_beside_output, mask_bytes + weight_bytes + bias_bytes + input_bytes);

    const Watch output(y);
    Tensor loss = y.sum();
    y.reset();
    EXPECT_EQ(output.is_freed(), !saves_output);

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
  for (const bool weights_differentiated : {false, true}) {
    for (const auto changed : {Changed::input, Changed::output}) {
      const Tensor leaf = torch::randn({2, 3, 4}).requires_grad_();
      const Parameters parameters =
          layer.parameters(leaf, 1, at::TensorOptions().requires_grad(weights_differentiated));
      Tensor x = leaf * 1;
      Tensor y = layer.fused(x, parameters, 1);
      Tensor expected = layer.composed(leaf * 1, parameters, 1);
      if (changed == Changed::input) {
        x.mul_(-3);
      } else {
        y.mul_(-3);
        expected = expected * -3;
      }
      const bool is_read = changed == Changed::input ? layer.saved == ln::Saved::input
                                                     : layer.keeps_output(weights_differentiated);
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
  if (layer.has_weight) {
    EXPECT_TRUE(layer.fused(x.detach(), parameters, 1).requires_grad());
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

/// A shape is all that a meta tensor has, and an empty one has that too.
TEST_P(EveryLayer, TakesEmptyMetaTensors) {
  const Layer& layer = GetParam();
  const Tensor x = torch::empty({0, 3}, at::kMeta);
  const Tensor y = layer.fused(x, layer.parameters(x, 1, at::kMeta), 1);
  EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{0, 6}));
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
  if (layer.has_weight) {
    const auto theirs = grad({expected.sum()}, {parameters.weight.pos, parameters.weight.neg});
    EXPECT_EQ(parameters.weight.pos.grad().scalar_type(), at::kFloat);
    EXPECT_TRUE(parameters.weight.pos.grad().allclose(theirs[0], 0.01, 0.01));
    EXPECT_TRUE(parameters.weight.neg.grad().allclose(theirs[1], 0.01, 0.01));
  }
}

} // namespace
} // namespace tests
