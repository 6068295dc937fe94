/// \file
/// Backward with the slopes' gradients in the same pass, in two deterministic steps.
///
/// The input is seen as [repeats][period], the period being the shortest after which the slopes
/// repeat. A thread keeps to one place in the period, so its slopes and its sums stay in registers
/// while it walks down the repeats; a block adds its threads' sums in shared memory and writes them
/// to `partial`, and a second kernel adds the blocks'. No atomics: the same bits at each run.
#pragma once

#include <linked_neurons/cuda/kernels.cuh>

namespace linked_neurons::cuda {

/// The walk over [repeats][period].
template <class Index>
struct Columns {
  Index period;
  Index repeats;
  Index repeats_per_slice;      ///< what one block walks down; blockIdx.y is the slice
  Divider<std::uint32_t> width; ///< threads side by side in the period; the others share repeats
  std::uint32_t height;         ///< threads one below the other
  bool merged; ///< a group's elements all have the same slope, so they give one sum
};

/// A pair of sums for each thread, in shared memory.
template <class C, int N>
struct SharedSums {
  Pair<Group<C, N>> of[kThreads];
};

/// Adds each thread's `sums` to those of the threads below it in its column (thread / width counts
/// rows); the first row ends with the totals.
template <class C, int N>
__device__ void add_rows(
    SharedSums<C, N>& shared,
    Pair<Group<C, N>>& sums,
    std::uint32_t row,
    std::uint32_t width,
    std::uint32_t height) {
  shared.of[threadIdx.x] = sums;
  __syncthreads();
  if (row == 0) {
    for (std::uint32_t below = 1; below < height; ++below) {
      const Pair<Group<C, N>>& other = shared.of[threadIdx.x + below * width];
      LINKED_NEURONS_UNROLL
      for (int i = 0; i < N; ++i) {
        sums.pos.at[i] += other.pos.at[i];
        sums.neg.at[i] += other.neg.at[i];
      }
    }
  }
}

/// \tparam N elements that a thread takes side by side: a group, or 1 where groups are not aligned.
/// \param partial [slices][2][period], or [slices][2][period / N] where `merged`.
template <class Activation, class T, class Index, int N>
__global__ void __launch_bounds__(kThreads) weight_gradient_kernel(
    BackwardArguments<T> args,
    Rows<Index> rows,
    WeightDividers<Index> weight_index,
    Columns<Index> columns,
    Compute<T>* partial) {
  using C = Compute<T>;
  using Access = std::conditional_t<N == 1, SingleElements<T, Index>, WholeGroups<T, Index>>;
  __shared__ SharedSums<C, N> shared;
  const std::uint32_t row = columns.width.divide(threadIdx.x);
  const Index column = static_cast<Index>(blockIdx.x) * columns.width.divisor + threadIdx.x -
                       row * columns.width.divisor;
  const Index place = column * N;
  const bool active = row < columns.height && place < columns.period;
  Pair<Group<C, N>> sums = {};
  if (active) {
    const auto slopes = read_weights<N>(args.weight, weight_index, place);
    const Index begin = blockIdx.y * columns.repeats_per_slice;
    const Index end = begin + columns.repeats_per_slice < columns.repeats
                          ? begin + columns.repeats_per_slice
                          : columns.repeats;
    LINKED_NEURONS_UNROLL_TWICE
    for (Index repeat = begin + row; repeat < end; repeat += columns.height) {
      const Index first = repeat * columns.period + place;
      // A single element is the first of its group; its signs may lie further on in theirs.
      Rows<Index> visible = rows;
      visible.numel = N == 1 ? first + 1 : rows.numel;
      BackwardGroup<T> group = read_backward<Activation, Access, true>(args, visible, first);
      group.signs >>= N == 1 ? first % kGroup<T> : 0;
      Group<T> grad_input = {};
      LINKED_NEURONS_UNROLL
      for (int i = 0; i < N; ++i) {
        const Pair<C> grad = {
            detail::load(group.grad.pos.at[i]), detail::load(group.grad.neg.at[i])};
        const Pair<C> slope = {slopes.pos.at[i], slopes.neg.at[i]};
        const auto kept = kept_of(group, i);
        grad_input.at[i] = detail::store<T>(detail::backward<Activation>(kept, grad, slope));
        const auto each = detail::weight_gradient<Activation>(kept, grad, slope);
        sums.pos.at[i] += each.pos;
        sums.neg.at[i] += each.neg;
      }
      Access::write(args.grad_input, first, visible, grad_input);
    }
  }
  add_rows(shared, sums, row, columns.width.divisor, columns.height);
  if (!active || row != 0) {
    return;
  }
  if (columns.merged) {
    LINKED_NEURONS_UNROLL
    for (int i = 1; i < N; ++i) {
      sums.pos.at[0] += sums.pos.at[i];
      sums.neg.at[0] += sums.neg.at[i];
    }
    const Index stride = columns.period / N;
    C* const slice = partial + blockIdx.y * (2 * stride) + column;
    slice[0] = sums.pos.at[0];
    slice[stride] = sums.neg.at[0];
    return;
  }
  C* const slice = partial + blockIdx.y * (2 * columns.period) + place;
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    slice[i] = sums.pos.at[i];
    slice[columns.period + i] = sums.neg.at[i];
  }
}

/// Adds what the blocks above left: `sums` [2][count] from `partial` [slices][2][count][inner].
/// `width` slopes are side by side in a block; the threads below share the addends of each.
template <class C, class Index>
__global__ void __launch_bounds__(kThreads) add_partial_kernel(
    const C* partial,
    C* sums,
    Index slices,
    Index count,
    Divider<Index> inner,
    Divider<std::uint32_t> width) {
  __shared__ SharedSums<C, 1> shared;
  const std::uint32_t row = width.divide(threadIdx.x);
  const std::uint32_t height = width.divide(kThreads);
  const Index number =
      static_cast<Index>(blockIdx.x) * width.divisor + threadIdx.x - row * width.divisor;
  const bool active = row < height && number < count;
  Pair<Group<C, 1>> total = {};
  if (active) {
    const Index stride = count * inner.divisor;
    for (Index addend = row; addend < slices * inner.divisor; addend += height) {
      const Index slice = inner.divide(addend);
      const Index at = slice * 2 * stride + number * inner.divisor + addend - slice * inner.divisor;
      total.pos.at[0] += partial[at];
      total.neg.at[0] += partial[at + stride];
    }
  }
  add_rows(shared, total, row, width.divisor, height);
  if (active && row == 0) {
    sums[number] = total.pos.at[0];
    sums[count + number] = total.neg.at[0];
  }
}

} // namespace linked_neurons::cuda
