// The joint layers as one table: each activation with each kind of layer behind it, and the two
// layers one after the other, with which they are compared.
#pragma once

#include "snake.h"

#include <linked_neurons/joint_functional.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tests {

/// What a joint layer is called with.
struct JointInputs {
  Tensor z;
  ln::Pair<Tensor> slopes; ///< undefined where the activation has none
  Tensor input_bias;       ///< undefined without
  Tensor weight, bias;     ///< of the layer behind; the latter is undefined without

  /// Those that are defined.
  std::vector<Tensor> all() const {
    std::vector<Tensor> tensors;
    for (const Tensor& each : {z, slopes.pos, slopes.neg, input_bias, weight, bias}) {
      if (each.defined()) {
        tensors.push_back(each);
      }
    }
    return tensors;
  }
};

/// A linked activation with any layer behind it.
struct JointActivation {
  const char* name;
  bool has_weight;
  bool is_bit_exact; ///< whether backward is computed from masks either way
  Tensor (*activate)(const JointInputs& in, std::int64_t dim);
  Tensor (*conv1d)(const JointInputs& in, const ln::functional::LinkedConv1dFuncOptions& options);
  Tensor (*conv2d)(const JointInputs& in, const ln::functional::LinkedConv2dFuncOptions& options);
  Tensor (*conv3d)(const JointInputs& in, const ln::functional::LinkedConv3dFuncOptions& options);
  Tensor (*linear)(const JointInputs& in);
  /// What a joint layer's node keeps.
  torch::autograd::variable_list (*saved_by)(torch::autograd::Node& node);
};

/// Calls a function of the activation, joint or not, with the arguments of its kind.
template <class Activation, class Function, class... Rest>
Tensor call(const Function& function, const JointInputs& in, const Rest&... rest) {
  if constexpr (Activation::has_weight) {
    return function(in.z, in.slopes.pos, in.slopes.neg, rest...);
  } else {
    return function(in.z, rest...);
  }
}

template <class Activation>
JointActivation joint_activation() {
  namespace F = ln::functional;
  return {
      Activation::name,
      Activation::has_weight,
      Activation::saved == ln::Saved::masks,
      [](const JointInputs& in, std::int64_t dim) {
        return call<Activation>(F::linked<Activation>, in, in.input_bias, dim);
      },
      [](const JointInputs& in, const F::LinkedConv1dFuncOptions& options) {
        return call<Activation>(F::linked_conv1d<Activation>, in, in.weight, in.bias, options);
      },
      [](const JointInputs& in, const F::LinkedConv2dFuncOptions& options) {
        return call<Activation>(F::linked_conv2d<Activation>, in, in.weight, in.bias, options);
      },
      [](const JointInputs& in, const F::LinkedConv3dFuncOptions& options) {
        return call<Activation>(F::linked_conv3d<Activation>, in, in.weight, in.bias, options);
      },
      [](const JointInputs& in) {
        const auto options = F::LinkedLinearFuncOptions().input_bias(in.input_bias);
        return call<Activation>(F::linked_linear<Activation>, in, in.weight, in.bias, options);
      },
      [](torch::autograd::Node& node) {
        return dynamic_cast<ln::detail::JointBackward<Activation>&>(node).saved_variables();
      }};
}

inline const std::vector<JointActivation> kJointActivations = {
#define TESTS_ACTIVATION(A, function, Module) joint_activation<ln::activation::A>(),
    LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_ACTIVATION)
#undef TESTS_ACTIVATION
        joint_activation<Snake>()};

/// A layer behind the activation, with inputs that suit it.
struct JointKind {
  const char* name;
  std::vector<std::int64_t> sizes; ///< of z
  std::int64_t dim;                ///< of its channels
  std::vector<std::int64_t> weight_sizes;
  Tensor (*joint)(const JointActivation& activation, const JointInputs& in);
  /// LibTorch's layer, of the pair.
  Tensor (*layer)(const Tensor& pair, const Tensor& weight, const Tensor& bias);
};

template <std::size_t D>
ln::functional::LinkedConvFuncOptions<D> conv_options(const JointInputs& in) {
  return ln::functional::LinkedConvFuncOptions<D>().input_bias(in.input_bias);
}

#define TESTS_JOINT(call) \
  [](const JointActivation& activation, const JointInputs& in) { return activation.call; }
#define TESTS_LAYER_BEHIND(call) \
  [](const Tensor& pair, const Tensor& weight, const Tensor& bias) { return call; }

