/// \file
/// The CUDA kernels, for any activation: forward and backward (with the parameters' gradients:
/// sums.cuh).
///
/// Device code without LibTorch and without CUDA headers: the tests execute it on the host too.
#pragma once

#include <linked_neurons/cuda/access.cuh>

namespace linked_neurons::cuda {

using linked_neurons::detail::BackwardArguments;
using linked_neurons::detail::ForwardArguments;
using linked_neurons::detail::Kept;

inline constexpr int kThreads = 256;

/// Groups of a thread in forward and in backward: so many 16-byte reads (times the tensors that are
/// read) are on their way at once.
template <class T>
inline constexpr int kForwardGroups = sizeof(T) == 8 ? 2 : 4;
inline constexpr int kBackwardGroups = 2;

/// Element `i`'s part of its group's signs.
template <class T, class Sign>
LINKED_NEURONS_FN unsigned packed(const Pair<Sign>& sign, int i) {
  return (static_cast<unsigned>(sign.pos) << i) |
         (static_cast<unsigned>(sign.neg) << (i + kGroup<T>));
}

/// \tparam Access `WholeGroups` or `SingleElements`.
template <class Activation, class T, class Index, template <class, class> class Access>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(ForwardArguments<T> args, Dividers<Index> dividers) {
  using C = Compute<T>;
  using A = Access<T, Index>;
  constexpr int kGroups = kForwardGroups<T>;
  const Rows<Index>& rows = dividers.rows;
  const Index thread = static_cast<Index>(blockIdx.x) * (kThreads * kGroups) + threadIdx.x;
  Group<T> input[kGroups];
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    const Index first = (thread + g * kThreads) * kGroup<T>;
    if (first < rows.numel) {
      input[g] = A::read(args.input, first, rows);
    }
  }
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    const Index first = (thread + g * kThreads) * kGroup<T>;
    if (first >= rows.numel) {
      return;
    }
    Pair<Group<C, kGroup<T>>> slopes = {};
    if constexpr (Activation::has_weight) {
      slopes = read_weights<kGroup<T>>(args.weight, dividers.weight, first);
    }
    const auto bias = read_bias<kGroup<T>>(args.bias, dividers.bias, first);
    Pair<Group<T>> output;
    unsigned signs = 0;
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      const C z = detail::load(input[g].at[i]) + bias.at[i];
      const auto y = detail::forward<Activation>(z, Pair<C>{slopes.pos.at[i], slopes.neg.at[i]});
      output.pos.at[i] = detail::store<T>(y.pos);
      output.neg.at[i] = detail::store<T>(y.neg);
      if constexpr (Activation::saved == Saved::signs) {
        signs |= packed<T>(Activation::signs(z), i);
      }
    }
    A::write_halves(args.output, first, rows, output);
    if constexpr (Activation::saved == Saved::signs) {
      if (args.signs != nullptr) {
        reinterpret_cast<SignWord<T>*>(args.signs)[first / kGroup<T>] =
            static_cast<SignWord<T>>(signs);
      }
    }
  }
}

/// What one group's backward reads; its input with the bias is in `z`.
template <class T>
struct BackwardGroup {
  Pair<Group<T>> grad;
  Group<Compute<T>, kGroup<T>> z;
  Pair<Group<T>> output;
  unsigned signs;
};

template <class T>
LINKED_NEURONS_FN Pair<Compute<T>> output_of(const BackwardGroup<T>& group, int i) {
  return {detail::load(group.output.pos.at[i]), detail::load(group.output.neg.at[i])};
}

/// \param rows those of `dividers`, perhaps with less of them visible.
template <class Activation, class Access, bool kWeightGradients, class T, class Index>
LINKED_NEURONS_FN BackwardGroup<T> read_backward(
    const BackwardArguments<T>& args,
    const Dividers<Index>& dividers,
    const Rows<Index>& rows,
    Index first) {
  BackwardGroup<T> group = {};
  if (args.grad_is_uniform) {
    group.grad = {filled<kGroup<T>>(*args.grad), filled<kGroup<T>>(*args.grad)};
  } else {
    group.grad = Access::read_halves(args.grad, first, rows);
  }
  if constexpr (Activation::saved == Saved::input) {
    const Group<T> input = Access::read(args.kept, first, rows);
    const auto bias = read_bias<kGroup<T>>(args.bias, dividers.bias, first);
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      group.z.at[i] = detail::load(input.at[i]) + bias.at[i];
    }
  } else if constexpr (detail::keeps_output<Activation>(kWeightGradients)) {
    group.output = Access::read_halves(args.kept, first, rows);
  }
  if constexpr (Activation::saved == Saved::signs) {
    if constexpr (Activation::output_tells_signs) {
      if (args.signs == nullptr) {
        group.output = Access::read_halves(args.kept, first, rows);
        group.signs = 0;
        LINKED_NEURONS_UNROLL
        for (int i = 0; i < kGroup<T>; ++i) {
          group.signs |= packed<T>(Activation::signs_of_output(output_of(group, i)), i);
        }
        return group;
      }
    }
    // An element that is not the first of its group has its signs further on in theirs.
    group.signs = reinterpret_cast<const SignWord<T>*>(args.signs)[first / kGroup<T>] >>
                  Access::place_in_group(first);
  }
  return group;
}

/// What element `i` of a group starts from.
template <class T>
LINKED_NEURONS_FN Kept<Compute<T>, int> kept_of(const BackwardGroup<T>& group, int i) {
  return {
      group.z.at[i],
      output_of(group, i),
      {static_cast<int>((group.signs >> i) & 1U),
       static_cast<int>((group.signs >> (i + kGroup<T>)) & 1U)}};
}

template <class Activation, class T, class Index, template <class, class> class Access>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(BackwardArguments<T> args, Dividers<Index> dividers) {
  using C = Compute<T>;
  using A = Access<T, Index>;
  constexpr int kGroups = kBackwardGroups;
  const Rows<Index>& rows = dividers.rows;
  const Index thread = static_cast<Index>(blockIdx.x) * (kThreads * kGroups) + threadIdx.x;
  BackwardGroup<T> groups[kGroups];
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    const Index first = (thread + g * kThreads) * kGroup<T>;
    if (first < rows.numel) {
      groups[g] = read_backward<Activation, A, false>(args, dividers, rows, first);
    }
  }
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    const Index first = (thread + g * kThreads) * kGroup<T>;
    if (first >= rows.numel) {
      return;
    }
    Pair<Group<C, kGroup<T>>> slopes = {};
    if constexpr (Activation::has_weight) {
      slopes = read_weights<kGroup<T>>(args.weight, dividers.weight, first);
    }
    Group<T> grad_input;
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      const Pair<C> grad = {
          detail::load(groups[g].grad.pos.at[i]), detail::load(groups[g].grad.neg.at[i])};
      grad_input.at[i] = detail::store<T>(detail::backward<Activation>(
          kept_of(groups[g], i), grad, Pair<C>{slopes.pos.at[i], slopes.neg.at[i]}));
    }
    A::write(args.grad_input, first, rows, grad_input);
  }
}

} // namespace linked_neurons::cuda
