// What layers are called with, as named cases: types, memory layouts, shapes, axes, weights. Chosen
// cases are every combination that makes sense; random ones are drawn from a fixed seed each.
#pragma once

#include "reference.h"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <limits>
#include <numeric>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace tests {

using Sizes = std::vector<std::int64_t>;

/// As a part of a case's name: "2x3x5_dim1", "2x3x5_dim_minus1".
inline std::string label(const Sizes& sizes, std::int64_t dim) {
  std::string name;
  for (const auto size : sizes) {
    name += (name.empty() ? "" : "x") + std::to_string(size);
  }
  return name + (dim < 0 ? "_dim_minus" : "_dim") + std::to_string(dim < 0 ? -dim : dim);
}

inline std::int64_t draw(std::mt19937& random, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random);
}

/// How a tensor lies in memory.
struct Memory {
  const char* name;
  bool (*suits)(const Sizes& sizes);
  /// A tensor of the sizes of `x` that lies so, filled with numbers of `x`.
  Tensor (*lay_out)(const Tensor& x, std::mt19937& random);
};

inline bool has_elements(const Sizes& sizes) {
  return std::find(sizes.begin(), sizes.end(), 0) == sizes.end();
}

/// The axes in a random order; perhaps every second or third index of a larger tensor, perhaps some
/// axes expanded from one index.
inline Tensor lay_out_at_random(const Tensor& x, std::mt19937& random) {
  const bool expands = draw(random, 0, 3) == 0;
  const bool steps = draw(random, 0, 2) == 0;
  const std::int64_t offset = draw(random, 0, 5);
  Tensor values = x;
  Sizes order(x.dim());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  Sizes step(x.dim(), 1);
  Sizes memory_sizes;
  Sizes place(x.dim()); // of an axis in the order
  for (const auto axis : order) {
    if (expands && draw(random, 0, 2) == 0) {
      values = values.narrow(axis, 0, 1);
    }
    if (steps) {
      step[axis] = draw(random, 1, 3);
    }
    place[axis] = static_cast<std::int64_t>(memory_sizes.size());
    memory_sizes.push_back(values.size(axis) * step[axis]);
  }
  // Between the elements lie NaNs, which nobody may read.
  const std::int64_t numel = c10::multiply_integers(memory_sizes);
  Tensor result = at::full({offset + numel}, std::numeric_limits<double>::quiet_NaN(), x.options());
  result = result.narrow(0, offset, numel).view(memory_sizes).permute(place);
  for (const auto axis : order) {
    result = result.slice(axis, draw(random, 0, step[axis] - 1), result.size(axis), step[axis]);
  }
  result.copy_(values);
  return result.expand(x.sizes());
}

inline const std::vector<Memory> kMemory = {
    {"contiguous",
     [](const Sizes& /*sizes*/) { return true; },
     [](const Tensor& x, std::mt19937& /*random*/) { return x.contiguous(); }},
    {"channels_last",
     [](const Sizes& sizes) {
       return has_elements(sizes) && (sizes.size() == 4 || sizes.size() == 5);
     },
     [](const Tensor& x, std::mt19937& /*random*/) {
       return x.contiguous(
           x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d);
     }},
    {"axes_in_reverse_order",
     has_elements,
     [](const Tensor& x, std::mt19937& /*random*/) {
       Sizes reverse(x.dim());
       std::iota(reverse.rbegin(), reverse.rend(), 0);
       return x.permute(reverse).contiguous().permute(reverse);
     }},
    {"at_an_odd_offset",
     has_elements,
     [](const Tensor& x, std::mt19937& /*random*/) {
       return at::cat({x.new_zeros({1}), x.reshape({-1})}).narrow(0, 1, x.numel()).view(x.sizes());
     }},
    {"every_other_of_a_larger_tensor",
     has_elements,
     [](const Tensor& x, std::mt19937& /*random*/) {
       return at::stack({x, x + 1}, -1).select(-1, 0);
     }},
    {"rows_of_a_larger_tensor",
     has_elements,
     [](const Tensor& x, std::mt19937& /*random*/) {
       return at::cat({x, x}, 0).narrow(0, x.size(0) / 2, x.size(0));
     }},
    {"expanded_along_the_batch",
     has_elements,
     [](const Tensor& x, std::mt19937& /*random*/) { return x.narrow(0, 0, 1).expand(x.sizes()); }},
};

/// An input's sizes and its channel axis.
struct Shape {
  Sizes sizes;
  std::int64_t dim;
};

inline const std::vector<Shape> kShapes = {
    {{5}, 0},
    {{5}, -1},
    {{3, 7}, 1},
    {{3, 8}, 0},
    {{2, 3, 5}, 1},
    {{2, 8, 16}, -1},
    {{4, 3, 5}, 0},
    {{2, 16, 4, 6}, 1},
    {{2, 5, 3, 7}, 1},
    {{3, 4, 5, 6}, -1},
    {{3, 4, 5, 6}, -2},
    {{2, 3, 4, 6}, 0},
    {{2, 1, 3, 3}, 1},
    {{4, 6, 1, 1}, 1},
    {{1, 1, 1, 1}, 1},
    {{2, 4, 2, 3, 2}, 1},
    {{2, 3, 2, 2, 3}, -1},
    {{2, 3, 2, 2, 2, 2}, 1},
    {{33, 130}, 1},
    {{0, 4, 3}, 1},
    {{2, 0, 3}, 1},
};

/// How many weights a half has.
enum class Weights { none, one, per_channel, per_element };

