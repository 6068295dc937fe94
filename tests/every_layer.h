// The four layers and one that the library does not know, as one table for the tests that treat
// them alike.
#pragma once

#include "gelu.h"

#include <cstdint>
#include <vector>

namespace tests {

using Slopes = ln::Pair<Tensor>; ///< one slope a half, or undefined

struct Layer {
  const char* name;
  ln::Saved saved;
  bool has_slopes;
  Tensor (*fused)(const Tensor& x, const Slopes& slopes, std::int64_t dim);
  Tensor (*composed)(const Tensor& x, const Slopes& slopes, std::int64_t dim);
  /// What the graph of a fused output keeps.
  torch::autograd::variable_list (*kept_by)(const Tensor& y);

  /// Slopes that tell the halves apart, undefined where the layer has none.
  Slopes slopes(const at::TensorOptions& options = {}) const {
    if (!has_slopes) {
      return {};
    }
    return {torch::full({1}, 0.375, options), torch::full({1}, -0.5, options)};
  }

  /// What of a layer's arguments can be differentiated.
  std::vector<Tensor> leaves(const Tensor& x, const Slopes& slopes) const {
    return has_slopes ? std::vector<Tensor>{x, slopes.pos, slopes.neg} : std::vector<Tensor>{x};
  }
};

template <class Activation>
Layer layer() {
  return {
      Activation::name,
      Activation::saved,
      Activation::has_weight,
      [](const Tensor& x, [[maybe_unused]] const Slopes& slopes, std::int64_t dim) {
        if constexpr (Activation::has_weight) {
          return ln::functional::linked<Activation>(x, slopes.pos, slopes.neg, dim);
        } else {
          return ln::functional::linked<Activation>(x, dim);
        }
      },
      composed<Activation>,
      [](const Tensor& y) {
        using Node = torch::autograd::CppNode<ln::detail::LinkedFunction<Activation>>;
        return dynamic_cast<Node&>(*y.grad_fn()).ctx_.get_saved_variables();
      }};
}

inline const std::vector<Layer> kEveryLayer = {
    layer<ln::activation::ReLU>(),
    layer<ln::activation::PReLU>(),
    layer<ln::activation::SELU>(),
    layer<ln::activation::Swish>(),
    layer<LKGelu>()};

class EveryLayer : public testing::TestWithParam<Layer> {};

#define TESTS_FOR_EVERY_LAYER(fixture) \
  INSTANTIATE_TEST_SUITE_P(            \
      , fixture, testing::ValuesIn(kEveryLayer), [](const auto& info) { return info.param.name; })

} // namespace tests
