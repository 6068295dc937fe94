/// \file
/// From arguments to launches: which kernel, on how many blocks.
///
/// The including file provides `launch(kernel, grid, stream, arguments...)`, which runs a kernel on
/// blocks of `kThreads` threads, and `wants_wide_index(stream)`, whether to count in 64 bits where
/// 32 would do: launch_device.cuh on a device, the tests on the host.
#pragma once

#include <linked_neurons/cuda/kernels.cuh>
#include <linked_neurons/cuda/weight_gradient.cuh>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace linked_neurons::cuda {

/// Blocks along x and y.
struct Grid {
  std::int64_t x;
  std::int64_t y;
};

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

template <class T>
bool is_aligned(const T* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(Group<T>) == 0;
}

/// Whether a group never crosses the end of a row and always starts at its alignment.
template <class T>
bool has_whole_groups(const ForwardArguments<T>& args) {
  return args.row % kGroup<T> == 0 && is_aligned(args.input) && is_aligned(args.output);
}

template <class T>
bool has_whole_groups(const BackwardArguments<T>& args) {
  return args.row % kGroup<T> == 0 && (args.grad_is_uniform || is_aligned(args.grad)) &&
         is_aligned(args.kept) && is_aligned(args.grad_input);
}

/// Calls `body` with a zero of the type that counts the elements of the output.
template <class Stream, class Body>
void with_index(std::int64_t numel, const Stream& stream, const Body& body) {
  // A block's last thread may look a little further than the last element.
  constexpr std::int64_t kNarrow = std::numeric_limits<std::int32_t>::max() / 2;
  if (numel < kNarrow && !wants_wide_index(stream)) {
    body(std::uint32_t{});
  } else {
    body(std::uint64_t{});
  }
}

template <class Index, class Arguments>
Rows<Index> rows_of(const Arguments& args) {
  return {static_cast<Index>(args.numel), Divider<Index>::of(static_cast<Index>(args.row))};
}

template <class Activation, class Index, class Arguments>
WeightDividers<Index> weight_dividers_of(const Arguments& args) {
  if constexpr (Activation::has_weight) {
    const auto& index = args.weight.index;
    return {
        Divider<Index>::of(static_cast<Index>(index.inner)),
        Divider<Index>::of(static_cast<Index>(index.count))};
  } else {
    return {Divider<Index>::of(1), Divider<Index>::of(1)};
  }
}

template <class Activation, class T, class Stream>
void forward(const ForwardArguments<T>& args, const Stream& stream) {
  const Grid grid{divide_up(args.numel, std::int64_t{kThreads} * kForwardGroups<T> * kGroup<T>), 1};
  with_index(args.numel, stream, [&](auto index) {
    using Index = decltype(index);
    const auto rows = rows_of<Index>(args);
    const auto weight = weight_dividers_of<Activation, Index>(args);
    if (has_whole_groups(args)) {
      launch(forward_kernel<Activation, T, Index, WholeGroups>, grid, stream, args, rows, weight);
    } else {
      launch(
          forward_kernel<Activation, T, Index, SingleElements>, grid, stream, args, rows, weight);
    }
  });
}

template <class Activation, class T, class Stream>
void backward(const BackwardArguments<T>& args, const Stream& stream) {
  const Grid grid{divide_up(args.numel, std::int64_t{kThreads} * kBackwardGroups * kGroup<T>), 1};
  with_index(args.numel, stream, [&](auto index) {
    using Index = decltype(index);
    const auto rows = rows_of<Index>(args);
    const auto weight = weight_dividers_of<Activation, Index>(args);
    if (has_whole_groups(args)) {
      launch(backward_kernel<Activation, T, Index, WholeGroups>, grid, stream, args, rows, weight);
    } else {
      launch(
          backward_kernel<Activation, T, Index, SingleElements>, grid, stream, args, rows, weight);
    }
  });
}

