/// \file
/// Trained parameters as the kernels read them, and their gradients as LibTorch wants them back.
#pragma once

#include <linked_neurons/detail/check.h>
#include <linked_neurons/detail/layout.h>
#include <linked_neurons/kernel/arguments.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Where the weights of one half, or a bias, lie for an input of a given layout.
class ParameterView {
 public:
  ParameterView(ParameterShape kind, const Layout& layout) : kind_(kind) {
    if (kind == ParameterShape::one) {
      index_ = {layout.row(), 1};
    } else if (kind == ParameterShape::per_channel) {
      index_ = {layout.inner, layout.channels};
    } else {
      // In the order of the input's elements. Where the batch is not the outermost axis in memory,
      // each of its indices gets a copy.
      repeated_ = layout.batch_inner * layout.sizes[0] != layout.numel;
      const std::size_t first = repeated_ ? 0 : 1;
      sizes_.assign(layout.sizes.begin() + first, layout.sizes.end());
      strides_.assign(layout.strides.begin() + first, layout.strides.end());
      index_ = {1, repeated_ ? layout.numel : layout.batch_inner};
    }
  }

  const ParameterIndex& index() const {
    return index_;
  }

  /// The numbers in the computing type, in the order of `index`.
  at::Tensor read(const at::Tensor& parameter) const {
    const auto type = to_opmath_type(parameter.scalar_type());
    if (kind_ != ParameterShape::per_element) {
      return parameter.to(type).contiguous();
    }
    if (!repeated_ && parameter.scalar_type() == type &&
        same_strides(sizes_, parameter.strides(), strides_)) {
      return parameter;
    }
    return at::empty_strided(sizes_, strides_, parameter.options().dtype(type))
        .copy_(parameter.expand(sizes_));
  }

  /// Room for the sums of the gradient of `parameter`, in the order of `index`.
  at::Tensor empty_sums(const at::Tensor& parameter) const {
    const auto options = parameter.options().dtype(to_opmath_type(parameter.scalar_type()));
    return kind_ == ParameterShape::per_element ? at::empty_strided(sizes_, strides_, options)
                                                : at::empty(parameter.sizes(), options);
  }

  /// The gradient of `parameter` from them.
  at::Tensor gradient(const at::Tensor& sums, const at::Tensor& parameter) const {
    return (repeated_ ? sums.sum(0) : sums).to(parameter.scalar_type());
  }

 private:
  ParameterShape kind_;
  ParameterIndex index_{1, 1};
  bool repeated_ = false;
  at::DimVector sizes_, strides_;
};

} // namespace linked_neurons::detail
