/// \file
/// Tensors of so many elements that 32 bits do not count them: in parts, a launch each.
#pragma once

#include <linked_neurons/cuda/access.cuh>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>

namespace linked_neurons::cuda {

using linked_neurons::detail::BackwardArguments;
using linked_neurons::detail::ForwardArguments;

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// Of the input in one launch: the output has twice as many, which 32 bits count. (A block's last
/// thread may look a little further than the last element.)
inline constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max() / 2 - 1;

/// Launches over one tensor.
struct Parts {
  std::int64_t count; ///< 0 where no part could be so short as a launch should be
  std::int64_t numel; ///< of the input's elements in each of them; the last may have fewer
};

/// Parts that start where a row, the parameters' period and a group of masks do: a kernel cannot
/// tell such a part from a tensor.
/// \param most elements of the input that a launch may have.
template <class Arguments>
Parts parts_of(const Arguments& args, std::int64_t most) {
  if (args.numel <= most) {
    return {1, args.numel};
  }
  // Each of the periods is a multiple of the next shorter one: whole axes, from the innermost on.
  const std::int64_t longest =
      std::max({args.row, args.weight.index.period(), args.bias.index.period()});
  const std::int64_t step = std::lcm(longest, detail::kLargestGroup);
  const std::int64_t numel = most / step * step;
  return numel == 0 ? Parts{0, 0} : Parts{divide_up(args.numel, numel), numel};
}

/// The address so many bytes further, unless it is null.
template <class Memory>
Memory* advanced(Memory* memory, std::int64_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<Memory>, const char, char>;
  return memory == nullptr ? nullptr
                           : reinterpret_cast<Memory*>(reinterpret_cast<Byte*>(memory) + bytes);
}

/// What the launch of the part that starts at the input's element `first` is given.
template <class Activation, class T>
ForwardArguments part_of(ForwardArguments args, std::int64_t first, std::int64_t numel) {
  const std::int64_t bytes = first * sizeof(T);
  args.input = advanced(args.input, bytes);
  args.output = advanced(args.output, 2 * bytes);
  args.masks = advanced(args.masks, detail::mask_bytes(first));
  args.numel = std::min(numel, args.numel - first);
  return args;
}

template <class Activation, class T>
BackwardArguments part_of(BackwardArguments args, std::int64_t first, std::int64_t numel) {
  const std::int64_t bytes = first * sizeof(T);
  args.grad = advanced(args.grad, args.grad_is_uniform ? 0 : 2 * bytes);
  args.input_or_output =
      advanced(args.input_or_output, Activation::saved == Saved::input ? bytes : 2 * bytes);
  args.masks = advanced(args.masks, detail::mask_bytes(first));
  args.grad_input = advanced(args.grad_input, bytes);
  args.numel = std::min(numel, args.numel - first);
  return args;
}

} // namespace linked_neurons::cuda