inline std::vector<Weights> weights_of(bool has_weight) {
  return has_weight ? std::vector<Weights>{Weights::one, Weights::per_channel, Weights::per_element}
                    : std::vector<Weights>{Weights::none};
}

inline std::string label(Weights weights) {
  const char* const names[] = {"", "_one_weight", "_weights_per_channel", "_weights_per_element"};
  return names[static_cast<int>(weights)];
}

/// A layer and what it is called with.
/// \tparam Layer has a `label()`, and says whether it `has_weight` and whether it `has_bias`.
template <class Layer>
struct LayerCase {
  std::string name;
  Layer layer;
  Shape shape;
  Weights weights;
  Memory memory; ///< of the input and of the gradient
  at::ScalarType type;
  at::ScalarType parameters_type;
  std::uint32_t seed; ///< of all numbers, so that a case has the same ones when it runs alone

  Arguments arguments(at::Device device) const {
    torch::manual_seed(seed);
    std::mt19937 random(~seed); // not the numbers again that a random case was drawn from
    const auto numbers = [&](at::IntArrayRef sizes, at::ScalarType of_type) {
      return torch::randn(sizes, at::kDouble).to(of_type).to(device);
    };
    const auto& [sizes, dim] = shape;
    const std::size_t axis = dim < 0 ? sizes.size() + dim : dim;
    Sizes output_sizes = sizes;
    output_sizes[axis] *= 2;
    Arguments result;
    result.x = memory.lay_out(numbers(sizes, type) * 2, random);
    result.grad = memory.lay_out(numbers(output_sizes, type), random);
    result.dim = dim;
    if (weights != Weights::none) {
      Sizes weight_sizes = {1};
      result.weight_sizes = {1};
      if (weights == Weights::per_channel) {
        weight_sizes = {sizes[axis]};
        result.weight_sizes.assign(sizes.size() - axis, 1);
        result.weight_sizes[0] = sizes[axis];
      } else if (weights == Weights::per_element) {
        weight_sizes.assign(sizes.begin() + 1, sizes.end());
        result.weight_sizes = weight_sizes;
      }
      result.parameters.weight = {
          numbers(weight_sizes, parameters_type), numbers(weight_sizes, parameters_type)};
    }
    if (layer.has_bias) {
      result.parameters.bias = numbers({sizes[axis]}, parameters_type);
    }
    return result;
  }

  friend std::ostream& operator<<(std::ostream& stream, const LayerCase& self) {
    return stream << self.name << ": " << self.layer.label() << " of " << self.type << " "
                  << label(self.shape.sizes, self.shape.dim) << label(self.weights)
                  << ", parameters of " << self.parameters_type;
  }
};

/// Every combination of these that makes sense.
template <class Layer>
std::vector<LayerCase<Layer>> chosen_cases(
    const std::vector<Layer>& layers,
    const std::vector<at::ScalarType>& types,
    const std::vector<Memory>& memories,
    const std::vector<Shape>& shapes) {
  std::vector<LayerCase<Layer>> cases;
  for (const Layer& layer : layers) {
    for (const auto type : types) {
      for (const Memory& memory : memories) {
        for (const Shape& shape : shapes) {
          for (const Weights weights : weights_of(layer.has_weight)) {
            if (memory.suits(shape.sizes)) {
              const std::string name = layer.label() + "_" + label(type) + "_" + memory.name + "_" +
                                       label(shape.sizes, shape.dim) + label(weights);
              cases.push_back({name, layer, shape, weights, memory, type, type, 11});
            }
          }
        }
      }
    }
  }
  return cases;
}

/// So many cases, the layers in turn.
template <class Layer>
std::vector<LayerCase<Layer>> random_cases(const std::vector<Layer>& layers, std::uint32_t count) {
  const Memory memory = {"random", has_elements, lay_out_at_random};
  std::vector<LayerCase<Layer>> cases;
  for (std::uint32_t seed = 0; seed < count; ++seed) {
    std::mt19937 random(seed);
    const Layer& layer = layers[seed % layers.size()];
    Sizes sizes(draw(random, 1, 6));
    std::generate(sizes.begin(), sizes.end(), [&] { return draw(random, 1, 4); });
    const auto axes = static_cast<std::int64_t>(sizes.size());
    sizes[draw(random, 0, axes - 1)] = draw(random, 1, 80);
    const Shape shape = {sizes, draw(random, -axes, axes - 1)};
    const auto weights = weights_of(layer.has_weight);
    const auto type = kTypes[draw(random, 0, 3)];
    const bool has_float_parameters = draw(random, 0, 1) == 1;
    std::ostringstream name;
    name << layer.label() << "_random_" << std::setfill('0') << std::setw(4) << seed;
    cases.push_back(
        {name.str(),
         layer,
         shape,
         weights[draw(random, 0, static_cast<std::int64_t>(weights.size()) - 1)],
         memory,
         type,
         has_float_parameters ? computing_type(type) : type,
         seed});
  }
  return cases;
}

/// Names the cases for INSTANTIATE_TEST_SUITE_P.
inline constexpr auto kNameOfCase = [](const auto& info) { return info.param.name; };

/// For messages: what a name does not say.
inline std::string describe(const Arguments& arguments) {
  std::ostringstream text;
  text << arguments.x.scalar_type() << " of sizes " << arguments.x.sizes() << " and strides "
       << arguments.x.strides() << ", dim " << arguments.dim << ", gradient of strides "
       << arguments.grad.strides();
  return text.str();
}

} // namespace tests
