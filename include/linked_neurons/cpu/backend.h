/// \file
/// The CPU backend: loops over blocks of 64 elements, whatever the activation.
///
/// A block is computed as a whole, always: its loops have a constant length, so compilers vectorise
/// them at -O2 too, and no remainder has code of its own. Where a block lies inside a row it is
/// read and written in place; where it crosses rows, or ends the tensor, it passes through a
/// buffer.
#pragma once

#include <linked_neurons/cpu/blocks.h>
#include <linked_neurons/cpu/parallel.h>
#include <linked_neurons/cpu/targets.h>
#include <linked_neurons/kernel/task.h>

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// Blocks that are worth a thread.
inline constexpr std::int64_t kGrain = 512;

/// Parts into which a sum over the whole tensor is cut, whatever the number of threads: so its bits
/// do not depend on them.
inline constexpr std::int64_t kMaxSlices = 64;

/// Calls `body` with a value of the type in which elements of `type` are computed, and with how
/// they are stored.
template <class Body>
void dispatch_stored(at::ScalarType type, const Body& body) {
  dispatch(type, [&](auto element) {
    using T = decltype(element);
    constexpr auto kStoredType = std::is_same_v<T, Half>       ? StoredType::half
                                 : std::is_same_v<T, BFloat16> ? StoredType::bfloat16
                                                               : StoredType::opmath;
    body(opmath_type<T>{}, kStoredType);
  });
}

/// Runs loops over all the blocks of `numel` elements.
template <class Blocks>
void run_blocks(Target target, const Blocks& blocks, std::int64_t numel) {
  parallel_for(block_count(numel), kGrain, [&](std::int64_t begin, std::int64_t end) {
    run_on(target, blocks, begin, end);
  });
}

/// Whether a layer's result goes past the caches: where its linked tensor does not fit into them.
/// \param row bytes: every block of the result starts at a multiple of it, or a whole number of
/// blocks further on.
inline bool is_nontemporal(
    const at::Tensor& result, std::int64_t row, std::int64_t linked_bytes, std::int64_t cache) {
  const auto begin = reinterpret_cast<std::uintptr_t>(result.data_ptr());
  return kHasNontemporal && linked_bytes > cache && begin % kCacheLine == 0 &&
         row % kCacheLine == 0;
}

/// \param cache bytes of the largest.
template <class Activation>
void forward(const ForwardTask& task, Target target, std::int64_t cache = largest_cache()) {
  dispatch_stored(task.input.scalar_type(), [&](auto number, StoredType stored_type) {
    using C = decltype(number);
    const std::int64_t size = element_size<C>(stored_type);
    const bool nontemporal =
        is_nontemporal(task.output, task.row * size, task.output.numel() * size, cache);
    const ForwardBlocks<Activation, C> blocks{arguments<Stored<C>>(task), stored_type, nontemporal};
    run_blocks(target, blocks, task.input.numel());
  });
}

/// Adds up `count` sums from `first` on of all slices.
/// \param partial one slice's sums after the other's, `stride` each.
template <class C>
void add_slices(const at::Tensor& partial, std::int64_t first, C* total, std::int64_t count) {
  constexpr std::int64_t kEnough = 32768; // additions for a thread
  const std::int64_t slices = partial.size(0);
  const std::int64_t stride = partial.size(1);
  parallel_for(count, kEnough / slices, [&](std::int64_t begin, std::int64_t end) {
    std::fill(total + begin, total + end, C(0));
    for (std::int64_t slice = 0; slice < slices; ++slice) {
      const C* const sums = data<C>(partial) + slice * stride + first;
      for (std::int64_t i = begin; i < end; ++i) {
        total[i] += sums[i];
      }
    }
  });
}

/// Runs `loop` over all blocks, in slices with sums of their own, and writes the total of these to
/// the task's gradients of parameters.
///
/// \param loop called with its sums, all of them 0, and with the blocks to add.
template <class C>
void add_in_slices(
    const BackwardTask& task,
    c10::function_ref<void(const Sums<C>& sums, std::int64_t begin, std::int64_t end)> loop) {
  const Sums<C> total = sums_of<C>(task);
  const std::int64_t numel = task.grad_input.numel();
  const std::int64_t blocks = block_count(numel);
  const std::int64_t weights = total.weight.pos == nullptr ? 0 : task.weight_index.count;
  const std::int64_t biases = total.bias == nullptr ? 0 : task.bias_index.count;
  const std::int64_t count = 2 * weights + biases;
  // The partial sums take no more memory than the input.
  const std::int64_t slices =
      std::clamp<std::int64_t>(std::min(blocks / kGrain, numel / count), 1, kMaxSlices);
  const std::int64_t length = (blocks + slices - 1) / slices;
  const auto type = to_opmath_type(task.grad_input.scalar_type());
  const at::Tensor partial = at::empty({slices, count}, task.grad_input.options().dtype(type));
  parallel_for(slices, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto slice = begin; slice < end; ++slice) {
      C* const sums = data<C>(partial) + slice * count;
      std::fill_n(sums, count, C(0));
      const Sums<C> here = {
          {sums, sums + weights}, total.bias == nullptr ? nullptr : sums + 2 * weights};
      loop(here, slice * length, std::min((slice + 1) * length, blocks));
    }
  });
  add_slices(partial, 0, total.weight.pos, weights);
  add_slices(partial, weights, total.weight.neg, weights);
  add_slices(partial, 2 * weights, total.bias, biases);
}

template <class Activation, class C, bool kWeightGradients>
void backward_with_sums(
    const BackwardTask& task,
    BackwardBlocks<Activation, C, kWeightGradients> blocks,
    Target target) {
  add_in_slices<C>(task, [&](const Sums<C>& sums, std::int64_t begin, std::int64_t end) {
    auto slice = blocks;
    slice.sums = sums;
    run_on(target, slice, begin, end);
  });
}

template <class Activation>
void backward(const BackwardTask& task, Target target, std::int64_t cache = largest_cache()) {
  dispatch_stored(task.grad_input.scalar_type(), [&](auto number, StoredType stored_type) {
    using C = decltype(number);
    const auto args = arguments<Stored<C>>(task);
    const std::int64_t size = element_size<C>(stored_type);
    const bool nontemporal =
        is_nontemporal(task.grad_input, kBlock * size, 2 * args.numel * size, cache);
    if constexpr (Activation::has_weight) {
      if (task.grad_weight.pos.defined()) {
        return backward_with_sums<Activation, C, true>(
            task, {args, {}, stored_type, nontemporal}, target);
      }
    }
    const BackwardBlocks<Activation, C, false> blocks{args, {}, stored_type, nontemporal};
    if (task.grad_bias.defined()) {
      return backward_with_sums<Activation, C, false>(task, blocks, target);
    }
    run_blocks(target, blocks, args.numel);
  });
}

template <class Activation>
inline constexpr Backend backend = {
    [](const ForwardTask& task) { forward<Activation>(task, best_target()); },
    [](const BackwardTask& task) { backward<Activation>(task, best_target()); },
    [](at::ScalarType /*type*/) { return kMaskLayout; }};

/// Null where there are no loops for this processor.
template <class Activation>
const Backend* backend_here() {
  return has_loops(best_target()) ? &backend<Activation> : nullptr;
}

} // namespace linked_neurons::detail::cpu
