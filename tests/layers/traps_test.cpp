// Calls that LibTorch's users write from habit: each does what it says, or does not compile.
//
// Each assertion that something does not compile stands beside one that the call next to it does.
#include "expect_error.h"
#include "snake.h"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace tests {
namespace {

namespace F = ln::functional;
using torch::nn::Functional;
using torch::nn::Sequential;

template <class Function, class... Arguments>
constexpr bool kTakes = std::is_invocable_v<const Function&, Arguments...>;

/// A call of an option's setter, as a function of the options and the value.
#define TESTS_SETTER(option)                                                 \
  [](auto& options, auto value) -> decltype(options.option(value), void()) { \
    options.option(value);                                                   \
  }
[[maybe_unused]] const auto set_dim = TESTS_SETTER(dim);
[[maybe_unused]] const auto set_bias = TESTS_SETTER(bias);
[[maybe_unused]] const auto set_keep_output = TESTS_SETTER(keep_output);
#undef TESTS_SETTER

template <class Options>
void expect_integers_for_dim() {
  using Dim = decltype(set_dim);
  static_assert(kTakes<Dim, Options&, int> && kTakes<Dim, Options&, std::int64_t>);
  static_assert(!kTakes<Dim, Options&, bool> && !kTakes<Dim, Options&, double>);
}

template <class Options>
void expect_integers_for_bias() {
  using Bias = decltype(set_bias);
  static_assert(kTakes<Bias, Options&, int> && kTakes<Bias, Options&, std::int64_t>);
  static_assert(!kTakes<Bias, Options&, bool> && !kTakes<Bias, Options&, double>);
}

template <class Constructed>
void expect_an_integer_or_nothing() {
  static_assert(std::is_constructible_v<Constructed>);
  static_assert(std::is_constructible_v<Constructed, int>);
  static_assert(std::is_constructible_v<Constructed, std::int64_t>);
  static_assert(!std::is_constructible_v<Constructed, bool>);
  static_assert(!std::is_constructible_v<Constructed, double>);
}

TEST(Traps, ABoolIsNoChannelAxis) {
  // LKSELU(false), LKSELUOptions().dim(false): the `inplace` of LibTorch's layers.
#define TESTS_DIM(A, function, Module)                                 \
  expect_integers_for_dim<ln::Module##Options>();                      \
  expect_integers_for_dim<F::Module##FuncOptions>();                   \
  expect_an_integer_or_nothing<F::Module##FuncOptions>();              \
  if constexpr (!ln::activation::A::has_weight) {                      \
    expect_an_integer_or_nothing<ln::OptionsOf<ln::activation::A>>();  \
    expect_an_integer_or_nothing<ln::LinkedImpl<ln::activation::A>>(); \
  }
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_DIM)
#undef TESTS_DIM

  using ReLU = decltype(F::lk_relu);
  static_assert(kTakes<ReLU, Tensor> && kTakes<ReLU, Tensor, int>);
  static_assert(kTakes<ReLU, Tensor, Tensor> && kTakes<ReLU, Tensor, Tensor, int>);
  static_assert(!kTakes<ReLU, Tensor, bool> && !kTakes<ReLU, Tensor, double>);
  static_assert(!kTakes<ReLU, Tensor, Tensor, bool>);

  using PReLU = decltype(F::lk_prelu);
  static_assert(kTakes<PReLU, Tensor, Tensor, Tensor, int>);
  static_assert(!kTakes<PReLU, Tensor, Tensor, Tensor, bool>);

  const Tensor x = torch::randn({3, 4});
  EXPECT_TRUE(F::lk_relu(x, -1).equal(F::lk_relu(x, F::LKReLUFuncOptions().dim(1))));
  EXPECT_EQ(ln::LKSELU(-1)->options.dim(), -1);
}

TEST(Traps, ABoolIsNoBiasAndAnIntegerNoBool) {
#define TESTS_BIAS(A, function, Module) expect_integers_for_bias<ln::Module##Options>();
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_BIAS)
#undef TESTS_BIAS

  using KeepOutput = decltype(set_keep_output);
  static_assert(kTakes<KeepOutput, ln::LKReLUOptions&, bool>);
  static_assert(!kTakes<KeepOutput, ln::LKReLUOptions&, int>);

  EXPECT_EQ(ln::LKReLUOptions().bias(64).dim(-1).bias(), 64);
}

