// The operators in a program that links their library and names nothing of it.
#include <linked_neurons/activation/all.h>

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <vector>

namespace {

struct Layer {
  std::string name;
  bool has_weight;
};

class Operator : public testing::TestWithParam<Layer> {};

TEST_P(Operator, IsRegistered) {
  const auto name = "linked_neurons::" + GetParam().name;
  const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
  ASSERT_TRUE(found.has_value());
  torch::jit::Stack stack{torch::randn({2, 3})};
  if (GetParam().has_weight) {
    stack.insert(stack.end(), 2, torch::ones({1}));
  }
  const auto& arguments = found->schema().arguments();
  for (auto i = stack.size(); i < arguments.size(); ++i) {
    const auto& by_default = arguments[i].default_value();
    ASSERT_TRUE(by_default.has_value());
    stack.push_back(*by_default);
  }
  found->callBoxed(stack);
  EXPECT_EQ(stack.at(0).toTensor().sizes(), (at::IntArrayRef{2, 6}));
}

#define TESTS_LAYER(A, function, Module) \
  Layer{#function, linked_neurons::activation::A::has_weight},
INSTANTIATE_TEST_SUITE_P(
    Layers,
    Operator,
    testing::ValuesIn(std::vector<Layer>{LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_LAYER)}),
    [](const auto& info) { return info.param.name; });
#undef TESTS_LAYER

} // namespace
