/// \file
/// Backward with the parameters' gradients in the same pass, in two deterministic steps.
///
/// The input is seen as [repeats][period], the period being the shortest after which weights and
/// bias repeat. A thread keeps to one vector of the period, so its parameters and its sums stay in
/// registers while it walks down the repeats; a block adds its threads' sums in shared memory, as
/// far as they belong to one parameter, and writes them to a workspace; a second kernel adds the
/// blocks'. No atomics: the same bits at each run.
#pragma once

#include <linked_neurons/cuda/kernels.cuh>

namespace linked_neurons::cuda {

/// Lets the next kernel of the stream start, which then waits for what this one writes.
__device__ inline void allow_next_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

/// Waits for what the kernel before wrote. Devices before compute capability 9.0 start no kernel
/// earlier than that.
__device__ inline void wait_for_previous_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// What a block leaves of a parameter's gradient, and where: workspace[offset + slice * stride +
/// place], `place` counting the period's segments.
template <class Index>
struct PartialSums {
  bool wanted;
  std::uint32_t segment; ///< elements that have the same parameter and give one sum
  Index offset;
  Index stride;
};

inline constexpr int kMostSums = 3; ///< the bias' gradient, and those of both weights

/// The walk over [repeats][period].
template <class Index>
struct Columns {
  Index period;
  Index repeats;
  Index repeats_per_slice;         ///< what one block walks down; blockIdx.y is the slice
  IntDivider<std::uint32_t> width; ///< threads side by side in the period; the others share repeats
  std::uint32_t height;            ///< threads one below the other
  PartialSums<Index> sums[kMostSums];
};

/// Repeats that a thread reads before it uses the first.
inline constexpr int kRepeatsAtOnce = 2;

template <class C, int N>
LINKED_NEURONS_FN void add(AlignedVector<C, N>& sum, const AlignedVector<C, N>& other) {
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    sum.val[i] += other.val[i];
  }
}

/// Adds the sums of `count` threads that are `stride` apart: the first of them ends with the total.
/// All threads of the block come here.
/// \param place a thread's number among the `count`; that or more for a thread that is none of
/// them.
template <class Sum>
__device__ void add_threads(
    Sum (&shared)[kThreads],
    Sum& sum,
    std::uint32_t place,
    std::uint32_t count,
    std::uint32_t stride) {
  if (count == 1) {
    return;
  }
  __syncthreads(); // for whoever still reads an earlier sum
  shared[threadIdx.x] = sum;
  while (count > 1) {
    const std::uint32_t half = (count + 1) / 2;
    __syncthreads();
    if (place < count - half) {
      add(sum, shared[threadIdx.x + half * stride]);
      shared[threadIdx.x] = sum;
    }
    count = half;
  }
}

/// A thread's place in its block's rows of `width` threads.
struct Place {
  std::uint32_t row;
  std::uint32_t column;
};

/// Adds the block's sums of one parameter, and writes them.
/// \param sum this thread's: zeros if it has none.
/// \param slice where those of the block's slice start.
template <class C, int N, class Index>
__device__ void leave_sums(
    AlignedVector<C, N> (&shared)[kThreads],
    AlignedVector<C, N>& sum,
    const Columns<Index>& columns,
    const Place& place,
    const PartialSums<Index>& to,
    C* slice) {
  const std::uint32_t width = columns.width.divisor;
  add_threads(shared, sum, place.row, columns.height, width);
  if (to.segment == 1) {
    const Index vector = static_cast<Index>(blockIdx.x) * width + place.column;
    if (place.row == 0 && vector * N < columns.period) {
      reinterpret_cast<AlignedVector<C, N>*>(slice)[vector] = sum;
    }
    return;
  }
  __syncthreads();
  if (place.row == 0) {
    shared[place.column] = sum;
  }
  __syncthreads();
  const C* const elements = &shared[0].val[0];
  const std::uint32_t segments = width * N / to.segment;
  const std::uint32_t lanes = kThreads / segments; // that share a segment
  const std::uint32_t own = threadIdx.x / lanes;
  const std::uint32_t lane = threadIdx.x - own * lanes;
  AlignedVector<C, 1> total = {};
  if (own < segments) {
    for (std::uint32_t i = lane; i < to.segment; i += lanes) {
      total.val[0] += elements[own * to.segment + i];
    }
  }
  auto& shared_totals = reinterpret_cast<AlignedVector<C, 1>(&)[kThreads]>(shared);
  add_threads(shared_totals, total, own < segments ? lane : lanes, lanes, 1);
  const Index segment = static_cast<Index>(blockIdx.x) * segments + own;
  if (lane == 0 && own < segments && segment < to.stride) {
    slice[segment] = total.val[0];
  }
}