TEST(Traps, APReLUHasNoNumberForItsOptions) {
  // Neither has LibTorch's: is 64 the number of weights, or the channel axis?
  static_assert(!std::is_constructible_v<torch::nn::PReLUOptions, int>);
  static_assert(!std::is_constructible_v<ln::LKPReLUOptions, int>);
  static_assert(!std::is_constructible_v<ln::LKPReLUImpl, int>);
  static_assert(std::is_constructible_v<ln::LKPReLUImpl, ln::LKPReLUOptions>);
  EXPECT_EQ(ln::LKPReLUOptions().num_parameters(64).num_parameters(), 64);
}

TEST(Traps, AFunctionHasNoBiasOptionAndTakesNoOtherLayersOptions) {
  const auto call_bias = [](auto& options) -> decltype(options.bias(), void()) {};
  static_assert(kTakes<decltype(call_bias), ln::LKReLUOptions&>);
  static_assert(!kTakes<decltype(call_bias), F::LKReLUFuncOptions&>);
  static_assert(!kTakes<decltype(call_bias), F::LKPReLUFuncOptions&>);

  using ReLU = decltype(F::lk_relu);
  static_assert(kTakes<ReLU, Tensor, ln::LKReLUOptions>);
  static_assert(!kTakes<ReLU, Tensor, ln::LKPReLUOptions>);

  // An activation with weights asks for both, one without for none.
  using PReLU = decltype(F::linked<ln::activation::PReLU>);
  static_assert(kTakes<PReLU, Tensor, Tensor, Tensor>);
  static_assert(!kTakes<PReLU, Tensor> && !kTakes<PReLU, Tensor, Tensor>);
  static_assert(!kTakes<ReLU, Tensor, Tensor, Tensor>);
}

TEST(Traps, ALayersBiasIsNotDroppedByItsFunction) {
  const Tensor x = torch::randn({2, 3});
  const Tensor weight = torch::full({1}, 0.5);
  const auto relu = ln::LKReLUOptions().bias(3);
  const auto prelu = ln::LKPReLUOptions().bias(3);
  struct Case {
    std::function<Tensor()> call;
    std::string message;
  };
  const std::string rest = ": expected a bias beside the input, since the options are a layer's "
                           "with a bias of 3 channels, got none";
  const Case cases[] = {
      {[&] { return F::lk_relu(x, relu); }, "lk_relu" + rest},
      {[&] { return F::lk_relu(x, {}, relu); }, "lk_relu" + rest},
      {[&] { return Functional(F::lk_relu, relu)(x); }, "lk_relu" + rest},
      {[&] { return F::lk_prelu(x, weight, weight, prelu); }, "lk_prelu" + rest}};
  for (const auto& [call, message] : cases) {
    expect_error(call, message);
  }
  const Tensor bias = torch::randn({3});
  EXPECT_TRUE(F::lk_relu(x, bias, relu).equal(F::lk_relu(x + bias)));
  EXPECT_TRUE(
      F::lk_prelu(x, weight, weight, bias, prelu).equal(F::lk_prelu(x + bias, weight, weight)));
}

/// Calls of a function, in every form that LibTorch's functions have.
struct Calls {
  Tensor x = torch::randn({3, 4, 4});
  Tensor bias = torch::randn({4});
  Tensor weight = torch::full({1}, 0.5);

