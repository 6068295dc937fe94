/// \file
/// How backward with sums is cut into blocks, and where its sums go.
#pragma once

#include <linked_neurons/cuda/parts.cuh>
#include <linked_neurons/cuda/sums.cuh>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

namespace linked_neurons::cuda {

using linked_neurons::detail::ParameterIndex;

/// The sums for one parameter: [launches][slices][repeats][count][inner], `stride` of them a slice.
struct SumsOfParameter {
  void* total; ///< null where nobody wants them
  std::int64_t count;
  std::int64_t segment; ///< elements that a block adds
  std::int64_t inner;
  std::int64_t stride;
  std::int64_t offset; ///< in the workspace
};

struct SumsPlan {
  std::int64_t period;
  std::int64_t repeats;
  std::int64_t slices; ///< of a launch
  std::int64_t repeats_per_slice;
  std::int64_t width, height; ///< of a block, in threads
  std::int64_t tiles;         ///< blocks side by side in the period
  SumsOfParameter sums[kMostSums];
  std::int64_t partial_numel; ///< elements of the workspace that the launches need
};

/// The elements after which weights and bias repeat. One of their periods is a multiple of the
/// other: both are of whole axes of the input, from the innermost in memory on.
template <class Activation>
std::int64_t period_of(const BackwardArguments& args) {
  return std::max<std::int64_t>(
      Activation::has_weight ? args.weight.index.period() : 1,
      args.grad_bias != nullptr ? args.bias.index.period() : 1);
}

/// How many threads of a block stand side by side. If it can be, their elements are whole runs of
/// the `inner` ones that have the same parameter, or a part of one: then a block leaves few sums.
/// \param columns vectors of `vector` elements in a period.
inline std::int64_t width_of_block(std::int64_t columns, std::int64_t inner, std::int64_t vector) {
  constexpr std::int64_t kLine = 8; // threads that read 128 bytes together
  if (inner >= vector) {
    const std::int64_t run = inner / std::gcd(inner, vector); // the fewest vectors of whole runs
    if (run <= kThreads) {
      return std::min(columns, kThreads / run * run);
    }
    std::int64_t best = 0;
    std::int64_t most_busy = kThreads * 3 / 4;
    for (std::int64_t width = 4 * kLine; width <= kThreads; width += kLine) {
      const std::int64_t busy = kThreads / width * width;
      if (inner % (width * vector) == 0 && busy >= most_busy) {
        best = width;
        most_busy = busy;
      }
    }
    if (best != 0) {
      return best;
    }
  }
  const std::int64_t even = divide_up(columns, divide_up(columns, kThreads));
  return std::min(columns, divide_up(even, kLine) * kLine);
}

/// \param of_block elements of a block side by side.
/// \return how many of them make one sum of the parameter that `index` says.
inline std::int64_t segment_of(
    const ParameterIndex& index, std::int64_t of_block, std::int64_t vector) {
  if (index.count == 1) {
    return of_block;
  }
  if (index.inner >= vector) {
    for (const std::int64_t segment : {of_block, index.inner, vector}) {
      if (index.inner % segment == 0 && of_block % segment == 0) {
        return segment;
      }
    }
  }
  return 1;
}

/// The number of slices that takes least time. Blocks come in waves of `resident`, and each lasts
/// as long as its slice has repeats.
inline std::int64_t best_slices(
    std::int64_t tiles, std::int64_t repeats, std::int64_t most_slices, std::int64_t resident) {
  constexpr std::int64_t kWaves = 4;
  std::int64_t best = 1;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  const std::int64_t fewest = divide_up(tiles, resident);
  for (std::int64_t waves = fewest; waves < fewest + kWaves; ++waves) {
    const std::int64_t slices = std::clamp<std::int64_t>(waves * resident / tiles, 1, most_slices);
    const std::int64_t time = divide_up(tiles * slices, resident) * divide_up(repeats, slices);
    if (time < least) {
      best = slices;
      least = time;
    }
  }
  return best;
}

/// \tparam N elements that a thread takes side by side.
/// \param args of one launch, of `launches` alike.
/// \param resident blocks that run at once on the device.
template <class Activation, class T, int N>
SumsPlan plan_sums(
    const BackwardArguments& args, std::int64_t resident, std::int64_t launches = 1) {
  SumsPlan plan = {};
  plan.period = period_of<Activation>(args);
  plan.repeats = args.numel / plan.period;
  const std::int64_t columns = plan.period / N;
  const auto& bias = args.bias.index;
  const auto& weight = args.weight.index;
  const ParameterIndex indices[kMostSums] = {bias, weight, weight};
  void* const totals[kMostSums] = {args.grad_bias, args.grad_weight.pos, args.grad_weight.neg};
  std::int64_t inner = plan.period;
  for (int s = 0; s < kMostSums; ++s) {
    if (totals[s] != nullptr && indices[s].count > 1) {
      inner = std::min(inner, indices[s].inner);
    }
  }
  plan.width = width_of_block(columns, inner, N);
  plan.height = kThreads / plan.width;
  plan.tiles = divide_up(columns, plan.width);
  std::int64_t sums_of_slice = 0;
  for (int s = 0; s < kMostSums; ++s) {
    if (totals[s] == nullptr) {
      continue;
    }
    SumsOfParameter& sums = plan.sums[s];
    sums.total = totals[s];
    sums.count = indices[s].count;
    sums.segment = segment_of(indices[s], plan.width * N, N);
    sums.stride = divide_up(plan.period, sums.segment);
    sums.inner = sums.count == 1 ? sums.stride : indices[s].inner / sums.segment;
    sums_of_slice += sums.stride;
  }
  // Each thread has a few repeats, and what the slices leave is at most a twentieth of the input,
  // in bytes, unless that made so few blocks that a part of the device were idle.
  constexpr std::int64_t kMostBlocksAlongY = 65535;
  constexpr std::int64_t kFewRepeats = std::int64_t{2} * kRepeatsAtOnce;
  const std::int64_t twentieth =
      args.numel * static_cast<std::int64_t>(sizeof(T)) /
      (20 * sums_of_slice * static_cast<std::int64_t>(sizeof(opmath_type<T>)));
  const std::int64_t quarter_wave = divide_up(resident, 4 * plan.tiles);
  const std::int64_t most_slices = std::min(
      {divide_up(plan.repeats, kFewRepeats * plan.height),
       std::max(twentieth, quarter_wave),
       kMostBlocksAlongY});
  const std::int64_t slices =
      best_slices(plan.tiles, divide_up(plan.repeats, plan.height), most_slices, resident);
  plan.repeats_per_slice = divide_up(plan.repeats, slices);
  plan.slices = divide_up(plan.repeats, plan.repeats_per_slice);
  for (SumsOfParameter& sums : plan.sums) {
    // Vectors of sums are written as such.
    plan.partial_numel = divide_up(plan.partial_numel, kVectorSize<T>) * kVectorSize<T>;
    sums.offset = plan.partial_numel;
    plan.partial_numel += sums.stride * plan.slices * launches;
  }
  return plan;
}

/// Numbers that a block of the second kernel adds side by side: those of a sector of memory, where
/// the addends of several lie beside each other, and more of them where they have few addends.
inline std::int64_t width_of_totals(std::int64_t count, std::int64_t inner, std::int64_t addends) {
  constexpr std::int64_t kSector = 8;
  std::int64_t width = count > 1 && inner == 1 ? kSector : 1;
  while (width < kThreads && kThreads / width > addends) {
    width *= 2;
  }
  return width;
}

} // namespace linked_neurons::cuda
