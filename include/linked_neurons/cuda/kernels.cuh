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
using linked_neurons::detail::SavedValues;

inline constexpr int kThreads = 256;

/// Groups of a thread in forward and in backward: so many 16-byte reads (times the tensors that are
/// read) are on their way at once.
template <class T>
inline constexpr int kForwardVectors = sizeof(T) == 8 ? 2 : 4;
inline constexpr int kBackwardVectors = 2;

/// Element `i`'s part of its vector's masks.
template <class T, class Mask>
LINKED_NEURONS_FN unsigned packed(const Pair<Mask>& mask, int i) {
  return (static_cast<unsigned>(mask.pos) << i) |
         (static_cast<unsigned>(mask.neg) << (i + kVectorSize<T>));
}

/// \tparam Access `Vectorized` or `PerElement`.
template <class Activation, class T, class Index, template <class, class> class Access>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(ForwardArguments args, IntDividers<Index> dividers) {
  using C = opmath_type<T>;
  using A = Access<T, Index>;
  constexpr int kVectors = kForwardVectors<T>;
  const Rows<Index>& rows = dividers.rows;
  const Index thread = static_cast<Index>(blockIdx.x) * (kThreads * kVectors) + threadIdx.x;
  AlignedVector<T> input[kVectors];
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    const Index first = (thread + g * kThreads) * kVectorSize<T>;
    if (first < rows.numel) {
      input[g] = A::read(args.input, first, rows);
    }
  }
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    const Index first = (thread + g * kThreads) * kVectorSize<T>;
    if (first >= rows.numel) {
      return;
    }
    Pair<AlignedVector<C, kVectorSize<T>>> weights = {};
    if constexpr (Activation::has_weight) {
      weights = read_weights<kVectorSize<T>, C>(args.weight, dividers.weight, first);
    }
    const auto bias = read_bias<kVectorSize<T>, C>(args.bias, dividers.bias, first);
    Pair<AlignedVector<T>> output;
    unsigned masks = 0;
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      const C z = detail::load(input[g].val[i]) + bias.val[i];
      const auto y = detail::forward<Activation>(
          z, Pair<C>{weights.pos.val[i], weights.neg.val[i]}, static_cast<C>(args.number));
      output.pos.val[i] = detail::store<T>(y.pos);
      output.neg.val[i] = detail::store<T>(y.neg);
      if constexpr (Activation::saved == Saved::masks) {
        masks |= packed<T>(Activation::masks(z), i);
      }
    }
    A::write_halves(args.output, first, rows, output);
    if constexpr (Activation::saved == Saved::masks) {
      if (args.masks != nullptr) {
        reinterpret_cast<MaskWord<T>*>(args.masks)[first / kVectorSize<T>] =
            static_cast<MaskWord<T>>(masks);
      }
    }
  }
}

/// What one vector's backward reads; its input with the bias is in `z`.
template <class T>
struct BackwardVector {
  Pair<AlignedVector<T>> grad;
  AlignedVector<opmath_type<T>, kVectorSize<T>> z;
  Pair<AlignedVector<T>> output;
  unsigned masks;
};

template <class T>
LINKED_NEURONS_FN Pair<opmath_type<T>> output_of(const BackwardVector<T>& vector, int i) {
  return {detail::load(vector.output.pos.val[i]), detail::load(vector.output.neg.val[i])};
}

/// \param rows those of `dividers`; `numel` may be smaller, so that elements beyond it are not
/// read.
template <class Activation, class T, class Access, bool kWeightGradients, class Index>
LINKED_NEURONS_FN BackwardVector<T> read_backward(
    const BackwardArguments& args,
    const IntDividers<Index>& dividers,
    const Rows<Index>& rows,
    Index first) {
  BackwardVector<T> vector = {};
  if (args.grad_is_uniform) {
    const auto grad = filled<kVectorSize<T>>(*static_cast<const T*>(args.grad));
    vector.grad = {grad, grad};
  } else {
    vector.grad = Access::read_halves(args.grad, first, rows);
  }
  if constexpr (Activation::saved == Saved::input) {
    const AlignedVector<T> input = Access::read(args.input_or_output, first, rows);
    const auto bias = read_bias<kVectorSize<T>, opmath_type<T>>(args.bias, dividers.bias, first);
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      vector.z.val[i] = detail::load(input.val[i]) + bias.val[i];
    }
  } else if constexpr (detail::saves_output<Activation>(kWeightGradients)) {
    vector.output = Access::read_halves(args.input_or_output, first, rows);
  }
  if constexpr (Activation::saved == Saved::masks) {
    if constexpr (Activation::output_tells_masks) {
      if (args.masks == nullptr) {
        vector.output = Access::read_halves(args.input_or_output, first, rows);
        vector.masks = 0;
        LINKED_NEURONS_UNROLL
        for (int i = 0; i < kVectorSize<T>; ++i) {
          vector.masks |= packed<T>(Activation::masks_of_output(output_of(vector, i)), i);
        }
        return vector;
      }
    }
    // An element that is not the first of its vector has its masks further on in theirs.
    vector.masks = reinterpret_cast<const MaskWord<T>*>(args.masks)[first / kVectorSize<T>] >>
                   Access::place_in_vector(first);
  }
  return vector;
}

/// What element `i` of a vector starts from.
template <class T>
LINKED_NEURONS_FN SavedValues<opmath_type<T>, int> saved_values(
    const BackwardVector<T>& vector, int i) {
  return {
      vector.z.val[i],
      output_of(vector, i),
      {static_cast<int>((vector.masks >> i) & 1U),
       static_cast<int>((vector.masks >> (i + kVectorSize<T>)) & 1U)}};
}

template <class Activation, class T, class Index, template <class, class> class Access>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(BackwardArguments args, IntDividers<Index> dividers) {
  using C = opmath_type<T>;
  using A = Access<T, Index>;
  constexpr int kVectors = kBackwardVectors;
  const Rows<Index>& rows = dividers.rows;
  const Index thread = static_cast<Index>(blockIdx.x) * (kThreads * kVectors) + threadIdx.x;
  BackwardVector<T> vectors[kVectors];
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    const Index first = (thread + g * kThreads) * kVectorSize<T>;
    if (first < rows.numel) {
      vectors[g] = read_backward<Activation, T, A, false>(args, dividers, rows, first);
    }
  }
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    const Index first = (thread + g * kThreads) * kVectorSize<T>;
    if (first >= rows.numel) {
      return;
    }
    Pair<AlignedVector<C, kVectorSize<T>>> weights = {};
    if constexpr (Activation::has_weight) {
      weights = read_weights<kVectorSize<T>, C>(args.weight, dividers.weight, first);
    }
    AlignedVector<T> grad_input;
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      const Pair<C> grad = {
          detail::load(vectors[g].grad.pos.val[i]), detail::load(vectors[g].grad.neg.val[i])};
      grad_input.val[i] = detail::store<T>(detail::backward<Activation>(
          saved_values(vectors[g], i),
          grad,
          Pair<C>{weights.pos.val[i], weights.neg.val[i]},
          static_cast<C>(args.number)));
    }
    A::write(args.grad_input, first, rows, grad_input);
  }
}

} // namespace linked_neurons::cuda
