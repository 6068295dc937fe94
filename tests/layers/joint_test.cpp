// The joint layers: each of the table compared with the two layers one after the other, in each
// type and memory format; what they keep for backward; what they refuse.
#include "autocast.h"
#include "compare.h"
#include "contract.h"
#include "expect_error.h"
#include "joint_layer.h"

#include <torch/csrc/autograd/forward_grad.h>

#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

namespace tests {
namespace {

namespace F = ln::functional;
using torch::autograd::grad;

struct JointCase {
  JointActivation activation;
  JointKind kind;
  at::ScalarType type;
  bool channels_last;
  bool has_biases;

  std::string name() const {
    return std::string(activation.name) + "_" + kind.name + "_" + label(type) +
           (channels_last ? "_channels_last" : "") + (has_biases ? "_with_biases" : "");
  }

  friend std::ostream& operator<<(std::ostream& stream, const JointCase& self) {
    return stream << self.name();
  }
};

const std::vector<JointCase> kCases = [] {
  std::vector<JointCase> all;
  bool has_biases = false;
  for (const auto& activation : kJointActivations) {
    for (const auto& kind : kJointKinds) {
      for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16}) {
        for (const bool channels_last : {false, true}) {
          if (!channels_last || kind.sizes.size() == 4) {
            has_biases = !has_biases;
            all.push_back({activation, kind, type, channels_last, has_biases});
          }
        }
      }
    }
  }
  return all;
}();

constexpr auto kNameOfJointCase = [](const auto& info) { return info.param.name(); };

JointInputs inputs(const JointCase& of) {
  torch::manual_seed(3);
  JointInputs in = joint_inputs(of.activation, of.kind, of.type, of.has_biases);
  if (of.channels_last) {
    in.z = in.z.detach().contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
  }
  return in;
}

class JointLayers : public testing::TestWithParam<JointCase> {};

TEST_P(JointLayers, EqualTheTwoLayers) {
  const JointCase& of = GetParam();
  const JointInputs in = inputs(of);
  const Tensor joint = of.kind.joint(of.activation, in);
  const Tensor expected = one_by_one(of.activation, of.kind, in);
  expect_same_bits(joint, expected, "output");
  EXPECT_EQ(joint.strides(), expected.strides());
  const Tensor gradient = torch::randn(expected.sizes(), at::kDouble).to(of.type);
  const auto ours = grad({joint}, in.all(), {gradient});
  const auto theirs = grad({expected}, in.all(), {gradient});
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const std::string what = "gradient " + std::to_string(i);
    const bool is_of_layer = i >= ours.size() - (of.has_biases ? 2 : 1);
    // LK-PReLU's weights' gradients are made of z here, and of the output there, which is rounded.
    const bool is_of_slope = of.activation.has_weight && (i == 1 || i == 2);
    const bool is_rounded = is_of_slope && of.type == at::kBFloat16;
    if (is_of_layer || (of.activation.is_bit_exact && !is_rounded)) {
      expect_same_values(ours[i], theirs[i], what);
    } else {
      // Each of them has made the activation's gradient of what it has rounded itself.
      const double scale = theirs[i].numel() == 0 ? 0 : theirs[i].abs().max().item<double>();
      const Tensor bound =
          at::full(theirs[i].sizes(), 32 * epsilon(of.type) * (1 + scale), at::kDouble);
      expect_within(ours[i], theirs[i].to(at::kDouble), bound, what);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, JointLayers, testing::ValuesIn(kCases), kNameOfJointCase);

/// In double, in one memory format.
const std::vector<JointCase> kCasesInDouble = [] {
  std::vector<JointCase> all;
  for (const auto& activation : kJointActivations) {
    for (const auto& kind : kJointKinds) {
      all.push_back({activation, kind, at::kDouble, false, true});
    }
  }
  return all;
}();

class JointLayersInDouble : public testing::TestWithParam<JointCase> {};
INSTANTIATE_TEST_SUITE_P(
    , JointLayersInDouble, testing::ValuesIn(kCasesInDouble), kNameOfJointCase);

TEST_P(JointLayersInDouble, AreDifferentiatedTwice) {
  const JointCase& of = GetParam();
  const JointInputs in = inputs(of);
  const Tensor joint = of.kind.joint(of.activation, in);
  const Tensor expected = one_by_one(of.activation, of.kind, in);
  const Tensor gradient = torch::randn(expected.sizes(), at::kDouble).requires_grad_();
  const auto twice = [&](const Tensor& y) {
    Tensor sum = torch::zeros({}, at::kDouble);
    for (const Tensor& each : grad({y}, in.all(), {gradient}, true, true)) {
      sum = sum + each.pow(2).sum();
    }
    auto leaves = in.all();
    leaves.push_back(gradient);
    return grad({sum}, leaves, {}, true, false, true);
  };
  const auto ours = twice(joint);
  const auto theirs = twice(expected);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].defined(), theirs[i].defined()) << i;
    if (theirs[i].defined()) {
      EXPECT_TRUE(at::allclose(ours[i], theirs[i], 1e-9, 1e-9)) << i;
    }
  }
}

