/// \file
/// Backward with the parameters' gradients in the same pass, in two deterministic steps.
///
/// The input is seen as [repeats][period], the period being the shortest after which weights and
/// bias repeat. A thread keeps to one element of the period, so its parameters and its sums stay in
/// registers while it walks down the repeats; a block adds its threads' sums in shared memory and
/// writes them to `partial`, and a second kernel adds the blocks'. No atomics: the same bits at
/// each run.
#pragma once

#include <linked_neurons/cuda/kernels.cuh>

namespace linked_neurons::cuda {

/// The walk over [repeats][period].
template <class Index>
struct Columns {
  Index period;
  Index repeats;
  Index repeats_per_slice;         ///< what one block walks down; blockIdx.y is the slice
  IntDivider<std::uint32_t> width; ///< threads side by side in the period; the others share repeats
  std::uint32_t height;            ///< threads one below the other
  bool merged; ///< a vector's elements all have the same parameters, so they give one sum
};

/// What a thread adds up for its `N` elements: the bias' gradient, and those of both weights.
template <class C, int N, bool kWeightGradients>
struct ThreadSums {
  static constexpr int kPlanes = kWeightGradients ? 3 : 1;
  static constexpr int kElements = N;
  AlignedVector<C, N> plane[kPlanes];
};

/// Adds each thread's `sums` to those of the threads below it in its column (thread / width counts
/// rows); the first row ends with the totals.
template <class Sums>
__device__ void add_rows(
    Sums (&shared)[kThreads],
    Sums& sums,
    std::uint32_t row,
    std::uint32_t width,
    std::uint32_t height) {
  shared[threadIdx.x] = sums;
  __syncthreads();
  if (row == 0) {
    for (std::uint32_t below = 1; below < height; ++below) {
      const Sums& other = shared[threadIdx.x + below * width];
      LINKED_NEURONS_UNROLL
      for (int plane = 0; plane < Sums::kPlanes; ++plane) {
        LINKED_NEURONS_UNROLL
        for (int i = 0; i < Sums::kElements; ++i) {
          sums.plane[plane].val[i] += other.plane[plane].val[i];
        }
      }
    }
  }
}

/// \tparam N elements that a thread takes side by side: a vector, or 1 where vectors are not
/// aligned. \param partial [slices][planes][period], or [slices][planes][period / N] where
/// `merged`.
template <class Activation, bool kWeightGradients, class T, class Index, int N>
__global__ void __launch_bounds__(kThreads) backward_sums_kernel(
    BackwardArguments args,
    IntDividers<Index> dividers,
    Columns<Index> columns,
    opmath_type<T>* partial) {
  using C = opmath_type<T>;
  using Access = std::conditional_t<N == 1, PerElement<T, Index>, Vectorized<T, Index>>;
  using Sums = ThreadSums<C, N, kWeightGradients>;
  __shared__ Sums shared[kThreads];
  const std::uint32_t row = columns.width.divide(threadIdx.x);
  const Index column = static_cast<Index>(blockIdx.x) * columns.width.divisor + threadIdx.x -
                       row * columns.width.divisor;
  const Index element = column * N;
  const bool active = row < columns.height && element < columns.period;
  Sums sums = {};
  if (active) {
    Pair<AlignedVector<C, N>> weights = {};
    if constexpr (Activation::has_weight) {
      weights = read_weights<N, C>(args.weight, dividers.weight, element);
    }
    const Index begin = blockIdx.y * columns.repeats_per_slice;
    const Index end = begin + columns.repeats_per_slice < columns.repeats
                          ? begin + columns.repeats_per_slice
                          : columns.repeats;
    LINKED_NEURONS_UNROLL_TWICE
    for (Index repeat = begin + row; repeat < end; repeat += columns.height) {
      const Index first = repeat * columns.period + element;
      Rows<Index> visible = dividers.rows;
      visible.numel = N == 1 ? first + 1 : visible.numel;
      const auto vector =
          read_backward<Activation, T, Access, kWeightGradients>(args, dividers, visible, first);
      AlignedVector<T> grad_input = {};
      LINKED_NEURONS_UNROLL
      for (int i = 0; i < N; ++i) {
        const Pair<C> grad = {
            detail::load(vector.grad.pos.val[i]), detail::load(vector.grad.neg.val[i])};
        const Pair<C> weight = {weights.pos.val[i], weights.neg.val[i]};
        const auto saved = saved_values(vector, i);
        const C grad_z =
            detail::backward<Activation>(saved, grad, weight, static_cast<C>(args.number));
        grad_input.val[i] = detail::store<T>(grad_z);
        sums.plane[0].val[i] += grad_z;
        if constexpr (kWeightGradients) {
          const auto each = detail::weight_gradient<Activation>(saved, grad, weight);
          sums.plane[1].val[i] += each.pos;
          sums.plane[2].val[i] += each.neg;
        }
      }
      Access::write(args.grad_input, first, visible, grad_input);
    }
  }
  add_rows(shared, sums, row, columns.width.divisor, columns.height);
  if (!active || row != 0) {
    return;
  }
  const Index stride = columns.merged ? columns.period / N : columns.period;
  C* const slice = partial + blockIdx.y * (Sums::kPlanes * stride);
  LINKED_NEURONS_UNROLL
  for (int plane = 0; plane < Sums::kPlanes; ++plane) {
    AlignedVector<C, N>& each = sums.plane[plane];
    if (columns.merged) {
      LINKED_NEURONS_UNROLL
      for (int i = 1; i < N; ++i) {
        each.val[0] += each.val[i];
      }
      slice[plane * stride + column] = each.val[0];
    } else {
      LINKED_NEURONS_UNROLL
      for (int i = 0; i < N; ++i) {
        slice[plane * stride + element + i] = each.val[i];
      }
    }
  }
}

/// Where the sums of one parameter lie in a plane of `partial`, [repeats][count][inner], and where
/// they go.
template <class C, class Index>
struct PlaneSums {
  C* total; ///< [count], written; null where nobody wants it
  Index count;
  IntDivider<Index> inner;
  IntDivider<Index> repeats;
  IntDivider<std::uint32_t>
      width; ///< sums side by side in a block; threads below share their addends
};

/// All planes: the bias' first, as in `partial`.
template <class C, class Index>
struct AllPlanes {
  PlaneSums<C, Index> plane[3];
};

/// Adds what the blocks above left; blockIdx.y is the plane.
/// \param partial [slices][planes][stride]
template <class C, class Index>
__global__ void __launch_bounds__(kThreads) add_partial_kernel(
    const C* partial, Index slices, Index planes, Index stride, AllPlanes<C, Index> all) {
  using Sums = ThreadSums<C, 1, false>;
  __shared__ Sums shared[kThreads];
  const PlaneSums<C, Index> own = all.plane[blockIdx.y];
  const std::uint32_t row = own.width.divide(threadIdx.x);
  const std::uint32_t height = own.width.divide(kThreads);
  const Index value =
      static_cast<Index>(blockIdx.x) * own.width.divisor + threadIdx.x - row * own.width.divisor;
  const bool active = own.total != nullptr && row < height && value < own.count;
  Sums sums = {};
  if (active) {
    const Index inner = own.inner.divisor;
    for (Index addend = row; addend < slices * own.repeats.divisor * inner; addend += height) {
      const Index above = own.inner.divide(addend);
      const Index slice = own.repeats.divide(above);
      const Index repeat = above - slice * own.repeats.divisor;
      const Index element = (repeat * own.count + value) * inner + addend - above * inner;
      sums.plane[0].val[0] += partial[(slice * planes + blockIdx.y) * stride + element];
    }
  }
  add_rows(shared, sums, row, own.width.divisor, height);
  if (active && row == 0) {
    own.total[value] = sums.plane[0].val[0];
  }
}

} // namespace linked_neurons::cuda
