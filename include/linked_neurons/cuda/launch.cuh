/// \file
/// From arguments to launches: which kernel, on how many blocks.
///
/// The including file provides `launch(kernel, grid, stream, arguments...)`, which runs a kernel on
/// blocks of `kThreads` threads, and `wants_wide_index(stream)`, whether to count in 64 bits where
/// 32 would do: launch_device.cuh on a device, the tests on the host.
#pragma once

#include <linked_neurons/cuda/kernels.cuh>
#include <linked_neurons/cuda/sums.cuh>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace linked_neurons::cuda {

using linked_neurons::detail::ParameterIndex;

/// Blocks along x and y.
struct Grid {
  std::int64_t x;
  std::int64_t y;
};

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

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

template <class Activation>
struct BackwardKernels {
  template <class T>
  static constexpr int kGroupsOfThread = kBackwardVectors;

  template <class T, class Index, template <class, class> class Access>
  static auto get() {
    return backward_kernel<Activation, T, Index, Access>;
  }
};

template <class Kernels, class T, class Arguments, class Stream>
void launch_elementwise(const Arguments& args, const Stream& stream) {
  constexpr std::int64_t kOfBlock =
      std::int64_t{kThreads} * Kernels::template kGroupsOfThread<T> * kVectorSize<T>;
  const Grid grid{divide_up(args.numel, kOfBlock), 1};
  with_index(args.numel, stream, [&](auto index) {
    using Index = decltype(index);
    const auto dividers = dividers_of<T, Index>(args);
    if (is_vectorized<T>(args)) {
      launch(Kernels::template get<T, Index, Vectorized>(), grid, stream, args, dividers);
    } else {
      launch(Kernels::template get<T, Index, PerElement>(), grid, stream, args, dividers);
    }
  });
}

template <class Activation, class T, class Stream>
void forward(const ForwardArguments& args, const Stream& stream) {
  launch_elementwise<ForwardKernels<Activation>, T>(args, stream);
}

/// How backward with sums is cut into blocks.
struct SumsPlan {
  std::int64_t period;
  std::int64_t repeats;
  std::int64_t slices;
  std::int64_t repeats_per_slice;
  std::int64_t width, height; ///< of a block, in threads
  bool vectorized;
  bool merged;
  std::int64_t planes;
  std::int64_t stride;        ///< of a plane
  std::int64_t partial_numel; ///< elements of the workspace that the launch needs
};

/// \param blocks about as many as fill the device.
template <class Activation, class T>
SumsPlan plan_sums(const BackwardArguments& args, std::int64_t blocks) {
  SumsPlan plan;
  const auto period_of = [](const ParameterIndex& index) { return index.inner * index.count; };
  const auto& weight = args.weight.index;
  const auto& bias = args.bias.index;
  const bool weight_wanted = args.grad_weight.pos != nullptr;
  const bool bias_wanted = args.grad_bias != nullptr;
  // Of the two periods one is a multiple of the other: both are of whole axes of the input, from
  // the innermost in memory on.
  plan.period =
      std::max(Activation::has_weight ? period_of(weight) : 1, bias_wanted ? period_of(bias) : 1);
  plan.repeats = args.numel / plan.period;
  plan.vectorized = is_vectorized<T>(args) && plan.period % kVectorSize<T> == 0;
  const std::int64_t vector = plan.vectorized ? kVectorSize<T> : 1;
  plan.merged =
      (!weight_wanted || weight.inner % vector == 0) && (!bias_wanted || bias.inner % vector == 0);
  const std::int64_t columns = plan.period / vector;
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
  plan.planes = weight_wanted ? 3 : 1;
  plan.stride = plan.merged ? columns : plan.period;
  plan.partial_numel = plan.slices * plan.planes * plan.stride;
  return plan;
}