  template <class Function, class Options, class FuncOptions, class... Weight>
  void check(const Function& function, const Options&, const FuncOptions&, const Weight&... w) {
    const Tensor y = function(x, w...);
    EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{3, 8, 4}));
    EXPECT_TRUE(function(x, w..., {}).equal(y));
    EXPECT_TRUE(function(x, w..., Options()).equal(y));
    EXPECT_TRUE(function(x, w..., FuncOptions()).equal(y));
    EXPECT_TRUE(function(x, w..., Tensor()).equal(y));
    EXPECT_TRUE(function(x, w..., Tensor(), {}).equal(y));
    EXPECT_TRUE(function(x, w..., {}, {}).equal(y));

    const Tensor last = function(x, w..., -1);
    EXPECT_EQ(last.sizes(), (std::vector<std::int64_t>{3, 4, 8}));
    EXPECT_TRUE(function(x, w..., Options().dim(-1)).equal(last));
    EXPECT_TRUE(function(x, w..., FuncOptions().dim(-1)).equal(last));

    const Tensor biased = function(x + bias, w..., -1);
    EXPECT_TRUE(function(x, w..., bias, -1).equal(biased));
    EXPECT_TRUE(function(x, w..., bias, Options().dim(-1)).equal(biased));
    EXPECT_TRUE(function(x, w..., bias, FuncOptions().dim(-1)).equal(biased));
    EXPECT_TRUE(function(x, w..., bias).equal(function(x + bias.view({4, 1}), w...)));

    EXPECT_TRUE(Functional(function, w..., FuncOptions().dim(-1))(x).equal(last));
    EXPECT_TRUE(Functional(function, w..., Options().dim(-1))(x).equal(last));
    EXPECT_TRUE(Functional(function, w..., bias, -1)(x).equal(biased));
    Sequential net(Functional(function, w..., FuncOptions().dim(-1)), Functional(torch::neg));
    EXPECT_TRUE(net->forward(x).equal(-last));
  }
};

TEST(Traps, FunctionsAreCalledAsLibTorchs) {
  Calls calls;
  const Tensor& w = calls.weight;
  calls.check(F::lk_relu, ln::LKReLUOptions(), F::LKReLUFuncOptions());
  calls.check(F::lk_selu, ln::LKSELUOptions(), F::LKSELUFuncOptions());
  calls.check(F::lk_swish, ln::LKSwishOptions(), F::LKSwishFuncOptions());
  calls.check(F::lk_prelu, ln::LKPReLUOptions(), F::LKPReLUFuncOptions(), w, w);
  calls.check(
      F::linked<Snake>,
      ln::OptionsOf<Snake>().frequency(0.5),
      F::FuncOptionsOf<Snake>().frequency(0.5));

  // A layer's weights go with all of its options.
  ln::LKPReLU layer(ln::LKPReLUOptions().num_parameters(4).init(0.125).dim(-1));
  EXPECT_TRUE(F::lk_prelu(calls.x, layer->weight_pos, layer->weight_neg, layer->options)
                  .equal(layer(calls.x)));

  Functional relu(F::lk_relu);
  EXPECT_TRUE(Sequential(relu)->forward(calls.x).equal(F::lk_relu(calls.x)));
}

TEST(Traps, KeepOutputIsKept) {
  const Tensor x = torch::randn({2, 64}).requires_grad_();
  using Node = ln::detail::LinkedBackward<ln::activation::ReLU>;
  const auto keeps_output = [](const Tensor& y) {
    return dynamic_cast<Node&>(*y.grad_fn()).saved_variables()[0].defined();
  };
  EXPECT_FALSE(keeps_output(F::lk_relu(x)));
  EXPECT_TRUE(keeps_output(F::lk_relu(x, F::LKReLUFuncOptions().keep_output(true))));
  EXPECT_TRUE(keeps_output(F::lk_relu(x, ln::LKReLUOptions().keep_output(true))));
  EXPECT_TRUE(keeps_output(ln::LKReLU(ln::LKReLUOptions().keep_output(true))(x)));
}

/// A function that is given a layer's options, and the layer.
template <class Activation>
void expect_input_kept() {
  const Tensor x = torch::randn({2, 64}).requires_grad_();
  using Node = ln::detail::LinkedBackward<Activation>;
  const auto keeps_input = [&](const Tensor& y) {
    return dynamic_cast<Node&>(*y.grad_fn()).saved_variables()[0].is_same(x);
  };
  const auto options = ln::OptionsOf<Activation>().keep_input(true);
  ln::Linked<Activation> layer(options);
  EXPECT_TRUE(keeps_input(layer->forward(x)));
  EXPECT_FALSE(keeps_input(ln::Linked<Activation>()->forward(x)));
  if constexpr (Activation::has_weight) {
    EXPECT_TRUE(keeps_input(
        F::linked<Activation>(x, layer->weight_pos, layer->weight_neg, layer->options)));
  } else {
    EXPECT_TRUE(keeps_input(F::linked<Activation>(x, options)));
  }
}

