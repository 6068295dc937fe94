// The library's layers and the optional ones, with a bias and without, as one table: for the tests
// that treat them alike.
#pragma once

#include "contract.h"
#include "optional_layers.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tests {

struct Layer {
  const char* name;      ///< what its messages start with
  ln::Saved saved;       ///< by the activation, or as the option says
  ln::detail::Keep keep; ///< the option
  bool has_weight, has_bias;
  Contract contract; ///< kept by the library's own activations
  Tensor (*fused)(const Tensor& x, const Parameters& parameters, std::int64_t dim);
  /// The weights broadcast against x.
  Tensor (*composed)(const Tensor& x, const Parameters& parameters, std::int64_t dim);
  /// What the graph of a fused output keeps.
  torch::autograd::variable_list (*saved_by)(const Tensor& y);

  std::string label() const {
    const char* const by_option[] = {"", "_from_output", "_from_input"};
    return std::string(name) + by_option[static_cast<int>(keep)] + (has_bias ? "_with_bias" : "");
  }

  bool keeps_output(bool weights_differentiated) const {
    return saved == ln::Saved::output ||
           (saved == ln::Saved::masks && has_weight && weights_differentiated);
  }

  /// Weights that tell the halves apart and a bias that tells channels apart, where it has
  /// them.
  Parameters parameters(
      const Tensor& x, std::int64_t dim, const at::TensorOptions& options = {}) const {
    Parameters all;
    if (has_weight) {
      all.weight = {torch::full({1}, 0.375, options), torch::full({1}, -0.5, options)};
    }
    if (has_bias) {
      all.bias = torch::linspace(-0.7, 0.9, x.size(dim), options);
    }
    return all;
  }

  /// What of a layer's arguments can be differentiated.
  std::vector<Tensor> leaves(const Tensor& x, const Parameters& parameters) const {
    std::vector<Tensor> all = {x};
    if (has_weight) {
      all.insert(all.end(), {parameters.weight.pos, parameters.weight.neg});
    }
    if (has_bias) {
      all.push_back(parameters.bias);
    }
    return all;
  }
};

template <class Activation, ln::detail::Keep kKeep = ln::detail::Keep::saved>
Layer layer(bool has_bias) {
  using ln::detail::Keep;
  return {
      Activation::name,
      kKeep == Keep::output  ? ln::Saved::output
      : kKeep == Keep::input ? ln::Saved::input
                             : Activation::saved,
      kKeep,
      Activation::has_weight,
      has_bias,
      contract_of<Activation>(),
      [](const Tensor& x, const Parameters& parameters, std::int64_t dim) {
        const auto& [weight, bias] = parameters;
        ln::functional::FuncOptionsOf<Activation> options(dim);
        options.keep_input(kKeep == Keep::input);
        if constexpr (Activation::has_number) {
          options.number_of_activation() = kNumber<Activation>;
        }
        if constexpr (Activation::has_weight) {
          return ln::functional::linked<Activation>(x, weight.pos, weight.neg, bias, options);
        } else {
          options.keep_output(kKeep == Keep::output);
          return ln::functional::linked<Activation>(x, bias, options);
        }
      },
      [](const Tensor& x, const Parameters& parameters, std::int64_t dim) {
        return composed<Activation>(x, parameters.weight, dim, parameters.bias);
      },
      [](const Tensor& y) {
        using Node = ln::detail::LinkedBackward<Activation>;
        return dynamic_cast<Node&>(*y.grad_fn()).saved_variables();
      }};
}

/// Appends the layers of an activation with a bias, or without.
template <class Activation>
void append_layers(std::vector<Layer>& all, bool has_bias) {
  all.push_back(layer<Activation>(has_bias));
  if (Activation::output_tells_masks) {
    all.push_back(layer<Activation, ln::detail::Keep::output>(has_bias));
  }
}

#define TESTS_LAYER(A, function, Module) append_layers<ln::activation::A>(all, has_bias);
#define TESTS_LAYER_FROM_INPUT(A, function, Module) \
  all.push_back(layer<ln::activation::A, ln::detail::Keep::input>(true));
inline const std::vector<Layer> kLibraryLayers = [] {
  std::vector<Layer> all;
  for (const bool has_bias : {false, true}) {
    LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_LAYER)
  }
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_LAYER_FROM_INPUT)
  return all;
}();

/// With the optional ones.
inline const std::vector<Layer> kBuiltInLayers = [] {
  std::vector<Layer> all;
  for (const bool has_bias : {false, true}) {
    TESTS_FOR_EVERY_ACTIVATION(TESTS_LAYER)
  }
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_LAYER_FROM_INPUT)
  return all;
}();
#undef TESTS_LAYER
#undef TESTS_LAYER_FROM_INPUT

} // namespace tests
