/// \file
/// The CPU backend: loops over blocks of 64 elements, whatever the activation.
///
/// A block is computed as a whole, always: its loops have a constant length, so compilers vectorise
/// them at -O2 too, and no remainder has code of its own. Where a block lies inside a row it is
/// read and written in place; where it crosses rows, or ends the tensor, it passes through a
/// buffer.
#pragma once

#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/cpu/blocks.h>
#include <linked_neurons/cpu/parallel.h>
#include <linked_neurons/cpu/targets.h>
#include <linked_neurons/kernel/backend.h>

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

/// Whether an activation selects among elements of type `T` without making floats of them.
template <class Activation, class T>
inline constexpr bool kSelects = Activation::only_selects && sizeof(T) == 2;

/// Whether only one half of an activation's result in type `T` is rounded. (Of half the processor
/// rounds eight at a time; the way back from bfloat16 is what takes time.)
template <class Activation, class T>
inline constexpr bool kWeighsOneHalf = Activation::weighs_one_half&& std::is_same_v<T, BFloat16>;

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
    const void* result, std::int64_t row, std::int64_t linked_bytes, std::int64_t cache) {
  const auto begin = reinterpret_cast<std::uintptr_t>(result);
  return kHasNontemporal && linked_bytes > cache && begin % kCacheLine == 0 &&
         row % kCacheLine == 0;
}

/// \param cache bytes of the largest.
template <class Activation>
void forward(
    const ForwardArguments& args,
    at::ScalarType type,
    Target target,
    std::int64_t cache = largest_cache()) {
  dispatch(type, [&](auto element) {
    using T = decltype(element);
    constexpr std::int64_t kSize = sizeof(T);
    const bool nontemporal =
        is_nontemporal(args.output, args.row * kSize, 2 * args.numel * kSize, cache);
    if constexpr (kSelects<Activation, T>) {
      if (args.bias.values == nullptr) {
        const ForwardBlocks<Activation, T> blocks{args, StoredType::as_computed, nontemporal};
        return run_blocks(target, blocks, args.numel);
      }
    }
    if constexpr (kWeighsOneHalf<Activation, T>) {
      if (args.bias.values == nullptr) {
        const ForwardWeightedBlocks<Activation, T> blocks{args, nontemporal};
        return run_blocks(target, blocks, args.numel);
      }
    }
    const ForwardBlocks<Activation, opmath_type<T>> blocks{args, kStoredType<T>, nontemporal};
    run_blocks(target, blocks, args.numel);
  });
}

/// Adds up `count` sums of each slice.
/// \param partial the first slice's sums; those of the next one lie `stride` further on.
template <class C>
void add_slices(
    const C* partial, std::int64_t slices, std::int64_t stride, void* total, std::int64_t count) {
  constexpr std::int64_t kEnough = 32768; // additions for a thread
  auto* const sums = static_cast<C*>(total);
  parallel_for(count, kEnough / slices, [&](std::int64_t begin, std::int64_t end) {
    std::fill(sums + begin, sums + end, C(0));
    for (std::int64_t slice = 0; slice < slices; ++slice) {
      for (std::int64_t i = begin; i < end; ++i) {
        sums[i] += partial[slice * stride + i];
      }
    }
  });
}

/// Runs `loop` over all blocks, in slices with sums of their own, and writes the total of these to
/// the gradients of parameters.
///
/// \param loop called with arguments whose gradients of parameters are a slice's sums, all of them
/// 0, and with the blocks to add.
template <class C>
void add_in_slices(
    const BackwardArguments& args,
    c10::function_ref<void(const BackwardArguments& args, std::int64_t begin, std::int64_t end)>
        loop) {
  const std::int64_t blocks = block_count(args.numel);
  const std::int64_t weights = args.grad_weight.pos == nullptr ? 0 : args.weight.index.count;
  const std::int64_t biases = args.grad_bias == nullptr ? 0 : args.bias.index.count;
  const std::int64_t count = 2 * weights + biases;
  // The partial sums take no more memory than the input.
  const std::int64_t slices =
      std::clamp<std::int64_t>(std::min(blocks / kGrain, args.numel / count), 1, kMaxSlices);
  const std::int64_t length = (blocks + slices - 1) / slices;
  const at::Tensor memory = at::empty({slices, count}, c10::CppTypeToScalarType<C>::value);
  C* const partial = memory.data_ptr<C>();
  parallel_for(slices, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto slice = begin; slice < end; ++slice) {
      C* const sums = partial + slice * count;
      std::fill_n(sums, count, C(0));
      BackwardArguments of_slice = args;
      of_slice.grad_weight = {sums, sums + weights};
      of_slice.grad_bias = biases == 0 ? nullptr : sums + 2 * weights;
      loop(of_slice, slice * length, std::min((slice + 1) * length, blocks));
    }
  });
  add_slices(partial, slices, count, args.grad_weight.pos, weights);
  add_slices(partial + weights, slices, count, args.grad_weight.neg, weights);
  add_slices(partial + 2 * weights, slices, count, args.grad_bias, biases);
}

template <class Activation, class C, bool kWeightGradients>
void backward_with_sums(
    const BackwardBlocks<Activation, C, kWeightGradients>& blocks, Target target) {
  add_in_slices<C>(
      blocks.args, [&](const BackwardArguments& args, std::int64_t begin, std::int64_t end) {
        auto slice = blocks;
        slice.args = args;
        run_on(target, slice, begin, end);
      });
}

template <class Activation>
void backward(
    const BackwardArguments& args,
    at::ScalarType type,
    Target target,
    std::int64_t cache = largest_cache()) {
  dispatch(type, [&](auto element) {
    using T = decltype(element);
    using C = opmath_type<T>;
    constexpr std::int64_t kSize = sizeof(T);
    const bool nontemporal =
        is_nontemporal(args.grad_input, kBlock * kSize, 2 * args.numel * kSize, cache);
    if constexpr (Activation::has_weight) {
      if (args.grad_weight.pos != nullptr) {
        const BackwardBlocks<Activation, C, true> blocks{args, kStoredType<T>, nontemporal};
        return backward_with_sums(blocks, target);
      }
    }
    const BackwardBlocks<Activation, C, false> blocks{args, kStoredType<T>, nontemporal};
    if (args.grad_bias != nullptr) {
      return backward_with_sums(blocks, target);
    }
    if constexpr (
        kSelects<Activation, T> && (Activation::saved == Saved::masks || kFindsMasks<Activation>)) {
      if (Activation::saved == Saved::masks || args.bias.values == nullptr) {
        const BackwardSelectBlocks<Activation, T> select{args, nontemporal};
        return run_blocks(target, select, args.numel);
      }
    }
    run_blocks(target, blocks, args.numel);
  });
}

/// \param args whose `input_or_output` is the input, without masks.
template <class Activation>
void backward_from_input(
    const BackwardArguments& args,
    at::ScalarType type,
    Target target,
    std::int64_t cache = largest_cache()) {
  backward<FromInput<Activation>>(args, type, target, cache);
}

template <class Activation>
inline constexpr Backend backend = {
    [](const ForwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      forward<Activation>(args, type, best_target());
    },
    [](const BackwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      backward<Activation>(args, type, best_target());
    },
    [](const BackwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      backward_from_input<Activation>(args, type, best_target());
    },
    [](at::ScalarType /*type*/) { return kMaskLayout; }};

/// Null where there are no loops for this processor.
template <class Activation>
const Backend* backend_here() {
  return has_loops(best_target()) ? &backend<Activation> : nullptr;
}

} // namespace linked_neurons::detail::cpu
