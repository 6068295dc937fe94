/// \file
/// From arguments to launches: which kernel, on how many blocks.
///
/// The including file provides, for its type of stream, launch_device.cuh on a device and the tests
/// on the host:
/// - `launch(kernel, grid, stream, arguments...)` runs a kernel on blocks of `kThreads` threads;
/// - `launch_next`, the same for a kernel that waits by itself for what the one before writes;
/// - `resident_blocks(kernel, stream)`, how many blocks of a kernel run at once;
/// - `wants_descending_blocks(stream)`, whether the last elements shall be taken first;
/// - `most_elements(stream)`, of the input that one launch may have, `kMostElements` or fewer.
#pragma once

#include <linked_neurons/cuda/kernels.cuh>
#include <linked_neurons/cuda/sums_plan.cuh>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

namespace linked_neurons::cuda {

/// Blocks along x and y.
struct Grid {
  std::int64_t x;
  std::int64_t y;
};

template <class T, int N = kVectorSize<T>>
bool is_aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(AlignedVector<T, N>) == 0;
}

/// Whether a vector never crosses the end of a row and always starts at its alignment.
template <class T>
bool is_vectorized(const ForwardArguments& args) {
  return args.row % kVectorSize<T> == 0 && is_aligned<T>(args.input) && is_aligned<T>(args.output);
}

template <class T>
bool is_vectorized(const BackwardArguments& args) {
  return args.row % kVectorSize<T> == 0 && (args.grad_is_uniform || is_aligned<T>(args.grad)) &&
         is_aligned<T>(args.input_or_output) && is_aligned<T>(args.grad_input);
}

/// Whether each vector's values lie together, at the alignment of a vector.
template <class T>
bool is_vectorized(const ParameterIndex& index, std::initializer_list<const void*> values) {
  return index.inner == 1 && index.count % kVectorSize<T> == 0 &&
         std::all_of(values.begin(), values.end(), is_aligned<opmath_type<T>, kVectorSize<T>>);
}

template <class Index>
ParameterPlaces<Index> places_of(const ParameterIndex& index, bool vectorized) {
  return {
      IntDivider<Index>::of(static_cast<Index>(index.inner)),
      IntDivider<Index>::of(static_cast<Index>(index.count)),
      vectorized};
}

template <class T, class Index, class Arguments>
IntDividers<Index> dividers_of(const Arguments& args) {
  const auto& [weights, weight] = args.weight;
  const auto& [biases, bias] = args.bias;
  return {
      {static_cast<Index>(args.numel), IntDivider<Index>::of(static_cast<Index>(args.row))},
      places_of<Index>(weight, is_vectorized<T>(weight, {weights.pos, weights.neg})),
      places_of<Index>(bias, is_vectorized<T>(bias, {biases}))};
}

/// The kernels that differ in how they access memory only.
template <class Activation>
struct ForwardKernels {
  template <class T>
  static constexpr int kGroupsOfThread = kForwardVectors<T>;

  template <class T, class Index, template <class, class> class Access>
  static auto get() {
    return forward_kernel<Activation, T, Index, Access>;
  }
};

template <class Activation, class Reads>
struct BackwardKernels {
  template <class T>
  static constexpr int kGroupsOfThread = kBackwardVectors;

  template <class T, class Index, template <class, class> class Access>
  static auto get() {
    return backward_kernel<Activation, Reads, T, Index, Access>;
  }
};

template <
    class Kernels,
    class T,
    class Index,
    template <class, class>
    class Access,
    class Arguments,
    class Stream>
void launch_elementwise(const Arguments& args, const Stream& stream) {
  constexpr std::int64_t kVectors = std::int64_t{kThreads} * Kernels::template kGroupsOfThread<T>;
  const Grid grid{divide_up(args.numel, kVectors * kVectorSize<T>), 1};
  const std::int64_t last = kVectors * (grid.x - 1);
  const auto order = wants_descending_blocks(stream)
                         ? BlockOrder<Index>{static_cast<Index>(last), Index(-kVectors)}
                         : BlockOrder<Index>{0, Index(kVectors)};
  launch(
      Kernels::template get<T, Index, Access>(),
      grid,
      stream,
      args,
      dividers_of<T, Index>(args),
      order);
}

/// In 32 bits, part by part; where no part is short enough in 64 bits, an element at a time.
template <class Activation, class Kernels, class T, class Arguments, class Stream>
void launch_in_parts(const Arguments& args, const Stream& stream) {
  const Parts parts = parts_of(args, most_elements(stream));
  if (parts.count == 0) {
    launch_elementwise<Kernels, T, std::uint64_t, PerElement>(args, stream);
  }
  for (std::int64_t p = 0; p < parts.count; ++p) {
    const Arguments part = part_of<Activation, T>(args, p * parts.numel, parts.numel);
    if (is_vectorized<T>(args)) {
      launch_elementwise<Kernels, T, std::uint32_t, Vectorized>(part, stream);
    } else {
      launch_elementwise<Kernels, T, std::uint32_t, PerElement>(part, stream);
    }
  }
}

template <class Activation, class T, class Stream>
void forward(const ForwardArguments& args, const Stream& stream) {
  launch_in_parts<Activation, ForwardKernels<Activation>, T>(args, stream);
}