TEST(Traps, KeepInputIsKept) {
#define TESTS_KEPT(A, function, Module) expect_input_kept<ln::activation::A>();
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_KEPT)
#undef TESTS_KEPT
  const Tensor x = torch::randn({2, 64});
  expect_error(
      [&] { F::lk_relu(x, ln::LKReLUOptions().keep_output(true).keep_input(true)); },
      "lk_relu: expected keep_output or keep_input to be true, got both");
}

TEST(Traps, ModulesSayTheirNames) {
  const auto name = [](const auto& layer) { return layer->name(); };
  EXPECT_EQ(name(torch::nn::ReLU()), "torch::nn::ReLUImpl");
  EXPECT_EQ(name(ln::LKReLU()), "linked_neurons::LKReLUImpl");
  EXPECT_EQ(name(ln::LKReLU()->clone()), "linked_neurons::LKReLUImpl");
  EXPECT_EQ(name(ln::LKPReLU()), "linked_neurons::LKPReLUImpl");
  EXPECT_EQ(name(ln::LKSELU()), "linked_neurons::LKSELUImpl");
  EXPECT_EQ(name(ln::LKSwish()), "linked_neurons::LKSwishImpl");
  EXPECT_EQ(name(ln::Linked<Snake>()), "linked_neurons::LinkedImpl<snake>");
  EXPECT_EQ(name(ln::Linked<Snake>()->clone()), "linked_neurons::LinkedImpl<snake>");
}

TEST(Traps, ModulesPrintWhatIsSet) {
  const auto text = [](const ln::LKReLUOptions& options) {
    std::ostringstream stream;
    stream << ln::LKReLU(options);
    return stream.str();
  };
  EXPECT_EQ(text({}), "linked_neurons::LKReLU(dim=1)");
  EXPECT_EQ(
      text(ln::LKReLUOptions().bias(3).keep_output(true)),
      "linked_neurons::LKReLU(dim=1, bias=3, keep_output=true)");
  EXPECT_EQ(
      text(ln::LKReLUOptions().keep_input(true)), "linked_neurons::LKReLU(dim=1, keep_input=true)");
}

TEST(Traps, SiLUIsSwish) {
  static_assert(std::is_same_v<ln::LKSiLU, ln::LKSwish>);
  static_assert(std::is_same_v<ln::LKSiLUImpl, ln::LKSwishImpl>);
  static_assert(std::is_same_v<ln::LKSiLUOptions, ln::LKSwishOptions>);
  static_assert(std::is_same_v<F::LKSiLUFuncOptions, F::LKSwishFuncOptions>);
  const Tensor x = torch::randn({2, 3});
  const Tensor expected = torch::cat({torch::silu(x), torch::silu(-x)}, 1);
  EXPECT_TRUE(ln::LKSiLU(ln::LKSiLUOptions().dim(1))(x).allclose(expected, 1e-6, 1e-6));
  EXPECT_TRUE(F::lk_silu(x, F::LKSiLUFuncOptions()).allclose(expected, 1e-6, 1e-6));
}

/// What the channel axis has to be for samples that have it elsewhere than a batch of images has.
TEST(Traps, OneImageAndSequencesNameTheirAxis) {
  const Tensor images = torch::randn({2, 3, 4, 5});
  const Tensor image = images[0];
  EXPECT_TRUE(F::lk_relu(image, F::LKReLUFuncOptions().dim(-3)).equal(F::lk_relu(images)[0]));
  const Tensor sequences = torch::randn({2, 6, 3});
  const Tensor vectors = sequences.view({12, 3});
  EXPECT_TRUE(F::lk_relu(sequences, F::LKReLUFuncOptions().dim(-1))
                  .equal(F::lk_relu(vectors).view({2, 6, 6})));
}

} // namespace
} // namespace tests
