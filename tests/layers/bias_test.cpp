// The modules' bias: a parameter like others, and the one that moves between a layer and the linked
// layer behind it.
#include "expect_error.h"
#include "module_types.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

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

/// Layers whose axes or weights may not go together, the moved network of which is the same one or
/// refused.
TEST(MoveBias, IsTheSameNetworkOrRefused) {
  using ln::LKPReLUOptions;
  const auto run = [](auto front, const LKPReLUOptions& options, const Tensor& x) {
    return [=]() mutable {
      ln::LKPReLU act(options);
      const Tensor expected = act(front(x));
      ln::move_bias(front, act);
      const auto clone = std::dynamic_pointer_cast<ln::LKPReLUImpl>(act->clone());
      EXPECT_TRUE(act(front(x)).allclose(expected, 1e-5, 1e-6));
      EXPECT_TRUE(clone->forward(front(x)).allclose(expected, 1e-5, 1e-6));
      ln::move_bias(act, front);
      EXPECT_TRUE(act(front(x)).equal(expected));
    };
  };
  const auto dim = [](std::int64_t axis) { return LKPReLUOptions().dim(axis); };
  const auto weights = [](std::int64_t count) { return LKPReLUOptions().num_parameters(count); };
  const auto linear = [] { return torch::nn::Linear(6, 4); };
  const auto conv = [] { return torch::nn::Conv2d(3, 4, 3); };
  const auto back = [] { return torch::nn::ConvTranspose1d(3, 4, 3); };
  const Tensor vectors = torch::randn({2, 6});
  const Tensor sequences = torch::randn({2, 4, 6});
  const Tensor images = torch::randn({2, 3, 6, 6});
  const Tensor lines = torch::randn({2, 3, 6});
  const std::string axis = "LKPReLU: expected dim to be axis ";
  const std::string moved =
      ", to which the bias belongs that move_bias() moved, got dim 1 and an input of ";
  const std::string channels =
      "move_bias: expected linked_neurons::LKPReLUImpl to have the channels at dim ";
  const std::string count =
      "move_bias: expected linked_neurons::LKPReLUImpl to have 1 weight, or weights for the 4 "
      "channels of the bias, got weights of shape ";
  const struct {
    std::function<void()> run;
    std::string refusal; ///< none: it is the same network
  } cases[] = {
      {run(linear(), dim(1), vectors), ""},
      {run(linear(), dim(-1), vectors), ""},
      {run(linear(), dim(-1), sequences), ""},
      {run(linear(), dim(2), sequences), ""},
      {run(linear(), dim(0), vectors[0]), ""},
      {run(linear(), weights(4), vectors), ""},
      {run(linear(), LKPReLUOptions().shape({4, 4}).dim(-1), sequences), ""},
      {run(conv(), dim(1), images), ""},
      {run(conv(), dim(-3), images), ""},
      {run(conv(), dim(-3), images[0]), ""},
      {run(conv(), dim(0), images[0]), ""},
      {run(conv(), weights(4), images), ""},
      {run(conv(), LKPReLUOptions().shape({4, 4, 4}), images), ""},
      {run(back(), dim(1), lines), ""},
      {run(back(), dim(-2), lines), ""},
      {run(linear(), dim(1), sequences), axis + "-1" + moved + "3 axes"},
      {run(conv(), dim(1), images[0]), axis + "-3" + moved + "3 axes"},
      {run(linear(), dim(-2), sequences),
       channels + "-1, where those of the other layer are, got dim -2"},
      {run(conv(), dim(-1), images),
       channels + "-3, where those of the other layer are, got dim -1"},
      {run(conv(), dim(2), images), channels + "-3, where those of the other layer are, got dim 2"},
      {run(back(), dim(-1), lines),
       channels + "-2, where those of the other layer are, got dim -1"}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    SCOPED_TRACE(i);
    if (cases[i].refusal.empty()) {
      cases[i].run();
    } else {
      expect_error(cases[i].run, cases[i].refusal);
    }
  }
  // These go with no input at all, so nothing is run.
  const auto move = [](auto front, const LKPReLUOptions& options) -> std::function<void()> {
    return [=]() mutable {
      ln::LKPReLU act(options);
      ln::move_bias(front, act);
    };
  };
  expect_error(move(conv(), weights(8)), count + "[8]");
  expect_error(move(linear(), weights(8)), count + "[8]");
  expect_error(move(back(), weights(8)), count + "[8]");
  expect_error(move(conv(), LKPReLUOptions().shape({8, 4, 4})), count + "[8, 4, 4]");
}

/// A bias that a linked layer had from the start moves to the layer in front.
TEST(MoveBias, TakesABiasThatWasTheLinkedLayersFirst) {
  const auto options = torch::nn::LinearOptions(6, 4).bias(false);
  torch::nn::Linear front(options);
  ln::LKReLU act(ln::LKReLUOptions().bias(4));
  torch::nn::init::uniform_(act->bias);
  const Tensor vectors = torch::randn({2, 6});
  const Tensor sequences = torch::randn({2, 4, 6});
  const Tensor of_vectors = act(front(vectors));
  const Tensor of_sequences = act(front(sequences));
  ln::move_bias(act, front);
  EXPECT_TRUE(act(front(vectors)).allclose(of_vectors, 1e-5, 1e-6));
  expect_error([&] { act(front(sequences)); }, "LKReLU: expected dim to be axis -1");
  ln::move_bias(front, act);
  EXPECT_TRUE(act(front(sequences)).equal(of_sequences));
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
