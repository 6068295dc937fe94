// The modules' bias: a parameter like others, and the one that moves between a layer and the linked
// layer behind it.
#include "expect_error.h"
#include "module_types.h"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace tests {
namespace {

template <class Holder>
class BiasTest : public testing::Test {
 protected:
  static Holder make(std::int64_t channels) {
    return Holder(typename Holder::Impl::Options().bias(channels));
  }

  const Tensor x = torch::randn({2, 3, 4, 5});
};

TYPED_TEST_SUITE(BiasTest, Modules, NameOfModule);

TYPED_TEST(BiasTest, IsAParameterThatStartsAtZero) {
  auto layer = this->make(3);
  EXPECT_TRUE(layer->named_parameters().contains("bias"));
  EXPECT_TRUE(layer->bias.equal(torch::zeros({3})));
  EXPECT_TRUE(layer->bias.requires_grad());
  std::ostringstream text;
  text << *layer;
  EXPECT_NE(text.str().find("dim=1, bias=3)"), std::string::npos) << text.str();

  const TypeParam without;
  EXPECT_FALSE(without->named_parameters().contains("bias"));
  EXPECT_TRUE(layer(this->x).equal(TypeParam()(this->x)));
}

TYPED_TEST(BiasTest, IsAddedBeforeTheActivationAndTrained) {
  auto layer = this->make(3);
  {
    torch::NoGradGuard guard;
    layer->bias.normal_(0, 1);
  }
  TypeParam without;
  const Tensor bias = layer->bias.detach().clone().requires_grad_();
  const Tensor y = layer(this->x);
  const Tensor expected = without(this->x + bias.view({3, 1, 1}));
  EXPECT_TRUE(y.equal(expected));
  const Tensor arriving = torch::randn(y.sizes());
  const Tensor ours = torch::autograd::grad({y}, {layer->bias}, {arriving})[0];
  const Tensor theirs = torch::autograd::grad({expected}, {bias}, {arriving})[0];
  EXPECT_TRUE(ours.allclose(theirs, 1e-4, 1e-5));
}

TYPED_TEST(BiasTest, SurvivesCloneSaveAndLoad) {
  auto layer = this->make(3);
  {
    torch::NoGradGuard guard;
    layer->bias.fill_(0.5);
  }
  const Tensor expected = layer(this->x);
  auto clone = std::dynamic_pointer_cast<typename TypeParam::Impl>(layer->clone());
  EXPECT_TRUE(clone->forward(this->x).equal(expected));
  EXPECT_FALSE(clone->bias.is_same(layer->bias));
  std::stringstream stream;
  torch::save(layer, stream);
  auto loaded = this->make(3);
  torch::load(loaded, stream);
  EXPECT_TRUE(loaded(this->x).equal(expected));
}

/// A layer, its bias moved to the linked layer and back: the same network at each step.
template <class Layer>
void check_move(Layer layer, const Tensor& x, std::int64_t dim) {
  ln::LKSELU act(ln::LKSELUOptions().dim(dim));
  const auto names = layer->named_parameters().keys();
  const Tensor expected = act(layer(x));
  const Tensor bias = layer->bias;
  ln::move_bias(layer, act);
  EXPECT_TRUE(act->bias.is_same(bias)); // an optimizer that has it goes on
  EXPECT_TRUE(act->named_parameters()["bias"].is_same(bias));
  EXPECT_EQ(act->options.bias(), bias.size(0));
  EXPECT_FALSE(layer->bias.defined());
  EXPECT_FALSE(layer->named_parameters().contains("bias"));
  EXPECT_FALSE(layer->options.bias());
  EXPECT_TRUE(act(layer(x)).allclose(expected, 1e-5, 1e-6));
  // Both are still modules of their kind.
  auto layer_clone = std::dynamic_pointer_cast<typename Layer::Impl>(layer->clone());
  auto act_clone = std::dynamic_pointer_cast<ln::LKSELUImpl>(act->clone());
  EXPECT_TRUE(act_clone->forward(layer_clone->forward(x)).allclose(expected, 1e-5, 1e-6));
  EXPECT_THROW(ln::move_bias(layer, act), c10::Error);

  ln::move_bias(act, layer);
  EXPECT_TRUE(layer->bias.is_same(bias));
  EXPECT_EQ(layer->named_parameters().keys(), names);
  EXPECT_TRUE(act->parameters().empty());
  EXPECT_TRUE(act(layer(x)).equal(expected));
}

TEST(MoveBias, KeepsTheNetwork) {
  check_move(torch::nn::Conv1d(3, 4, 3), torch::randn({2, 3, 9}), 1);
  check_move(torch::nn::Conv2d(3, 4, 3), torch::randn({2, 3, 7, 6}), 1);
  check_move(torch::nn::ConvTranspose2d(3, 4, 3), torch::randn({2, 3, 7, 6}), 1);
  check_move(torch::nn::Linear(5, 6), torch::randn({2, 3, 5}), -1);
}

/// A checkpoint of the usual network is one of the moved network too, and the other way round.
TEST(MoveBias, KeepsCheckpointsWorking) {
  const auto make = [] {
    return torch::nn::Sequential(
        torch::nn::Conv2d(3, 4, 3), ln::LKReLU(), torch::nn::Conv2d(8, 2, 1));
  };
  const auto move = [](torch::nn::Sequential& net, bool back) {
    auto conv = net->ptr<torch::nn::Conv2dImpl>(0);
    auto act = net->ptr<ln::LKReLUImpl>(1);
    if (back) {
      ln::move_bias(act, conv);
    } else {
      ln::move_bias(conv, act);
    }
  };
  const Tensor x = torch::randn({2, 3, 6, 6});
  auto trained = make();
  const Tensor expected = trained->forward(x);
  move(trained, false);
  move(trained, true);
  std::stringstream stream;
  torch::save(trained, stream);
  auto loaded = make();
  torch::load(loaded, stream);
  move(loaded, false);
  EXPECT_TRUE(loaded->forward(x).allclose(expected, 1e-5, 1e-6));
}

TEST(BiasErrors, NameWhatIsWrong) {
  namespace f = ln::functional;
  struct Case {
    std::function<void()> call;
    std::string message;
  };
  const Tensor x = torch::ones({2, 3});
  const Case cases[] = {
      {[&] { f::lk_relu(x, torch::ones({2})); },
       "lk_relu: expected bias of shape [3] (the channels at dim 1), got [2]"},
      {[&] {
         f::lk_relu(x, torch::ones({3, 1}));
       },
       "lk_relu: expected bias of shape [3] (the channels at dim 1), got [3, 1]"},
      {[&] { f::lk_relu(x, torch::ones({3}, at::kDouble)); },
       "lk_relu: expected bias of type Float, as the input, got Double"},
      {[&] { f::lk_relu(x, torch::ones({3}, at::kMeta)); },
       "lk_relu: expected bias on cpu, as the input, got meta"},
      {[] { ln::LKReLU layer(ln::LKReLUOptions().bias(-1)); },
       "LKReLU: expected bias to be the input's channels, or 0 for none, got -1"},
      {[] {
         ln::LKReLU from;
         torch::nn::Linear to(2, 2);
         ln::move_bias(from, to);
       },
       "move_bias: expected linked_neurons::LKReLUImpl to have a bias, got none"},
      {[] {
         torch::nn::Linear from(2, 2);
         ln::LKReLU to(ln::LKReLUOptions().bias(2));
         ln::move_bias(from, to);
       },
       "move_bias: expected linked_neurons::LKReLUImpl to have no bias yet, got one of shape [2]"}};
  for (const auto& [call, message] : cases) {
    expect_error(call, message);
  }
}

/// Bits or output kept: the same results.
TEST(KeepOutput, ChangesNoResult) {
  const Tensor x = torch::randn({2, 3, 70}).requires_grad_();
  const Tensor bits = ln::LKReLU()(x);
  const Tensor output = ln::LKReLU(ln::LKReLUOptions().keep_output(true))(x);
  EXPECT_TRUE(output.equal(bits));
  const Tensor arriving = torch::randn(bits.sizes());
  EXPECT_TRUE(torch::autograd::grad({output}, {x}, {arriving})[0].equal(
      torch::autograd::grad({bits}, {x}, {arriving})[0]));
}

} // namespace
} // namespace tests
