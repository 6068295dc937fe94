/// \file
/// The CUDA kernels, for any activation: forward and backward (with the parameters' gradients:
/// sums.cuh).
///
/// Device code without LibTorch and without CUDA headers: the tests execute it on the host too.
#pragma once

#include <linked_neurons/cuda/access.cuh>
#include <linked_neurons/cuda/formulas.cuh>

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

/// The vectors in the order in which blocks take them: block b has those from `first + b * step`
/// on, ascending, or descending (a step below 0, modulo 2^bits).
template <class Index>
struct BlockOrder {
  Index first;
  Index step;

  __device__ Index vector_of_thread() const {
    return first + step * static_cast<Index>(blockIdx.x) + threadIdx.x;
  }
};

/// Element `i`'s part of its vector's masks.
template <class T, class Mask>
LINKED_NEURONS_FN unsigned packed(const Pair<Mask>& mask, int i) {
  return (static_cast<unsigned>(mask.pos) << i) |
         (static_cast<unsigned>(mask.neg) << (i + kVectorSize<T>));
}

/// The first element of a vector, or 0 in place of a vector behind the last: it is read without a
/// condition, which would have a thread's next loads wait for it, and not used.
template <class Index>
LINKED_NEURONS_FN Index readable(const Rows<Index>& rows, Index vector, int size) {
  const Index first = vector * size;
  return first < rows.numel ? first : 0;
}

/// \tparam Access `Vectorized` or `PerElement`.
template <class Activation, class T, class Index, template <class, class> class Access>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(ForwardArguments args, IntDividers<Index> dividers, BlockOrder<Index> order) {
  using C = opmath_type<T>;
  using A = Access<T, Index>;
  constexpr int kVectors = kForwardVectors<T>;
  const Rows<Index>& rows = dividers.rows;
  const Index vector = order.vector_of_thread();
  AlignedVector<T> input[kVectors];
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    input[g] = A::read(args.input, readable(rows, vector + g * kThreads, kVectorSize<T>), rows);
  }
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    const Index first = (vector + g * kThreads) * kVectorSize<T>;
    if (first >= rows.numel) {
      return;
    }
    Pair<AlignedVector<C, kVectorSize<T>>> weights = {};
    if constexpr (Activation::has_weight) {
      weights = read_weights<kVectorSize<T>, C>(args.weight, dividers.weight, first);
    }
    const auto bias = read_bias<kVectorSize<T>, C>(args.bias, dividers.bias, first);
    Pair<AlignedVector<T>> output = {};
    unsigned masks = 0;
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      const C z = detail::load(input[g].get(i)) + bias.val[i];
      const auto y = forward_element<Activation, T>(
          z, Pair<C>{weights.pos.val[i], weights.neg.val[i]}, args.number);
      output.pos.set(i, detail::store<T>(y.pos));
      output.neg.set(i, detail::store<T>(y.neg));
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

/// What one vector's backward reads.
template <class T>
struct BackwardVector {
  Pair<AlignedVector<T>> grad;
  AlignedVector<T> input;
  Pair<AlignedVector<T>> output;
  unsigned masks;
};

template <class T>
LINKED_NEURONS_FN Pair<opmath_type<T>> output_of(const BackwardVector<T>& vector, int i) {
  return {detail::load(vector.output.pos.get(i)), detail::load(vector.output.neg.get(i))};
}

/// What a launch knows of its `BackwardArguments`. A kernel that asked while it runs could not have
/// all its loads on their way at once.
/// \tparam kUniform their `grad_is_uniform`.
/// \tparam kFromOutput whether their `masks` are null: the output tells them.
template <bool kUniform, bool kFromOutput>
struct BackwardReads {
  static constexpr bool uniform_grad = kUniform;
  static constexpr bool masks_of_output = kFromOutput;
};

