// The modules: the same layer as their function, and modules as LibTorch's own are.
#include "expect_error.h"
#include "module_types.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <functional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace tests {
namespace {

using ln::LKPReLU;
using ln::LKPReLUOptions;

/// A module's name and the function that does the same.
template <class Holder>
struct Facts;

#define TESTS_FACTS(A, function_of_module, Module)                   \
  template <>                                                        \
  struct Facts<ln::Module> {                                         \
    static constexpr auto name = #Module;                            \
                                                                     \
    template <class Layer>                                           \
    static Tensor function(const Layer& layer, const Tensor& x) {    \
      if constexpr (ln::activation::A::has_weight) {                 \
        return ln::functional::function_of_module(                   \
            x, layer.weight_pos, layer.weight_neg, layer.options);   \
      } else {                                                       \
        return ln::functional::function_of_module(x, layer.options); \
      }                                                              \
    }                                                                \
  };
TESTS_FOR_EVERY_ACTIVATION(TESTS_FACTS)
#undef TESTS_FACTS

template <>
struct Facts<ln::Linked<Snake>> {
  static constexpr auto name = "Linked<snake>";

  static Tensor function(const ln::LinkedImpl<Snake>& layer, const Tensor& x) {
    return ln::functional::linked<Snake>(x, layer.options);
  }
};

template <class Holder>
class ModuleTest : public testing::Test {
 protected:
  using Activation = ActivationOf<Holder>;

  static Holder make(std::int64_t dim = 1) {
    auto options = typename Holder::Impl::Options().dim(dim);
    if constexpr (Activation::has_number) {
      options.number_of_activation() = kNumber<Activation>;
    }
    Holder layer(options);
    torch::NoGradGuard guard;
    // Weights that tell the halves apart.
    if (layer->weight_pos.defined()) {
      layer->weight_pos.fill_(0.125);
      layer->weight_neg.fill_(-0.5);
    }
    return layer;
  }

