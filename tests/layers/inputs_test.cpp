// Inputs that are no plain tensors: each kind of them with each layer. What the layers cannot do
// they refuse by name; the rest is compared with the composed expression.
#include "every_layer.h"
#include "expect_error.h"

#include <ATen/FunctionalTensorWrapper.h>
#include <torch/version.h>

#include <functional>
#include <string>
#include <tuple>
#include <vector>

namespace tests {
namespace {

Tensor numbers() {
  return torch::randn({2, 3, 4}, at::kDouble);
}

struct Kind {
  const char* name;
  Tensor (*make)();
  std::string refusal; ///< how the message goes on behind the layer's name; none: it is taken
};

const Kind kKinds[] = {
    {"undefined", [] { return Tensor(); }, "expected a tensor, got an undefined one"},
    {"sparse",
     [] { return numbers().to_sparse(); },
     "expected a strided tensor, got one of layout Sparse"},
    {"sparse_csr",
     [] { return numbers()[0].to_sparse_csr(); },
     "expected a strided tensor, got one of layout SparseCsr"},
    {"mkldnn",
     [] { return numbers().to(at::kFloat).to_mkldnn(); },
     "expected a strided tensor, got one of layout Mkldnn"},
    {"nested",
     [] {
       return at::_nested_tensor_from_tensor_list({numbers()[0], numbers()[0]});
     },
     "expected a tensor of one shape, got a nested one of layout Strided"},
    {"quantized",
     [] { return at::quantize_per_tensor(numbers().to(at::kFloat), 0.1, 0, at::kQInt8); },
     "expected a tensor of type Double, Float, Half or BFloat16, got QInt8"},
    {"zeros",
     [] {
       return at::_efficientzerotensor({2, 3, 4}, at::kDouble);
     },
     ""},
    {"negated", [] { return at::_neg_view(numbers()); }, ""},
    {"imaginary",
     [] {
       return at::imag(at::view_as_complex(torch::randn({2, 3, 4, 2})).conj());
     },
     ""},
    {"functional", [] { return at::functionalization::impl::to_functional_tensor(numbers()); }, ""},
    {"overlapping",
     [] {
       return numbers().slice(1, 0, 1).expand({2, 3, 4});
     },
     ""},
    {"of_inference",
     [] {
       const c10::InferenceMode mode;
       return numbers();
     },
     ""}};

class EveryLayerAndKind : public testing::TestWithParam<std::tuple<Layer, Kind>> {};

INSTANTIATE_TEST_SUITE_P(
    ,
    EveryLayerAndKind,
    testing::Combine(testing::ValuesIn(kEveryLayer), testing::ValuesIn(kKinds)),
    [](const auto& info) {
      return std::get<0>(info.param).label() + "_" + std::get<1>(info.param).name;
    });

Tensor plain(const Tensor& tensor) {
  return at::functionalization::impl::isFunctionalTensor(tensor)
             ? at::functionalization::impl::from_functional_tensor(tensor)
             : tensor;
}

TEST_P(EveryLayerAndKind, IsRightOrRefused) {
  const auto& [layer, kind] = GetParam();
  const Tensor x = kind.make();
  if (!kind.refusal.empty()) {
    const auto parameters = layer.parameters(numbers(), 1, at::kDouble);
    expect_error(
        [&layer = layer, &x, &parameters] { layer.fused(x, parameters, 1); },
        std::string(layer.name) + ": " + kind.refusal);
    return;
  }
  const auto parameters = layer.parameters(x, 1, x.scalar_type());
  const Tensor expected = plain(layer.composed(x, parameters, 1));
  EXPECT_TRUE(plain(layer.fused(x, parameters, 1)).allclose(expected, 1e-6, 1e-6));
}

TEST_P(EveryLayerAndKind, IsRefusedAsAParameter) {
  const auto& [layer, kind] = GetParam();
  if (kind.refusal.find("of layout") == std::string::npos ||
      !(layer.has_bias || layer.has_weight)) {
    return;
  }
  const Tensor x = torch::randn({2, 3, 4}, kind.make().scalar_type());
  auto parameters = layer.parameters(x, 1, x.scalar_type());
  (layer.has_weight ? parameters.weight.pos : parameters.bias) = kind.make();
  const std::string which = layer.has_weight ? "weight_pos" : "bias";
  const std::string rest = kind.refusal.substr(std::string("expected ").size());
  expect_error(
      [&layer = layer, &x, &parameters] { layer.fused(x, parameters, 1); },
      std::string(layer.name) + ": expected " + which + " to be " + rest);
}

// LibTorch 2.15 has no names any more. (To ask for a header would find that of another LibTorch.)
#if TORCH_VERSION_MAJOR < 2 || TORCH_VERSION_MINOR < 15
at::Dimname name(const char* text) {
  return at::Dimname::fromSymbol(at::Symbol::dimname(text));
}

TEST_P(EveryLayer, KeepsTheNamesOfTheAxes) {
  const Layer& layer = GetParam();
  const std::vector<at::Dimname> names = {name("N"), name("C"), name("L")};
  const at::TensorOptions differentiated = at::TensorOptions(at::kDouble).requires_grad(true);
  const Tensor plain = numbers().requires_grad_();
  const Tensor leaf = plain.detach().clone().requires_grad_();
  for (const bool are_named : {false, true}) { // the parameters
    const auto parameters = layer.parameters(plain, 1, differentiated);
    auto given = parameters;
    if (are_named && layer.has_bias) {
      given.bias = given.bias.rename(at::DimnameList(names).slice(1, 1));
    }
    if (are_named && layer.has_weight) {
      given.weight.neg = given.weight.neg.rename(at::DimnameList(names).slice(1, 1));
    }
    for (const std::int64_t dim : {1, -2}) {
      const Tensor y = layer.fused(leaf.rename(at::DimnameList(names)), given, dim);
      EXPECT_EQ(y.names(), at::DimnameList(names));
      const Tensor expected = layer.composed(plain, parameters, dim);
      EXPECT_TRUE(y.rename({}).allclose(expected, 1e-6, 1e-6));
      const Tensor arriving = torch::randn(y.sizes(), at::kDouble);
      const auto theirs = torch::autograd::grad(
          {expected}, layer.leaves(plain, parameters), {arriving}, true, true);
      for (const Tensor& grad : {arriving, arriving.rename(at::DimnameList(names))}) {
        for (const bool twice : {false, true}) {
          const auto ours =
              torch::autograd::grad({y}, layer.leaves(leaf, parameters), {grad}, true, twice);
          for (std::size_t i = 0; i < ours.size(); ++i) {
            EXPECT_TRUE(ours[i].rename({}).allclose(theirs[i], 1e-6, 1e-6));
          }
        }
      }
    }
  }
}

TEST_P(EveryLayer, KeepsNamesWithoutGradientsToo) {
  const Layer& layer = GetParam();
  const std::vector<at::Dimname> names = {name("N"), at::Dimname::wildcard(), name("features")};
  const Tensor x = numbers().rename(at::DimnameList(names));
  const Tensor y = layer.fused(x, layer.parameters(x, -1, at::kDouble), -1);
  EXPECT_EQ(y.names(), at::DimnameList(names));
}
#endif

} // namespace
} // namespace tests
