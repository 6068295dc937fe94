/// \file
/// Slopes as the kernels read them, and their gradients as LibTorch wants them back.
#pragma once

#include <linked_neurons/detail/arguments.h>
#include <linked_neurons/detail/check.h>
#include <linked_neurons/detail/layout.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_strided.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Where the slopes of one half lie for an input of a given layout.
class SlopesView {
 public:
  SlopesView(Slopes kind, const Layout& layout) : kind_(kind) {
    if (kind == Slopes::one) {
      index_ = {layout.row(), 1};
    } else if (kind == Slopes::per_channel) {
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

  const WeightIndex& index() const {
    return index_;
  }

  /// The slopes in the computing type, in the order of `index`.
  at::Tensor read(const at::Tensor& slopes) const {
    const auto type = compute_type(slopes.scalar_type());
    if (kind_ != Slopes::per_element) {
      return slopes.to(type).contiguous();
    }
    if (!repeated_ && slopes.scalar_type() == type &&
        same_strides(sizes_, slopes.strides(), strides_)) {
      return slopes;
    }
    return at::empty_strided(sizes_, strides_, slopes.options().dtype(type))
        .copy_(slopes.expand(sizes_));
  }

  /// The gradient of `slopes` from the sums in the order of `index`.
  at::Tensor gradient(const at::Tensor& sums, const at::Tensor& slopes) const {
    if (kind_ != Slopes::per_element) {
      return sums.view(slopes.sizes()).to(slopes.scalar_type());
    }
    const at::Tensor each = sums.as_strided(sizes_, strides_, sums.storage_offset());
    return (repeated_ ? each.sum(0) : each).to(slopes.scalar_type());
  }

 private:
  Slopes kind_;
  WeightIndex index_{1, 1};
  bool repeated_ = false;
  at::DimVector sizes_, strides_;
};

} // namespace linked_neurons::detail