  const Tensor x = torch::randn({2, 3, 4, 5});
};

TYPED_TEST_SUITE(ModuleTest, Modules, NameOfModule);

TYPED_TEST(ModuleTest, EqualsItsFunctionAndTheComposedExpression) {
  using Activation = typename TestFixture::Activation;
  for (const std::int64_t dim : {0, 1, 3, -1, -4}) {
    auto layer = this->make(dim);
    const Tensor y = layer(this->x);
    EXPECT_TRUE(y.equal(Facts<TypeParam>::function(*layer, this->x))) << dim;
    const Tensor expected =
        composed<Activation>(this->x, {layer->weight_pos, layer->weight_neg}, dim);
    EXPECT_TRUE(y.allclose(expected, 1e-6, 1e-6)) << dim;
  }
}

TYPED_TEST(ModuleTest, TakesTheChannelAxisFromItsOptions) {
  EXPECT_EQ(TypeParam()->options.dim(), 1);
  EXPECT_EQ(this->make(-2)(this->x).sizes(), (std::vector<std::int64_t>{2, 3, 8, 5}));
}

TYPED_TEST(ModuleTest, PrintsItself) {
  std::ostringstream text;
  text << *this->make(-1);
  std::string first;
  if constexpr (TestFixture::Activation::has_number) {
    first = TestFixture::Activation::number_name + std::string("=0.3, ");
  } else if (TestFixture::Activation::has_weight) {
    first = "num_parameters=1, ";
  }
  const std::string name = Facts<TypeParam>::name;
  EXPECT_EQ(text.str(), "linked_neurons::" + name + "(" + first + "dim=-1)");
}

TYPED_TEST(ModuleTest, CloneKeepsTheTypeAndCopiesDeeply) {
  auto layer = this->make(-2);
  const auto clone = std::dynamic_pointer_cast<typename TypeParam::Impl>(layer->clone());
  ASSERT_NE(clone, nullptr);
  EXPECT_EQ(clone->options.dim(), -2);
  const Tensor before = layer(this->x);
  EXPECT_TRUE(clone->forward(this->x).equal(before));
  if (layer->weight_pos.defined()) {
    torch::NoGradGuard guard;
    for (auto& parameter : clone->parameters()) {
      parameter.mul_(-3);
    }
    EXPECT_TRUE(layer(this->x).equal(before));
    // What clone() hands out as parameters is what its forward() reads.
    EXPECT_FALSE(clone->forward(this->x).equal(before));
  }
}

TYPED_TEST(ModuleTest, SurvivesSaveAndLoad) {
  auto saved = this->make();
  std::stringstream stream;
  torch::save(saved, stream);
  TypeParam loaded(saved->options);
  torch::load(loaded, stream);
  EXPECT_TRUE(loaded(this->x).equal(saved(this->x)));
}

TYPED_TEST(ModuleTest, SurvivesSaveAndLoadInASequential) {
  const auto net = [](TypeParam layer) {
    return torch::nn::Sequential(torch::nn::Conv2d(3, 4, 1), layer, torch::nn::Conv2d(8, 2, 1));
  };
  const auto layer = this->make();
  auto saved = net(layer);
  std::stringstream stream;
  torch::save(saved, stream);
  auto loaded = net(TypeParam(layer->options));
  torch::load(loaded, stream);
  EXPECT_TRUE(loaded->forward(this->x).equal(saved->forward(this->x)));
}

TYPED_TEST(ModuleTest, LivesInLibTorchsContainers) {
  auto layer = this->make();
  const Tensor expected = layer(this->x);

  torch::nn::Sequential sequential(layer);
  EXPECT_TRUE(sequential->forward(this->x).equal(expected));
  EXPECT_TRUE(std::dynamic_pointer_cast<torch::nn::SequentialImpl>(sequential->clone())
                  ->forward(this->x)
                  .equal(expected));
  EXPECT_NE(sequential->template ptr<typename TypeParam::Impl>(0), nullptr);

  torch::nn::AnyModule any(layer);
  EXPECT_TRUE(any.forward(this->x).equal(expected));

  torch::nn::ModuleList list(layer);
  EXPECT_TRUE(list->template at<typename TypeParam::Impl>(0).forward(this->x).equal(expected));

  torch::nn::ModuleDict dictionary;
  dictionary->update({{"layer", layer.ptr()}});
  auto& entry = *dictionary["layer"]->template as<typename TypeParam::Impl>();
  EXPECT_TRUE(entry.forward(this->x).equal(expected));

  const std::size_t weights = layer->parameters().size();
  EXPECT_EQ(sequential->parameters().size(), weights);
  EXPECT_EQ(list->parameters().size(), weights);
  EXPECT_EQ(dictionary->parameters().size(), weights);
}

TYPED_TEST(ModuleTest, ChangesTypeAndMode) {
  auto layer = this->make();
  const Tensor before = layer(this->x);
  layer->to(torch::kDouble);
  const Tensor converted = layer(this->x.to(torch::kDouble));
  EXPECT_EQ(converted.scalar_type(), torch::kDouble);
  EXPECT_TRUE(converted.to(torch::kFloat).allclose(before, 1e-6, 1e-6));

  layer->eval();
  EXPECT_FALSE(layer->is_training());
  EXPECT_TRUE(layer(this->x.to(torch::kDouble)).equal(converted));
  layer->train();
  EXPECT_TRUE(layer->is_training());
  EXPECT_TRUE(layer(this->x.to(torch::kDouble)).equal(converted));
}

TYPED_TEST(ModuleTest, HasWeightsOnlyIfItsActivationHas) {
  const auto parameters = TypeParam()->named_parameters();
  if (!ActivationOf<TypeParam>::has_weight) {
    EXPECT_TRUE(parameters.is_empty());
    return;
  }
  EXPECT_EQ(parameters.keys(), (std::vector<std::string>{"weight_pos", "weight_neg"}));
  for (const auto& parameter : parameters) {
    EXPECT_TRUE(parameter.value().equal(torch::full({1}, 0.25))) << parameter.key();
    EXPECT_TRUE(parameter.value().requires_grad()) << parameter.key();
  }
}

struct WeightsCase {
  const char* name;
  LKPReLUOptions options;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> broadcast; ///< `sizes` against an input of sizes 2, 3, 4, 5
  const char* printed;
};

class WeightsTest : public testing::TestWithParam<WeightsCase> {};

TEST_P(WeightsTest, AreCountedInitialisedAndTrained) {
  const auto& [name, options, sizes, broadcast, printed] = GetParam();
  LKPReLU layer(options);
  for (const auto& weights : layer->parameters()) {
    EXPECT_TRUE(weights.equal(torch::full(sizes, options.init())));
  }
  std::ostringstream text;
  text << layer;
  EXPECT_EQ(text.str(), printed);

  // Other weights, one different from the next, make composed and fused comparable.
  {
    torch::NoGradGuard guard;
    layer->weight_pos.normal_();
    layer->weight_neg.normal_();
  }
  const Tensor x = torch::randn({2, 3, 4, 5});
  const Tensor y = layer(x);
  const Tensor expected = composed<ln::activation::PReLU>(
      x, {layer->weight_pos.view(broadcast), layer->weight_neg.view(broadcast)}, options.dim());
  EXPECT_TRUE(y.equal(expected));
  const Tensor grad = torch::randn_like(y);
  const auto ours = torch::autograd::grad({y}, layer->parameters(), {grad});
  const auto theirs = torch::autograd::grad({expected}, layer->parameters(), {grad});
  EXPECT_EQ(ours[0].sizes(), sizes);
  EXPECT_TRUE(ours[0].allclose(theirs[0], 1e-5, 1e-5));
  EXPECT_TRUE(ours[1].allclose(theirs[1], 1e-5, 1e-5));

  const auto clone = std::dynamic_pointer_cast<ln::LKPReLUImpl>(layer->clone());
  EXPECT_TRUE(clone->forward(x).equal(y));

  layer->reset_parameters();
  EXPECT_TRUE(layer->weight_pos.equal(torch::full(sizes, options.init())));
  EXPECT_TRUE(layer->weight_neg.equal(torch::full(sizes, options.init())));
  EXPECT_TRUE(layer->named_parameters()["weight_pos"].is_same(layer->weight_pos));
  EXPECT_TRUE(layer->named_parameters()["weight_neg"].is_same(layer->weight_neg));
}

INSTANTIATE_TEST_SUITE_P(
    ,
    WeightsTest,
    testing::Values(
        WeightsCase{
            "one", LKPReLUOptions(), {1}, {1}, "linked_neurons::LKPReLU(num_parameters=1, dim=1)"},
        WeightsCase{
            "per_channel",
            LKPReLUOptions().num_parameters(3).init(0),
            {3},
            {3, 1, 1},
            "linked_neurons::LKPReLU(num_parameters=3, dim=1)"},
        WeightsCase{
            "per_channel_at_the_last_axis",
            LKPReLUOptions().num_parameters(5).dim(-1).init(-2),
            {5},
            {5},
            "linked_neurons::LKPReLU(num_parameters=5, dim=-1)"},
        WeightsCase{
            "per_element",
            LKPReLUOptions().shape({3, 4, 5}).init(0.5),
            {3, 4, 5},
            {3, 4, 5},
            "linked_neurons::LKPReLU(shape=[3, 4, 5], dim=1)"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LKPReLUTest, TrainsItsWeights) {
  LKPReLU layer;
  torch::optim::SGD optimizer(layer->parameters(), 0.5);
  layer(torch::tensor({{-1.0F, 3.0F}})).sum().backward();
  optimizer.step();
  // Weight by weight: g(-1) = -a and g(-3) = -3 a; the steps go the other way.
  EXPECT_TRUE(layer->weight_pos.equal(torch::full({1}, 0.25 + 0.5 * 1)));
  EXPECT_TRUE(layer->weight_neg.equal(torch::full({1}, 0.25 + 0.5 * 3)));
}

TEST(LKPReLUTest, OptionsChainInAnyOrder) {
  using Setter = std::function<LKPReLUOptions&(LKPReLUOptions&)>;
  // A step is known by the option that it sets.
  const std::vector<Setter> steps = {
      [](LKPReLUOptions & options) -> auto& {return options.num_parameters(4);
}
, [](LKPReLUOptions& options) -> auto& {
  return options.shape({3, 4});
}
, [](LKPReLUOptions& options) -> auto& {
  return options.init(0.1);
}
, [](LKPReLUOptions& options) -> auto& {
  return options.dim(-1);
}
}; // namespace
std::vector<std::size_t> order = {0, 1, 2, 3};
do {
  LKPReLUOptions options;
  LKPReLUOptions* last = &options;
  for (const auto step : order) {
    last = &steps[step](*last);
  }
  EXPECT_EQ(last, &options);
  EXPECT_EQ(options.num_parameters(), 4);
  EXPECT_EQ(options.shape(), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(options.init(), 0.1);
  EXPECT_EQ(options.dim(), -1);
} while (std::next_permutation(order.begin(), order.end()));
} // namespace tests

TEST(LKPReLUTest, RefusesBadOptions) {
  struct Case {
    LKPReLUOptions options;
    const char* message;
  };
  const Case cases[] = {
      {LKPReLUOptions().num_parameters(0),
       "LKPReLU: expected num_parameters to be 1 or the input's channels, got 0"},
      {LKPReLUOptions().num_parameters(-3),
       "LKPReLU: expected num_parameters to be 1 or the input's channels, got -3"},
      {LKPReLUOptions().num_parameters(4).shape({3, 4}),
       "LKPReLU: expected num_parameters or shape, got both: 4 and [3, 4]"},
      {LKPReLUOptions().shape({3, 0}), "LKPReLU: expected a shape of positive sizes, got [3, 0]"}};
  for (const auto& [options, message] : cases) {
    expect_error([&options = options] { LKPReLU layer(options); }, message);
  }
}

TEST(VersionTest, IsOneNumberForThePreprocessor) {
#if LINKED_NEURONS_VERSION < 100
  FAIL() << "a version below 0.1.0";
#endif
  // A factor in front tells whether the macro is in parentheses.
  EXPECT_EQ(
      2 * LINKED_NEURONS_VERSION,
      20000 * LINKED_NEURONS_VERSION_MAJOR + 200 * LINKED_NEURONS_VERSION_MINOR +
          2 * LINKED_NEURONS_VERSION_PATCH);
}

} // namespace
} // namespace tests