TEST_P(JointLayersInDouble, KeepWhatTheyAreGivenAndNothingElse) {
  const JointCase& of = GetParam();
  JointInputs in = inputs(of);
  const Tensor y = of.kind.joint(of.activation, in);
  const auto& node = y.grad_fn();
  // Of an input without a batch axis the output is a view.
  const bool is_view = of.kind.dim == 0 && of.kind.sizes.size() > 1;
  in.bias = Tensor(); // which no gradient needs
  std::vector<Tensor> given = in.all();
  std::vector<Tensor> kept;
  for (const Tensor& each :
       of.activation.saved_by(is_view ? *node->next_edge(0).function : *node)) {
    if (each.defined()) {
      kept.push_back(each);
    }
  }
  ASSERT_EQ(kept.size(), given.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].data_ptr(), given[i].data_ptr()) << i;
    EXPECT_EQ(kept[i].numel(), given[i].numel()) << i;
  }
}

TEST_P(JointLayersInDouble, GiveTheGradientsThatAreAskedFor) {
  const JointCase& of = GetParam();
  const JointInputs in = inputs(of);
  const std::vector<Tensor> all = in.all();
  const Tensor gradient = torch::randn(one_by_one(of.activation, of.kind, in).sizes(), at::kDouble);
  const auto expected = grad({one_by_one(of.activation, of.kind, in)}, all, {gradient});
  for (std::size_t only = 0; only < all.size(); ++only) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].set_requires_grad(i == only);
    }
    const auto ours = grad({of.kind.joint(of.activation, in)}, {all[only]}, {gradient});
    EXPECT_TRUE(at::allclose(ours[0], expected[only], 1e-12, 1e-12)) << only;
  }
  const Tensor none = of.kind.joint(of.activation, in);
  EXPECT_EQ(none.requires_grad(), all.back().requires_grad());
}

TEST_P(JointLayersInDouble, HaveTangents) {
  const JointCase& of = GetParam();
  const JointInputs in = inputs(of);
  const auto level = torch::autograd::ForwardADLevel::get_next_idx();
  JointInputs dual = in;
  dual.z = at::_make_dual(
      in.z.detach(), torch::ones_like(in.z).detach(), static_cast<std::int64_t>(level));
  const Tensor ours = of.kind.joint(of.activation, dual)._fw_grad(level).clone();
  const Tensor theirs = one_by_one(of.activation, of.kind, dual)._fw_grad(level).clone();
  torch::autograd::ForwardADLevel::release_idx(level);
  EXPECT_TRUE(at::allclose(ours, theirs));
}

/// LibTorch's convolutions take none, in C++.
TEST(JointLayer, KnowsShapesOfMetaTensors) {
  for (const auto& activation : kJointActivations) {
    for (const auto& kind : kJointKinds) {
      if (kind.weight_sizes.size() == 2) {
        SCOPED_TRACE(std::string(activation.name) + " " + kind.name);
        JointInputs in = joint_inputs(activation, kind, at::kFloat, true);
        const Tensor expected = kind.joint(activation, in);
        for (Tensor* each :
             {&in.z, &in.slopes.pos, &in.slopes.neg, &in.input_bias, &in.weight, &in.bias}) {
          if (each->defined()) {
            *each = each->detach().to(at::kMeta).requires_grad_();
          }
        }
        const Tensor y = kind.joint(activation, in);
        EXPECT_EQ(y.sizes(), expected.sizes());
        EXPECT_EQ(grad({y.sum()}, {in.z})[0].sizes(), in.z.sizes());
      }
    }
  }
}

