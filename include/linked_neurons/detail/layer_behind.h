/// \file
/// The layer behind an activation, a convolution or a linear layer: LibTorch's operator, and its
/// gradients one by one.
#pragma once

#include <linked_neurons/detail/layout.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/linear.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>

namespace linked_neurons::detail {

/// What a joint layer knows of the layer behind its activation. All its functions are made of
/// LibTorch's operators, which can be differentiated.
class LayerBehind {
 public:
  LayerBehind() = default;
  LayerBehind(const LayerBehind&) = default;
  LayerBehind& operator=(const LayerBehind&) = default;
  virtual ~LayerBehind() = default;

  /// The end of a joint layer's name: "_conv2d", "_linear".
  virtual const char* suffix() const = 0;

  /// Where an input of so many axes has its channels.
  virtual std::int64_t channel_axis(std::int64_t axes) const = 0;

  virtual std::int64_t weight_axes() const = 0;

  /// The channels of the input that a weight is for.
  virtual std::int64_t in_channels(const at::Tensor& weight) const = 0;

  virtual at::Tensor forward(
      const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) const = 0;

  /// With respect to the weight and, where wanted, the bias.
  virtual std::tuple<at::Tensor, at::Tensor> weight_gradient(
      const at::Tensor& grad,
      const at::Tensor& input,
      const at::Tensor& weight,
      bool wants_bias) const = 0;

  virtual at::Tensor bias_gradient(const at::Tensor& grad) const = 0;

  /// With respect to the input.
  /// \param like has the sizes, strides and type of the input, and need not have memory.
  virtual at::Tensor input_gradient(
      const at::Tensor& grad, const at::Tensor& like, const at::Tensor& weight) const = 0;
};

/// A tensor that says it has these sizes and strides, and has no memory. Whoever reads it gets an
/// error of LibTorch's.
inline at::Tensor without_memory(
    at::IntArrayRef sizes, at::IntArrayRef strides, const at::TensorOptions& options) {
  at::Tensor tensor = at::empty({0}, options);
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return tensor;
}

/// A convolution over the last axes of an input that has a batch axis.
class Convolution : public LayerBehind {
 public:
  /// \param axes over which it is: 1, 2 or 3.
  explicit Convolution(std::int64_t axes)
      : stride(as_index(axes), 1), padding(as_index(axes), 0), dilation(as_index(axes), 1) {}

  at::DimVector stride, padding, dilation;
  std::int64_t groups = 1;

  /// Pads such that the output has the sizes of the input, with zeros, as LibTorch does: where they
  /// are an odd number, one more at the end.
  void pad_to_same(const at::Tensor& weight) {
    if (!weight.defined() || weight.dim() != weight_axes()) {
      return; // joint() says so
    }
    const std::size_t axes = stride.size();
    end_padding_.assign(2 * axes, 0);
    bool is_odd = false;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      TORCH_CHECK(
          stride[axis] == 1,
          "linked",
          suffix(),
          ": expected stride 1 with padding kSame, got ",
          at::IntArrayRef(stride));
      const std::int64_t total = dilation[axis] * (weight.size(2 + std::int64_t(axis)) - 1);
      padding[axis] = total / 2;
      end_padding_[2 * (axes - 1 - axis) + 1] = total % 2;
      is_odd |= total % 2 != 0;
    }
    if (!is_odd) {
      end_padding_.clear();
    }
  }

