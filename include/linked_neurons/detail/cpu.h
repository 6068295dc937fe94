/// \file
/// The CPU backend: loops over blocks of 64 elements, whatever the activation.
///
/// A block is computed as a whole, always: its loops have a constant length, so compilers vectorise
/// them at -O2 too, and no remainder has code of its own. Where a block lies inside a row it is
/// read and written in place; where it crosses rows, or ends the tensor, it passes through a
/// buffer.
#pragma once

#include <linked_neurons/detail/blocks.h>
#include <linked_neurons/detail/parallel.h>
#include <linked_neurons/detail/targets.h>
#include <linked_neurons/detail/task.h>

#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>

namespace linked_neurons::detail::cpu {

/// Blocks that are worth a thread.
inline constexpr std::int64_t kGrain = 512;

/// Parts into which a sum over the whole tensor is cut, whatever the number of threads: so its bits
/// do not depend on them.
inline constexpr std::int64_t kMaxSlices = 64;

template <class Activation>
void forward(const ForwardTask& task, Target target) {
  dispatch(task.input.scalar_type(), [&](auto type) {
    const ForwardBlocks<Activation, decltype(type)> blocks{arguments<decltype(type)>(task)};
    parallel_for(block_count(task.input.numel()), kGrain, [&](auto begin, auto end) {
      run_for(target, blocks, begin, end);
    });
  });
}

template <class Activation>
void backward(const BackwardTask& task, Target target) {
  dispatch(task.grad_input.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const auto args = arguments<T>(task);
    const std::int64_t blocks = block_count(args.numel);
    if constexpr (Activation::has_weight) {
      if (task.grad_weight.defined()) {
        // The partial sums take no more memory than the input.
        const std::int64_t count = task.weight_index.count;
        const std::int64_t slices = std::clamp<std::int64_t>(
            std::min(blocks / kGrain, args.numel / (2 * count)), 1, kMaxSlices);
        const std::int64_t length = (blocks + slices - 1) / slices;
        const at::Tensor partial = at::zeros({slices, 2, count}, task.grad_weight.options());
        parallel_for(slices, 1, [&](auto begin, auto end) {
          for (auto slice = begin; slice < end; ++slice) {
            auto* sums = data<Compute<T>>(partial) + slice * 2 * count;
            const BackwardBlocks<Activation, T, true> loop{args, {sums, sums + count}};
            run_for(target, loop, slice * length, std::min((slice + 1) * length, blocks));
          }
        });
        task.grad_weight.copy_(at::sum(partial, 0));
        return;
      }
    }
    const BackwardBlocks<Activation, T, false> loop{args, {}};
    parallel_for(blocks, kGrain, [&](auto begin, auto end) { run_for(target, loop, begin, end); });
  });
}

template <class Activation>
inline constexpr Backend backend = {
    [](const ForwardTask& task) { forward<Activation>(task, best_target()); },
    [](const BackwardTask& task) { backward<Activation>(task, best_target()); },
    [](at::ScalarType /*type*/) { return static_cast<int>(kBlock); }};

} // namespace linked_neurons::detail::cpu