/// \tparam N elements that a thread takes side by side: a vector, or 1 where vectors are not
/// aligned.
/// \param partial workspace, laid out as `columns` says.
template <class Activation, class Reads, bool kWeightGradients, class T, class Index, int N>
__global__ void __launch_bounds__(kThreads) backward_sums_kernel(
    BackwardArguments args,
    IntDividers<Index> dividers,
    Columns<Index> columns,
    opmath_type<T>* partial) {
  using C = opmath_type<T>;
  using Access = std::conditional_t<N == 1, PerElement<T, Index>, Vectorized<T, Index>>;
  constexpr int kSums = kWeightGradients ? kMostSums : 1;
  __shared__ AlignedVector<C, N> shared[kThreads];
  const std::uint32_t row = columns.width.divide(threadIdx.x);
  const Place place = {row, threadIdx.x - row * columns.width.divisor};
  const Index element = (static_cast<Index>(blockIdx.x) * columns.width.divisor + place.column) * N;
  const bool active = row < columns.height && element < columns.period;
  AlignedVector<C, N> sums[kSums] = {};
  if (active) {
    const auto parameters = read_parameters<Activation, N, C>(args, dividers, element);
    const Index begin = blockIdx.y * columns.repeats_per_slice;
    const Index end = begin + columns.repeats_per_slice < columns.repeats
                          ? begin + columns.repeats_per_slice
                          : columns.repeats;
    for (Index repeat = begin + row; repeat < end; repeat += kRepeatsAtOnce * columns.height) {
      BackwardVector<T> vectors[kRepeatsAtOnce];
      Rows<Index> visible[kRepeatsAtOnce];
      Index first[kRepeatsAtOnce];
      LINKED_NEURONS_UNROLL
      for (int r = 0; r < kRepeatsAtOnce; ++r) {
        const Index wanted = repeat + r * columns.height;
        first[r] = (wanted < end ? wanted : repeat) * columns.period + element;
        visible[r] = dividers.rows;
        if constexpr (N == 1) {
          visible[r].numel = first[r] + 1;
        }
        vectors[r] = read_backward<Activation, T, Access, Reads, kWeightGradients>(
            args, visible[r], first[r]);
      }
      LINKED_NEURONS_UNROLL
      for (int r = 0; r < kRepeatsAtOnce; ++r) {
        if (repeat + r * columns.height >= end) {
          break;
        }
        AlignedVector<T> grad_input = {};
        LINKED_NEURONS_UNROLL
        for (int i = 0; i < N; ++i) {
          const Pair<C> grad = {
              detail::load(vectors[r].grad.pos.get(i)), detail::load(vectors[r].grad.neg.get(i))};
          const Pair<C> weight = parameters.weight_of(i);
          const auto saved = saved_values(vectors[r], parameters, i);
          const C grad_z = backward_element<Activation, T>(saved, grad, weight, args.number);
          grad_input.set(i, detail::store<T>(grad_z));
          sums[0].val[i] += grad_z;
          if constexpr (kWeightGradients) {
            const auto each = detail::weight_gradient<Activation>(saved, grad, weight);
            sums[1].val[i] += each.pos;
            sums[2].val[i] += each.neg;
          }
        }
        Access::write(args.grad_input, first[r], visible[r], grad_input);
      }
    }
  }
  allow_next_kernel();
  LINKED_NEURONS_UNROLL
  for (int s = 0; s < kSums; ++s) {
    const PartialSums<Index>& to = columns.sums[s];
    if (to.wanted) {
      C* const slice = partial + (to.offset + blockIdx.y * to.stride);
      leave_sums(shared, sums[s], columns, place, to, slice);
    }
  }
}

/// Where the sums of one parameter lie, [slices][repeats][count][inner], and where they go.
template <class C, class Index>
struct TotalSums {
  C* total; ///< [count], written; null where nobody wants it
  Index offset;
  Index addends; ///< of one number: slices * repeats * inner
  Index count;
  IntDivider<Index> inner;
  IntDivider<std::uint32_t>
      width; ///< numbers side by side in a block; threads below share their addends
};

/// The bias' first, as in `Columns`.
template <class C, class Index>
struct AllTotals {
  TotalSums<C, Index> sums[kMostSums];
};

/// Addends that a thread reads before it adds the first.
inline constexpr int kAddendsAtOnce = 8;

/// Adds what the blocks above left; blockIdx.y says which sums.
template <class C, class Index>
__global__ void __launch_bounds__(kThreads)
    add_partial_kernel(const C* partial, AllTotals<C, Index> all) {
  __shared__ AlignedVector<C, 1> shared[kThreads];
  const TotalSums<C, Index> own = all.sums[blockIdx.y];
  if (own.total == nullptr) {
    return;
  }
  const std::uint32_t width = own.width.divisor;
  const std::uint32_t row = own.width.divide(threadIdx.x);
  const std::uint32_t height = own.width.divide(kThreads);
  const Index value = static_cast<Index>(blockIdx.x) * width + threadIdx.x - row * width;
  const bool active = row < height && value < own.count;
  wait_for_previous_kernel();
  AlignedVector<C, 1> sum = {};
  if (active) {
    const Index inner = own.inner.divisor;
    for (Index start = row; start < own.addends; start += kAddendsAtOnce * height) {
      C addends[kAddendsAtOnce];
      LINKED_NEURONS_UNROLL
      for (int a = 0; a < kAddendsAtOnce; ++a) {
        const Index wanted = start + a * height;
        const Index addend = wanted < own.addends ? wanted : start;
        const Index above = own.inner.divide(addend);
        addends[a] =
            partial[own.offset + (above * own.count + value) * inner + addend - above * inner];
      }
      LINKED_NEURONS_UNROLL
      for (int a = 0; a < kAddendsAtOnce; ++a) {
        sum.val[0] += start + a * height < own.addends ? addends[a] : C(0);
      }
    }
  }
  add_threads(shared, sum, row, height, width);
  if (active && row == 0) {
    own.total[value] = sum.val[0];
  }
}

} // namespace linked_neurons::cuda