inline const std::vector<JointKind> kJointKinds = {
    {"conv2d",
     {2, 4, 7, 6},
     1,
     {5, 8, 3, 3},
     TESTS_JOINT(conv2d(in, conv_options<2>(in))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias))},
    {"conv2d_strided_padded_dilated",
     {2, 4, 9, 8},
     1,
     {5, 8, 3, 2},
     TESTS_JOINT(conv2d(
         in,
         conv_options<2>(in).stride(2).padding(torch::ExpandingArray<2>({2, 1})).dilation({1, 2}))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias, 2, {2, 1}, {1, 2}))},
    {"conv2d_same",
     {2, 4, 5, 6},
     1,
     {6, 8, 3, 3},
     TESTS_JOINT(conv2d(in, conv_options<2>(in).padding(torch::kSame))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias, 1, "same"))},
    {"conv2d_same_with_an_even_kernel",
     {2, 4, 5, 6},
     1,
     {6, 8, 2, 4},
     TESTS_JOINT(conv2d(in, conv_options<2>(in).padding(torch::kSame))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias, 1, "same"))},
    {"conv2d_valid_in_groups",
     {2, 4, 5, 6},
     1,
     {6, 4, 3, 3},
     TESTS_JOINT(conv2d(in, conv_options<2>(in).padding(torch::kValid).groups(2))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias, 1, at::IntArrayRef({0, 0}), 1, 2))},
    {"conv2d_depthwise",
     {2, 3, 5, 6},
     1,
     {6, 1, 3, 3},
     TESTS_JOINT(conv2d(in, conv_options<2>(in).padding(1).groups(6))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias, 1, 1, 1, 6))},
    {"conv2d_of_one_image",
     {4, 7, 6},
     0,
     {5, 8, 3, 3},
     TESTS_JOINT(conv2d(in, conv_options<2>(in).padding(1))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias, 1, 1))},
    {"conv2d_of_an_empty_batch",
     {0, 4, 7, 6},
     1,
     {5, 8, 3, 3},
     TESTS_JOINT(conv2d(in, conv_options<2>(in))),
     TESTS_LAYER_BEHIND(at::conv2d(pair, weight, bias))},
    {"conv1d",
     {3, 4, 11},
     1,
     {5, 8, 3},
     TESTS_JOINT(conv1d(in, conv_options<1>(in).stride(2).padding(1))),
     TESTS_LAYER_BEHIND(at::conv1d(pair, weight, bias, 2, 1))},
    {"conv3d",
     {2, 3, 4, 5, 4},
     1,
     {4, 6, 2, 3, 2},
     TESTS_JOINT(conv3d(in, conv_options<3>(in).padding(torch::ExpandingArray<3>({0, 1, 1})))),
     TESTS_LAYER_BEHIND(at::conv3d(pair, weight, bias, 1, {0, 1, 1}))},
    {"linear",
     {5, 6},
     1,
     {4, 12},
     TESTS_JOINT(linear(in)),
     TESTS_LAYER_BEHIND(at::linear(pair, weight, bias))},
    {"linear_of_sequences",
     {2, 5, 6},
     2,
     {4, 12},
     TESTS_JOINT(linear(in)),
     TESTS_LAYER_BEHIND(at::linear(pair, weight, bias))},
    {"linear_of_one_vector",
     {6},
     0,
     {4, 12},
     TESTS_JOINT(linear(in)),
     TESTS_LAYER_BEHIND(at::linear(pair, weight, bias))},
};

#undef TESTS_JOINT
#undef TESTS_LAYER_BEHIND

/// Inputs of an activation and a kind of layer, all of which are differentiated.
inline JointInputs joint_inputs(
    const JointActivation& activation,
    const JointKind& kind,
    at::ScalarType type,
    bool has_biases) {
  const auto random = [&](at::IntArrayRef sizes) {
    return torch::randn(sizes, at::kDouble).mul(0.7).to(type).requires_grad_();
  };
  JointInputs in;
  in.z = random(kind.sizes);
  const std::int64_t channels = in.z.size(kind.dim);
  if (activation.has_weight) {
    in.slopes = {random({channels}), random({channels})};
  }
  in.weight = random(kind.weight_sizes);
  if (has_biases) {
    in.input_bias = random({channels});
    in.bias = random({kind.weight_sizes[0]});
  }
  return in;
}

/// The two layers one after the other.
inline Tensor one_by_one(
    const JointActivation& activation, const JointKind& kind, const JointInputs& in) {
  return kind.layer(activation.activate(in, kind.dim), in.weight, in.bias);
}

} // namespace tests
