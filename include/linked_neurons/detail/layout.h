/// \file
/// From a tensor and its channel axis to the [outer][channels][inner] view, and to the output that
/// keeps its memory format.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_strided.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace linked_neurons::detail {

/// Axes and sizes are numbers with a sign, in LibTorch as here; what indexes an array has none.
inline std::size_t as_index(std::int64_t number) {
  return static_cast<std::size_t>(number);
}

/// How a dense input lies in memory, and how its linked output does.
struct Layout {
  std::int64_t dim = 0;   ///< the channel axis, not negative
  std::int64_t numel = 0; ///< of the input
  std::int64_t channels = 0;
  std::int64_t inner = 1;       ///< elements that lie inside one channel, in memory
  std::int64_t batch_inner = 1; ///< elements that lie inside one index of axis 0, in memory
  at::DimVector sizes, strides; ///< of the input
  at::DimVector output_sizes, output_strides;

  std::int64_t row() const {
    return channels * inner;
  }

  at::Tensor empty_input(const at::TensorOptions& options) const {
    return at::empty_strided(sizes, strides, options);
  }

  at::Tensor empty_output(const at::TensorOptions& options) const {
    return at::empty_strided(output_sizes, output_strides, options);
  }
};

/// Whether two tensors of these sizes lie in memory alike; axes of one index do not matter.
inline bool same_strides(at::IntArrayRef sizes, at::IntArrayRef a, at::IntArrayRef b) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > 1 && a[i] != b[i]) {
      return false;
    }
  }
  return true;
}

/// The axes from the outermost in memory to the innermost.
inline at::DimVector memory_order(at::IntArrayRef sizes, at::IntArrayRef strides) {
  // Among equal strides an axis of one index is the inner one, as in the channels-last formats.
  const auto is_outer = [&](std::size_t a, std::size_t b) {
    return strides[a] != strides[b] ? strides[a] > strides[b] : sizes[a] != 1 && sizes[b] == 1;
  };
  // By insertion: std::sort compiles longer than it takes to write this.
  at::DimVector order(sizes.size());
  for (std::size_t axis = 0; axis < order.size(); ++axis) {
    std::size_t place = axis;
    for (; place > 0 && is_outer(axis, as_index(order[place - 1])); --place) {
      order[place] = order[place - 1];
    }
    order[place] = static_cast<std::int64_t>(axis);
  }
  return order;
}

/// The strides of a dense tensor of these sizes whose axes lie in this order.
inline at::DimVector dense_strides(at::IntArrayRef sizes, at::IntArrayRef order) {
  at::DimVector strides(sizes.size());
  std::int64_t stride = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[as_index(*axis)] = stride;
    stride *= std::max<std::int64_t>(sizes[as_index(*axis)], 1);
  }
  return strides;
}

/// The layout of a dense tensor whose axes lie in this order, with its channels at `dim`.
inline Layout layout_in(at::IntArrayRef order, at::IntArrayRef sizes, std::int64_t dim) {
  Layout layout;
  layout.dim = dim;
  layout.numel = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    if (*axis == dim) {
      layout.inner = layout.numel;
    }
    if (*axis == 0) {
      layout.batch_inner = layout.numel;
    }
    layout.numel *= sizes[as_index(*axis)];
  }
  layout.channels = sizes[as_index(dim)];
  layout.sizes.assign(sizes.begin(), sizes.end());
  layout.strides = dense_strides(sizes, order);
  layout.output_sizes = layout.sizes;
  layout.output_sizes[as_index(dim)] *= 2;
  layout.output_strides = dense_strides(layout.output_sizes, order);
  return layout;
}

/// `tensor` itself where it is dense, else a dense copy in its own memory format.
inline at::Tensor dense(const at::Tensor& tensor) {
  return tensor.is_non_overlapping_and_dense() ? tensor
                                               : tensor.contiguous(tensor.suggest_memory_format());
}

/// As above, of a dense tensor. What is contiguous in a memory format has that format's order: the
/// strides of its axes of one index carry no meaning.
inline at::DimVector memory_order(const at::Tensor& tensor) {
  const auto format = tensor.suggest_memory_format();
  if (!tensor.is_contiguous(format)) {
    return memory_order(tensor.sizes(), tensor.strides());
  }
  at::DimVector order(as_index(tensor.dim()));
  std::iota(order.begin(), order.end(), 0);
  if (format != at::MemoryFormat::Contiguous) {
    std::rotate(order.begin() + 1, order.begin() + 2, order.end()); // channels last
  }
  return order;
}

inline Layout layout_of(at::IntArrayRef sizes, at::IntArrayRef strides, std::int64_t dim) {
  return layout_in(memory_order(sizes, strides), sizes, dim);
}

inline Layout layout_of(const at::Tensor& tensor, std::int64_t dim) {
  return layout_in(memory_order(tensor), tensor.sizes(), dim);
}

} // namespace linked_neurons::detail