/// Calls `body` with the `BackwardReads` of `args`.
template <class Activation, class Body>
void with_reads(const BackwardArguments& args, const Body& body) {
  const auto with_masks = [&](auto uniform) {
    if constexpr (Activation::saved == Saved::masks && Activation::output_tells_masks) {
      if (args.masks == nullptr) {
        body(BackwardReads<uniform.value, true>{});
        return;
      }
    }
    body(BackwardReads<uniform.value, false>{});
  };
  if (args.grad_is_uniform) {
    with_masks(std::true_type{});
  } else {
    with_masks(std::false_type{});
  }
}

/// The second kernel of backward with sums.
template <class C, class Index, class Stream>
void add_partial(
    const SumsPlan& plan, std::int64_t launches, const C* partial, const Stream& stream) {
  AllTotals<C, Index> all = {};
  std::int64_t blocks = 0;
  for (int s = 0; s < kMostSums; ++s) {
    const SumsOfParameter& sums = plan.sums[s];
    if (sums.total != nullptr) {
      const std::int64_t addends = launches * plan.slices * (sums.stride / sums.count);
      const std::int64_t width = width_of_totals(sums.count, sums.inner, addends);
      all.sums[s] = {
          static_cast<C*>(sums.total),
          static_cast<Index>(sums.offset),
          static_cast<Index>(addends),
          static_cast<Index>(sums.count),
          IntDivider<Index>::of(static_cast<Index>(sums.inner)),
          IntDivider<std::uint32_t>::of(static_cast<std::uint32_t>(width))};
      blocks = std::max(blocks, divide_up(sums.count, width));
    }
  }
  launch_next(add_partial_kernel<C, Index>, Grid{blocks, kMostSums}, stream, partial, all);
}

/// \tparam kWeightGradients whether those are wanted, besides the bias' or without.
/// \tparam N elements that a thread takes side by side.
template <
    class Activation,
    class Reads,
    bool kWeightGradients,
    class T,
    class Index,
    int N,
    class Workspace,
    class Stream>
void backward_with_sums(
    const BackwardArguments& args,
    const Parts& parts,
    const Workspace& workspace,
    const Stream& stream) {
  const auto kernel = backward_sums_kernel<Activation, Reads, kWeightGradients, T, Index, N>;
  const auto plan = plan_sums<Activation, T, N>(
      part_of<Activation, T>(args, 0, parts.numel), resident_blocks(kernel, stream), parts.count);
  if constexpr (sizeof(Index) == sizeof(std::uint32_t)) {
    if (plan.partial_numel > kMostElements) { // few parts, of nearly as many parameters
      backward_with_sums<Activation, Reads, kWeightGradients, T, std::uint64_t, 1>(
          args, Parts{1, args.numel}, workspace, stream);
      return;
    }
  }
  opmath_type<T>* const partial = workspace(plan.partial_numel);
  for (std::int64_t p = 0; p < parts.count; ++p) {
    const auto part = part_of<Activation, T>(args, p * parts.numel, parts.numel);
    auto dividers = dividers_of<T, Index>(part);
    dividers.weight.vectorized &= N > 1;
    dividers.bias.vectorized &= N > 1;
    Columns<Index> columns = {
        static_cast<Index>(plan.period),
        static_cast<Index>(part.numel / plan.period),
        static_cast<Index>(plan.repeats_per_slice),
        IntDivider<std::uint32_t>::of(static_cast<std::uint32_t>(plan.width)),
        static_cast<std::uint32_t>(plan.height),
        {}};
    for (int s = 0; s < kMostSums; ++s) {
      const SumsOfParameter& sums = plan.sums[s];
      columns.sums[s] = {
          sums.total != nullptr,
          static_cast<std::uint32_t>(sums.segment),
          static_cast<Index>(sums.offset + p * plan.slices * sums.stride),
          static_cast<Index>(sums.stride)};
    }
    launch(kernel, Grid{plan.tiles, plan.slices}, stream, part, dividers, columns, partial);
  }
  add_partial<opmath_type<T>, Index>(plan, parts.count, partial, stream);
}

/// \param workspace called with a number of elements, gives memory for them.
template <class Activation, class T, class Workspace, class Stream>
void backward(const BackwardArguments& args, const Workspace& workspace, const Stream& stream) {
  const bool weight_gradients = args.grad_weight.pos != nullptr;
  with_reads<Activation>(args, [&](auto reads) {
    using Reads = decltype(reads);
    if (!weight_gradients && args.grad_bias == nullptr) {
      launch_in_parts<Activation, BackwardKernels<Activation, Reads>, T>(args, stream);
      return;
    }
    const auto run = [&](auto with_weights) {
      constexpr bool kWeights = with_weights.value;
      constexpr int kVector = kVectorSize<T>;
      const Parts parts = parts_of(args, most_elements(stream));
      if (parts.count == 0) {
        backward_with_sums<Activation, Reads, kWeights, T, std::uint64_t, 1>(
            args, Parts{1, args.numel}, workspace, stream);
      } else if (is_vectorized<T>(args) && period_of<Activation>(args) % kVector == 0) {
        backward_with_sums<Activation, Reads, kWeights, T, std::uint32_t, kVector>(
            args, parts, workspace, stream);
      } else {
        backward_with_sums<Activation, Reads, kWeights, T, std::uint32_t, 1>(
            args, parts, workspace, stream);
      }
    };
    if constexpr (Activation::has_weight) {
      if (weight_gradients) {
        run(std::true_type{});
        return;
      }
    }
    run(std::false_type{});
  });
}

} // namespace linked_neurons::cuda