TEST(JointLayer, RefusesAChangedInput) {
  const Tensor z = torch::randn({2, 3}, torch::requires_grad()).clone();
  const Tensor y = F::lk_relu_linear(z, torch::randn({4, 6}, torch::requires_grad()));
  z.mul_(2);
  EXPECT_THROW(y.sum().backward(), c10::Error);
}

TEST(JointLayer, IsCastByAutocastAsLibTorchsLayers) {
  for (const auto& activation : kJointActivations) {
    for (const auto& kind : kJointKinds) {
      SCOPED_TRACE(std::string(activation.name) + " " + kind.name);
      const JointInputs in = joint_inputs(activation, kind, at::kFloat, true);
      Tensor ours;
      Tensor theirs;
      {
        const Autocast autocast;
        ours = kind.joint(activation, in);
        theirs = one_by_one(activation, kind, in);
      }
      ASSERT_EQ(theirs.scalar_type(), at::kBFloat16);
      expect_same_bits(ours, theirs, "output");
      const auto our_gradients = grad({ours.sum()}, in.all());
      const auto their_gradients = grad({theirs.sum()}, in.all());
      for (std::size_t i = 0; i < our_gradients.size(); ++i) {
        EXPECT_EQ(our_gradients[i].scalar_type(), at::kFloat) << i;
        EXPECT_TRUE(at::allclose(our_gradients[i], their_gradients[i], 0.01, 0.01)) << i;
      }
    }
  }
}

struct Refusal {
  const char* message;
  std::function<void()> call;
};

TEST(JointLayer, RefusesByName) {
  const Tensor z = torch::randn({2, 4, 5, 5});
  const Tensor weight = torch::randn({3, 8, 3, 3});
  const std::vector<Refusal> refusals = {
      {"lk_relu_conv2d: expected an input of 3 or 4 axes, got 2",
       [&] {
         F::lk_relu_conv2d(torch::randn({4, 5}), weight);
       }},
      {"lk_relu_conv2d: expected an input of 3 or 4 axes, got 0",
       [&] { F::lk_relu_conv2d(Tensor(), weight); }},
      {"lk_selu_conv2d: expected weight to be a tensor, got an undefined one",
       [&] {
         F::lk_selu_conv2d(z, Tensor(), {}, F::LinkedConv2dFuncOptions().padding(torch::kSame));
       }},
      {"lk_relu_conv2d: expected a weight of 4 axes for 8 channels (twice those of the input), got "
       "one of shape [3, 4, 3, 3]",
       [&] {
         F::lk_relu_conv2d(z, torch::randn({3, 4, 3, 3}));
       }},
      {"lk_swish_linear: expected a weight of 2 axes for 10 channels",
       [&] {
         F::lk_swish_linear(z, torch::randn({3, 8}));
       }},
      {"lk_prelu_conv2d: expected weight_pos to have 1 weight, 4",
       [&] { F::lk_prelu_conv2d(z, torch::ones({3}), torch::ones({3}), weight); }},
      {"lk_relu_conv2d: expected bias of shape [4]",
       [&] {
         F::lk_relu_conv2d(
             z, weight, {}, F::LinkedConv2dFuncOptions().input_bias(torch::ones({8})));
       }},
      {"lk_relu_conv2d: expected a tensor of type Double, Float, Half or BFloat16, got Long",
       [&] { F::lk_relu_conv2d(z.to(at::kLong), weight); }},
      {"linked_conv2d: expected stride 1 with padding kSame, got [2, 2]",
       [&] {
         F::lk_relu_conv2d(
             z, weight, {}, F::LinkedConv2dFuncOptions().stride(2).padding(torch::kSame));
       }},
  };
  for (const auto& [message, call] : refusals) {
    expect_error(call, message);
  }
}

} // namespace
} // namespace tests