template <class C, class Index>
PlaneSums<C, Index> plane_of(void* total, const ParameterIndex& index, const SumsPlan& plan) {
  const std::int64_t repeats = plan.period / (index.inner * index.count);
  const std::int64_t inner = plan.stride / (repeats * index.count);
  // Neighbouring threads read neighbouring partial sums: of one number, or of as many numbers.
  constexpr std::uint32_t kSideBySide = 32;
  return {
      static_cast<C*>(total),
      static_cast<Index>(index.count),
      IntDivider<Index>::of(static_cast<Index>(inner)),
      IntDivider<Index>::of(static_cast<Index>(repeats)),
      IntDivider<std::uint32_t>::of(inner > 1 ? 1 : kSideBySide)};
}

/// \tparam kWeightGradients whether those are wanted, besides the bias' or without.
/// \param partial workspace of `plan.partial_numel` elements.
template <class Activation, bool kWeightGradients, class T, class Stream>
void backward_with_sums(
    const BackwardArguments& args,
    const SumsPlan& plan,
    opmath_type<T>* partial,
    const Stream& stream) {
  using C = opmath_type<T>;
  with_index(args.numel, stream, [&](auto zero) {
    using Index = decltype(zero);
    auto dividers = dividers_of<T, Index>(args);
    const std::int64_t vector = plan.vectorized ? kVectorSize<T> : 1;
    const Columns<Index> columns{
        static_cast<Index>(plan.period),
        static_cast<Index>(plan.repeats),
        static_cast<Index>(plan.repeats_per_slice),
        IntDivider<std::uint32_t>::of(static_cast<std::uint32_t>(plan.width)),
        static_cast<std::uint32_t>(plan.height),
        plan.merged};
    const Grid grid{divide_up(plan.period / vector, plan.width), plan.slices};
    if (plan.vectorized) {
      const auto kernel =
          backward_sums_kernel<Activation, kWeightGradients, T, Index, kVectorSize<T>>;
      launch(kernel, grid, stream, args, dividers, columns, partial);
    } else {
      dividers.weight.vectorized = false;
      dividers.bias.vectorized = false;
      const auto kernel = backward_sums_kernel<Activation, kWeightGradients, T, Index, 1>;
      launch(kernel, grid, stream, args, dividers, columns, partial);
    }
    AllPlanes<C, Index> all = {};
    std::int64_t blocks = 0;
    const auto add_plane = [&](int plane, void* total, const ParameterIndex& index) {
      if (total != nullptr) {
        all.plane[plane] = plane_of<C, Index>(total, index, plan);
        blocks = std::max(blocks, divide_up(index.count, all.plane[plane].width.divisor));
      }
    };
    add_plane(0, args.grad_bias, args.bias.index);
    add_plane(1, args.grad_weight.pos, args.weight.index);
    add_plane(2, args.grad_weight.neg, args.weight.index);
    launch(
        add_partial_kernel<C, Index>,
        Grid{blocks, plan.planes},
        stream,
        static_cast<const C*>(partial),
        static_cast<Index>(plan.slices),
        static_cast<Index>(plan.planes),
        static_cast<Index>(plan.stride),
        all);
  });
}

/// \param blocks about as many as fill the device.
/// \param workspace called with a number of elements, gives memory for them.
template <class Activation, class T, class Workspace, class Stream>
void backward(
    const BackwardArguments& args,
    std::int64_t blocks,
    const Workspace& workspace,
    const Stream& stream) {
  if (args.grad_weight.pos == nullptr && args.grad_bias == nullptr) {
    launch_elementwise<BackwardKernels<Activation>, T>(args, stream);
    return;
  }
  const auto plan = plan_sums<Activation, T>(args, blocks);
  opmath_type<T>* const partial = workspace(plan.partial_numel);
  if constexpr (Activation::has_weight) {
    if (args.grad_weight.pos != nullptr) {
      backward_with_sums<Activation, true, T>(args, plan, partial, stream);
      return;
    }
  }
  backward_with_sums<Activation, false, T>(args, plan, partial, stream);
}

} // namespace linked_neurons::cuda