/// How backward with slopes' gradients is cut into blocks.
struct WeightGradientPlan {
  std::int64_t period;
  std::int64_t repeats;
  std::int64_t slices;
  std::int64_t repeats_per_slice;
  std::int64_t width, height; ///< of a block, in threads
  bool whole_groups;
  bool merged;
  std::int64_t partial_numel; ///< elements of the workspace that the launch needs
};

/// \param blocks about as many as fill the device.
template <class T>
WeightGradientPlan plan_weight_gradient(const BackwardArguments<T>& args, std::int64_t blocks) {
  WeightGradientPlan plan;
  const auto& index = args.weight.index;
  plan.period = index.inner * index.count;
  plan.repeats = args.numel / plan.period;
  plan.whole_groups = has_whole_groups(args) && plan.period % kGroup<T> == 0;
  const std::int64_t group = plan.whole_groups ? kGroup<T> : 1;
  plan.merged = plan.whole_groups && index.inner % group == 0;
  const std::int64_t columns = plan.period / group;
  const std::int64_t tiles = divide_up(columns, kThreads);
  plan.width = divide_up(columns, tiles);
  plan.height = kThreads / plan.width;
  // Few enough slices that the partial sums are a small part of what is read, and at most the
  // device's limit of blocks along y.
  const std::int64_t wanted = std::min<std::int64_t>(divide_up(blocks, tiles), 65535);
  const std::int64_t slices =
      std::clamp<std::int64_t>(divide_up(plan.repeats, 4 * plan.height), 1, wanted);
  plan.repeats_per_slice = divide_up(plan.repeats, slices);
  plan.slices = divide_up(plan.repeats, plan.repeats_per_slice);
  plan.partial_numel = plan.slices * 2 * plan.period / (plan.merged ? group : 1);
  return plan;
}

/// \param partial workspace of `plan.partial_numel` elements.
/// \param sums [2][count], written.
template <class Activation, class T, class Stream>
void backward_with_weight_gradient(
    const BackwardArguments<T>& args,
    const WeightGradientPlan& plan,
    Compute<T>* partial,
    Compute<T>* sums,
    const Stream& stream) {
  with_index(args.numel, stream, [&](auto zero) {
    using Index = decltype(zero);
    const auto rows = rows_of<Index>(args);
    const auto weight = weight_dividers_of<Activation, Index>(args);
    const std::int64_t group = plan.whole_groups ? kGroup<T> : 1;
    const Columns<Index> columns{
        static_cast<Index>(plan.period),
        static_cast<Index>(plan.repeats),
        static_cast<Index>(plan.repeats_per_slice),
        Divider<std::uint32_t>::of(static_cast<std::uint32_t>(plan.width)),
        static_cast<std::uint32_t>(plan.height),
        plan.merged};
    const Grid grid{divide_up(plan.period / group, plan.width), plan.slices};
    if (plan.whole_groups) {
      const auto kernel = weight_gradient_kernel<Activation, T, Index, kGroup<T>>;
      launch(kernel, grid, stream, args, rows, weight, columns, partial);
    } else {
      const auto kernel = weight_gradient_kernel<Activation, T, Index, 1>;
      launch(kernel, grid, stream, args, rows, weight, columns, partial);
    }
    const auto& index = args.weight.index;
    const std::int64_t inner = index.inner / (plan.merged ? group : 1);
    // Neighbouring threads read neighbouring partial sums: of one slope, or of as many slopes.
    const std::int64_t width = inner > 1 ? 1 : 32;
    launch(
        add_partial_kernel<Compute<T>, Index>,
        Grid{divide_up(index.count, width), 1},
        stream,
        static_cast<const Compute<T>*>(partial),
        sums,
        static_cast<Index>(plan.slices),
        static_cast<Index>(index.count),
        Divider<Index>::of(static_cast<Index>(inner)),
        Divider<std::uint32_t>::of(static_cast<std::uint32_t>(width)));
  });
}

} // namespace linked_neurons::cuda