  /// Pads no more; returns how much it did, as at::pad takes it: at both ends of each axis, the
  /// last axis first.
  at::DimVector take_padding() {
    const std::size_t axes = stride.size();
    at::DimVector ends(2 * axes, 0);
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const std::size_t place = 2 * (axes - 1 - axis);
      ends[place] = padding[axis];
      ends[place + 1] = padding[axis] + (end_padding_.empty() ? 0 : end_padding_[place + 1]);
    }
    padding.assign(axes, 0);
    end_padding_.clear();
    return ends;
  }

  const char* suffix() const override {
    constexpr std::array<const char*, 3> kSuffixes = {"_conv1d", "_conv2d", "_conv3d"};
    return kSuffixes.at(stride.size() - 1);
  }

  std::int64_t channel_axis(std::int64_t axes) const override {
    return axes - 1 - static_cast<std::int64_t>(stride.size());
  }

  std::int64_t weight_axes() const override {
    return 2 + static_cast<std::int64_t>(stride.size());
  }

  std::int64_t in_channels(const at::Tensor& weight) const override {
    return weight.size(1) * groups;
  }

  at::Tensor forward(
      const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) const override {
    return at::convolution(
        padded(input), weight, bias, stride, padding, dilation, false, no_padding(), groups);
  }

  std::tuple<at::Tensor, at::Tensor> weight_gradient(
      const at::Tensor& grad,
      const at::Tensor& input,
      const at::Tensor& weight,
      bool wants_bias) const override {
    const auto result = gradients(grad, padded(input), weight, {false, true, wants_bias});
    return {std::get<1>(result), std::get<2>(result)};
  }

  at::Tensor bias_gradient(const at::Tensor& grad) const override {
    at::DimVector axes = {0};
    for (std::int64_t axis = 2; axis < grad.dim(); ++axis) {
      axes.push_back(axis);
    }
    return grad.sum(axes);
  }

  at::Tensor input_gradient(
      const at::Tensor& grad, const at::Tensor& like, const at::Tensor& weight) const override {
    constexpr std::array<bool, 3> kInput = {true, false, false};
    if (needs_no_input()) {
      return std::get<0>(gradients(grad, like, weight, kInput));
    }
    const auto same = at::empty_strided(like.sizes(), like.strides(), like.options());
    auto of_padded = std::get<0>(gradients(grad, padded(same), weight, kInput));
    if (end_padding_.empty()) {
      return of_padded;
    }
    at::DimVector cut(end_padding_);
    for (auto& each : cut) {
      each = -each;
    }
    return at::constant_pad_nd(of_padded, cut);
  }

 private:
  at::DimVector no_padding() const {
    return at::DimVector(stride.size(), 0);
  }

  /// Whether LibTorch's operator, which is given the input for the input's gradient too, asks it
  /// for its sizes and strides alone. Elsewhere it copies the input, or takes views of it.
  bool needs_no_input() const {
    const auto is_1 = [](std::int64_t each) { return each == 1; };
    return end_padding_.empty() && groups == 1 && stride.size() > 1 &&
           std::all_of(dilation.begin(), dilation.end(), is_1);
  }

  at::Tensor padded(const at::Tensor& input) const {
    return end_padding_.empty() ? input : at::constant_pad_nd(input, end_padding_);
  }

  std::tuple<at::Tensor, at::Tensor, at::Tensor> gradients(
      const at::Tensor& grad,
      const at::Tensor& input,
      const at::Tensor& weight,
      std::array<bool, 3> wanted) const {
    const at::DimVector bias_sizes = {weight.size(0)};
    return at::convolution_backward(
        grad,
        input,
        weight,
        at::OptionalIntArrayRef(bias_sizes),
        stride,
        padding,
        dilation,
        false,
        no_padding(),
        groups,
        wanted);
  }

  at::DimVector end_padding_; ///< as at::constant_pad_nd takes it; empty where there is none
};

/// A linear layer over the last axis.
class LinearLayer : public LayerBehind {
 public:
  const char* suffix() const override {
    return "_linear";
  }

  std::int64_t channel_axis(std::int64_t axes) const override {
    return axes - 1;
  }

  std::int64_t weight_axes() const override {
    return 2;
  }

  std::int64_t in_channels(const at::Tensor& weight) const override {
    return weight.size(1);
  }

  at::Tensor forward(
      const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) const override {
    return at::linear(input, weight, bias);
  }

  std::tuple<at::Tensor, at::Tensor> weight_gradient(
      const at::Tensor& grad,
      const at::Tensor& input,
      const at::Tensor& /*weight*/,
      bool wants_bias) const override {
    return {rows_of(grad).t().mm(rows_of(input)), wants_bias ? bias_gradient(grad) : at::Tensor()};
  }

  at::Tensor bias_gradient(const at::Tensor& grad) const override {
    return rows_of(grad).sum(0);
  }

  at::Tensor input_gradient(
      const at::Tensor& grad, const at::Tensor& /*like*/, const at::Tensor& weight) const override {
    return grad.matmul(weight);
  }

 private:
  static at::Tensor rows_of(const at::Tensor& tensor) {
    return tensor.reshape({-1, tensor.size(-1)});
  }
};

} // namespace linked_neurons::detail