/// \tparam Reads `BackwardReads` of `args`.
/// \param rows `numel` may be smaller than that of `args`, so that elements beyond it are not read.
template <class Activation, class T, class Access, class Reads, bool kWeightGradients, class Index>
LINKED_NEURONS_FN BackwardVector<T> read_backward(
    const BackwardArguments& args, const Rows<Index>& rows, Index first) {
  BackwardVector<T> vector = {};
  if constexpr (Reads::uniform_grad) {
    const auto grad = filled<kVectorSize<T>>(*static_cast<const T*>(args.grad));
    vector.grad = {grad, grad};
  } else {
    vector.grad = Access::read_halves(args.grad, first, rows);
  }
  if constexpr (Activation::saved == Saved::input) {
    vector.input = Access::read(args.input_or_output, first, rows);
  } else if constexpr (
      Reads::masks_of_output || detail::saves_output<Activation>(kWeightGradients)) {
    vector.output = Access::read_halves(args.input_or_output, first, rows);
  }
  if constexpr (Reads::masks_of_output) {
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      vector.masks |= packed<T>(Activation::masks_of_output(output_of(vector, i)), i);
    }
  } else if constexpr (Activation::saved == Saved::masks) {
    // An element that is not the first of its vector has its masks further on in theirs.
    vector.masks = reinterpret_cast<const MaskWord<T>*>(args.masks)[first / kVectorSize<T>] >>
                   Access::place_in_vector(first);
  }
  return vector;
}

/// What the `N` elements of a vector have of the parameters.
template <class C, int N>
struct ParameterVectors {
  Pair<AlignedVector<C, N>> weight;
  AlignedVector<C, N> bias;

  LINKED_NEURONS_FN Pair<C> weight_of(int i) const {
    return {weight.pos.val[i], weight.neg.val[i]};
  }
};

/// Those that an activation's backward needs.
template <class Activation, int N, class C, class Index>
LINKED_NEURONS_FN ParameterVectors<C, N> read_parameters(
    const BackwardArguments& args, const IntDividers<Index>& dividers, Index first) {
  ParameterVectors<C, N> parameters = {};
  if constexpr (Activation::has_weight) {
    parameters.weight = read_weights<N, C>(args.weight, dividers.weight, first);
  }
  if constexpr (Activation::saved == Saved::input) {
    parameters.bias = read_bias<N, C>(args.bias, dividers.bias, first);
  }
  return parameters;
}

/// What element `i` of a vector starts from.
template <class T, int N>
LINKED_NEURONS_FN SavedValues<opmath_type<T>, int> saved_values(
    const BackwardVector<T>& vector, const ParameterVectors<opmath_type<T>, N>& parameters, int i) {
  return {
      detail::load(vector.input.get(i)) + parameters.bias.val[i],
      output_of(vector, i),
      {static_cast<int>((vector.masks >> i) & 1U),
       static_cast<int>((vector.masks >> (i + kVectorSize<T>)) & 1U)}};
}

template <class Activation, class Reads, class T, class Index, template <class, class> class Access>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(BackwardArguments args, IntDividers<Index> dividers, BlockOrder<Index> order) {
  using C = opmath_type<T>;
  using A = Access<T, Index>;
  constexpr int kVectors = kBackwardVectors;
  const Rows<Index>& rows = dividers.rows;
  const Index vector = order.vector_of_thread();
  BackwardVector<T> vectors[kVectors];
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    vectors[g] = read_backward<Activation, T, A, Reads, false>(
        args, rows, readable(rows, vector + g * kThreads, kVectorSize<T>));
  }
  LINKED_NEURONS_UNROLL
  for (int g = 0; g < kVectors; ++g) {
    const Index first = (vector + g * kThreads) * kVectorSize<T>;
    if (first >= rows.numel) {
      return;
    }
    const auto parameters = read_parameters<Activation, kVectorSize<T>, C>(args, dividers, first);
    AlignedVector<T> grad_input = {};
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      const Pair<C> grad = {
          detail::load(vectors[g].grad.pos.get(i)), detail::load(vectors[g].grad.neg.get(i))};
      grad_input.set(
          i,
          detail::store<T>(backward_element<Activation, T>(
              saved_values(vectors[g], parameters, i),
              grad,
              parameters.weight_of(i),
              args.number)));
    }
    A::write(args.grad_input, first, rows, grad_input);
  }
}

} // namespace linked_neurons::cuda
