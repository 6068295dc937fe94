// The joint modules: their parameters and what they print; networks of layers made networks of
// joint layers.
#include "compare.h"
#include "expect_error.h"
#include "snake.h"

#include <linked_neurons/linked_neurons.h>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <sstream>
#include <string>
#include <vector>

namespace tests {
namespace {

namespace nn = torch::nn;
using ln::LinkedConv2dOptions;
using ln::LinkedLinearOptions;

template <class Module>
std::string printed(const Module& module) {
  std::ostringstream stream;
  stream << module;
  return stream.str();
}

std::vector<std::string> keys(const nn::Module& module) {
  return module.named_parameters().keys();
}

TEST(JointModule, IsMadeOfNumbersOrOptions) {
  EXPECT_EQ(
      printed(ln::LKReLUConv2d(16, 64, 3)),
      "linked_neurons::LKReLUConv2d(16, 64, kernel_size=[3, 3], stride=[1, 1])");
  EXPECT_EQ(
      printed(ln::LKPReLUConv1d(ln::LinkedConv1dOptions(4, 6, 3)
                                    .stride(2)
                                    .padding(1)
                                    .dilation(2)
                                    .groups(2)
                                    .bias(false)
                                    .padding_mode(torch::kCircular)
                                    .num_parameters(4)
                                    .input_bias(true))),
      "linked_neurons::LKPReLUConv1d(4, 6, kernel_size=3, stride=2, padding=1, dilation=2, "
      "groups=2, padding_mode=kCircular, bias=false, input_bias=true, weight_pos=[4])");
  EXPECT_EQ(
      printed(ln::LKSELUConv3d(ln::LinkedConv3dOptions(2, 3, {1, 2, 3}).padding(torch::kSame))),
      "linked_neurons::LKSELUConv3d(2, 3, kernel_size=[1, 2, 3], stride=[1, 1, 1], "
      "padding='same')");
  EXPECT_EQ(printed(ln::LKSwishLinear(128, 10)), "linked_neurons::LKSwishLinear(128, 10)");
  EXPECT_EQ(printed(ln::LinkedLinear<Snake>(2, 3)), "linked_neurons::LinkedLinear<snake>(2, 3)");
}

TEST(JointModule, HasTheParametersOfLibTorchsLayer) {
  torch::manual_seed(1);
  const ln::LKReLUConv2d joint(3, 5, 3);
  torch::manual_seed(1);
  const nn::Conv2d layer(6, 5, 3);
  EXPECT_EQ(keys(*joint), keys(*layer));
  expect_same_bits(joint->weight, layer->weight, "weight");
  expect_same_bits(joint->bias, layer->bias, "bias");
  std::stringstream file;
  torch::save(layer, file);
  ln::LKReLUConv2d loaded(3, 5, 3);
  torch::load(loaded, file);
  expect_same_bits(loaded->weight, layer->weight, "loaded weight");
}

TEST(JointModule, HasTheParametersOfTheActivation) {
  ln::LKPReLULinear joint(
      LinkedLinearOptions(3, 2).bias(false).input_bias(true).num_parameters(3).init(0.5));
  EXPECT_EQ(
      keys(*joint), (std::vector<std::string>{"weight", "weight_pos", "weight_neg", "input_bias"}));
  EXPECT_TRUE(joint->weight_pos.eq(0.5).all().item<bool>());
  EXPECT_EQ(joint->weight_neg.sizes(), (std::vector<std::int64_t>{3}));
  EXPECT_TRUE(joint->input_bias.eq(0).all().item<bool>());
  const auto copy = std::dynamic_pointer_cast<ln::LKPReLULinearImpl>(joint->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_NE(copy->weight.data_ptr(), joint->weight.data_ptr());
  const Tensor z = torch::randn({4, 3});
  expect_same_bits(copy->forward(z), joint(z), "of the copy");
}

TEST(JointModule, RefusesOptionsThatItsActivationHasNot) {
  expect_error(
      [] { ln::LKReLULinear(LinkedLinearOptions(3, 2).num_parameters(3)); },
      "LKReLULinear: expected no num_parameters and no shape, since the activation has no weights, "
      "got [3]");
  expect_error(
      [] { ln::LKPReLULinear(LinkedLinearOptions(3, 2).num_parameters(0)); },
      "LKPReLULinear: expected num_parameters to be 1 or the input's channels, got 0");
}

/// Padding modes, with weights for which padding and activation may change places, and others.
TEST(JointModule, PadsInEveryMode) {
  const std::vector<nn::detail::conv_padding_mode_t> modes = {
      torch::kZeros, torch::kReflect, torch::kReplicate, torch::kCircular};
  const std::vector<nn::detail::conv_padding_t<2>> paddings = {
      torch::ExpandingArray<2>({2, 1}), torch::kSame, torch::kValid};
  for (const auto& mode : modes) {
    for (const auto& padding : paddings) {
      for (const bool is_per_element : {false, true}) {
        auto options = LinkedConv2dOptions(3, 4, 4).padding_mode(mode).padding(padding);
        if (is_per_element) {
          options.shape({3, 6, 7});
        }
        ln::LKPReLUConv2d joint(options);
        nn::Conv2d layer(nn::Conv2dOptions(6, 4, 4).padding_mode(mode).padding(padding));
        layer->weight = joint->weight;
        layer->bias = joint->bias;
        const Tensor z = torch::randn({2, 3, 6, 7});
        const Tensor pair = ln::functional::lk_prelu(z, joint->weight_pos, joint->weight_neg);
        expect_same_bits(joint(z), layer(pair), printed(joint));
      }
    }
  }
}

/// One of each layer that is joined, and some that are not.
nn::Sequential make_net() {
  nn::Sequential net(
      nn::Conv2d(3, 4, 3),
      ln::LKReLU(),
      nn::Conv2d(nn::Conv2dOptions(8, 4, 3).stride(2).padding(1).bias(false)),
      ln::LKPReLU(ln::LKPReLUOptions().num_parameters(4).bias(4)),
      nn::Conv2d(nn::Conv2dOptions(8, 6, 3).groups(2).padding(torch::kSame)),
      ln::LKSELU(ln::LKSELUOptions().dim(-3)),
      nn::BatchNorm2d(12),
      nn::Flatten(),
      ln::Linked<Snake>(ln::OptionsOf<Snake>().frequency(2)),
      nn::Linear(2 * 12 * 16, 5),
      ln::LKSwish(),
      nn::Linear(10, 2));
  return net;
}

/// The output, the gradients of the parameters in the order of `parameters`, and of the input.
std::vector<Tensor> results(nn::Sequential& net, const std::vector<Tensor>& parameters) {
  torch::manual_seed(9);
  const Tensor x = torch::randn({2, 3, 10, 10}).requires_grad_();
  const Tensor y = net->forward(x);
  std::vector<Tensor> all = parameters;
  all.push_back(x);
  auto gradients = torch::autograd::grad({y.pow(2).sum()}, all);
  gradients.push_back(y.detach());
  return gradients;
}

TEST(Link, GivesTheSameNetwork) {
  torch::manual_seed(2);
  nn::Sequential net = make_net();
  const auto parameters = net->parameters();
  const auto expected = results(net, parameters);
  nn::Sequential linked = ln::link<Snake>(net);
  EXPECT_EQ(
      linked->named_children().keys(),
      (std::vector<std::string>{"0", "2", "4", "5", "6", "7", "9", "11"}));
  const auto actual = results(linked, parameters);
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(at::allclose(actual[i], expected[i], 1e-4, 1e-4)) << i;
  }
  EXPECT_EQ(linked->parameters().size(), parameters.size());
  EXPECT_NE(linked[1]->as<ln::LKReLUConv2dImpl>(), nullptr);
  EXPECT_NE(linked[6]->as<ln::LinkedLinearImpl<Snake>>(), nullptr);
  EXPECT_EQ(linked->children()[3], net->children()[5]);
  EXPECT_EQ(ln::link(net)->size(), 9U); // an activation of the user's own has to be named
}

TEST(Link, LetsAnOptimizerGoOn) {
  torch::manual_seed(2);
  nn::Sequential net = make_net();
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  nn::Sequential linked = ln::link(net);
  const Tensor x = torch::randn({2, 3, 10, 10});
  linked->forward(x).sum().backward();
  const Tensor before = net->parameters()[2].detach().clone();
  optimizer.step();
  EXPECT_FALSE(before.equal(net->parameters()[2]));
  net->eval();
  linked->eval();
  EXPECT_TRUE(at::allclose(net->forward(x), linked->forward(x), 1e-4, 1e-4));
}

TEST(Link, KeepsTheKeysOfTheLayersBehind) {
  nn::Sequential net(nn::Linear(2, 3), ln::LKReLU(), nn::Linear(6, 2));
  nn::Sequential other(nn::Linear(2, 3), ln::LKReLU(), nn::Linear(6, 2));
  std::stringstream file;
  torch::save(net, file);
  nn::Sequential linked = ln::link(other);
  EXPECT_EQ(keys(*linked), keys(*net));
  torch::load(linked, file);
  const Tensor x = torch::randn({4, 2});
  expect_same_bits(linked->forward(x), net->forward(x), "of the loaded network");
}

TEST(Link, TakesFrozenParametersAndModes) {
  nn::Linear layer(8, 3);
  layer->weight.set_requires_grad(false);
  layer->eval();
  ln::LKReLU activation;
  const auto joint = ln::link(activation, layer);
  EXPECT_FALSE(joint->weight.requires_grad());
  EXPECT_TRUE(joint->bias.requires_grad());
  EXPECT_FALSE(joint->is_training());
  EXPECT_EQ(joint->weight.data_ptr(), layer->weight.data_ptr());
}

/// Behind an activation with its channels at axis 1 a linear layer may take sequences: other
/// channels than its own.
TEST(Link, KeepsTheMeaningOfDim) {
  ln::LKReLU activation;
  nn::Linear layer(6, 2);
  auto joint = ln::link(activation, layer);
  const Tensor sequences = torch::randn({2, 5, 6});
  expect_same_bits(joint(sequences), layer(activation(sequences)), "of sequences");
  const Tensor vectors = torch::randn({4, 3});
  expect_same_bits(joint(vectors), layer(activation(vectors)), "of vectors");
}

TEST(Link, GoesWithMoveBias) {
  nn::Conv2d front(3, 4, 3);
  torch::nn::init::normal_(front->bias);
  ln::LKSELU activation;
  nn::Conv2d behind(8, 2, 3);
  const Tensor x = torch::randn({2, 3, 8, 8});
  const Tensor expected = behind(activation(front(x)));
  ln::move_bias(front, activation);
  auto joint = ln::link(activation, behind);
  EXPECT_TRUE(joint->options.input_bias());
  EXPECT_TRUE(at::allclose(joint(front(x)), expected, 1e-4, 1e-4));
}

TEST(Link, RefusesLayersThatDoNotGoTogether) {
  ln::LKReLU last(ln::LKReLUOptions().dim(-1));
  nn::Conv2d convolution(8, 2, 3);
  expect_error(
      [&] { ln::link(last, convolution); },
      "link: expected linked_neurons::LKReLUImpl to have the channels where");
  ln::LKReLU activation;
  nn::Linear odd(7, 2);
  expect_error([&] { ln::link(activation, odd); }, "link: expected");
  nn::Sequential net(last, convolution, activation, odd);
  EXPECT_EQ(ln::link(net)->size(), 4U);
}

} // namespace
} // namespace tests
