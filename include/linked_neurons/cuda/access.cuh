/// \file
/// How a thread reads and writes its vector of neighbouring elements.
///
/// Plain C++ but for the names of the CUDA language, so that a host compiler executes it in tests.
#pragma once

#include <linked_neurons/cuda/int_divider.h>
#include <linked_neurons/kernel/arguments.h>

#include <cstdint>
#include <type_traits>

namespace linked_neurons::cuda {

using linked_neurons::detail::opmath_type;

/// Elements of a thread's vector: 16 bytes of the smaller types. Their masks are stored together.
template <class T>
inline constexpr int kVectorSize = sizeof(T) == 2 ? 8 : 4;

/// A vector's masks are one lane.
template <class T>
inline constexpr detail::MaskLayout kMaskLayout = {1, kVectorSize<T>};

/// The masks of a vector: bits for g(z) from the lowest on, then bits for g(-z).
template <class T>
using MaskWord = std::conditional_t<kVectorSize<T> == 8, std::uint16_t, std::uint8_t>;

/// A vector in registers; in memory it is read and written 16 bytes at a time.
template <class T, int N = kVectorSize<T>, class = void>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) AlignedVector {
  T val[N];

  LINKED_NEURONS_FN T get(int i) const {
    return val[i];
  }
  LINKED_NEURONS_FN void set(int i, T value) {
    val[i] = value;
  }
};

/// 16-bit elements stay two in a register until they are used: each in its own, they would fill so
/// many that loads wait for earlier ones.
template <class T, int N>
struct alignas(16) AlignedVector<T, N, std::enable_if_t<sizeof(T) == 2>> {
  std::uint32_t pairs[N / 2];

  LINKED_NEURONS_FN T get(int i) const {
    return {static_cast<std::uint16_t>(pairs[i / 2] >> (16 * (i % 2)))};
  }
  LINKED_NEURONS_FN void set(int i, T value) {
    const int shift = 16 * (i % 2);
    pairs[i / 2] = (pairs[i / 2] & ~(0xffffU << shift)) | (std::uint32_t{value.bits} << shift);
  }
};

template <int N, class T>
LINKED_NEURONS_FN AlignedVector<T, N> filled(T value) {
  AlignedVector<T, N> vector = {};
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    vector.set(i, value);
  }
  return vector;
}

/// Where the halves of a linked output lie: element i of the input belongs to
/// i + row * (i / row), and `row` after that.
template <class Index>
struct Rows {
  Index numel; ///< of the input
  IntDivider<Index> row;

  LINKED_NEURONS_FN Index offset(Index element) const {
    return element + row.divisor * row.divide(element);
  }

  /// `element`, or the last one in place of those behind it.
  LINKED_NEURONS_FN Index clamped(Index element) const {
    return element < numel ? element : numel - 1;
  }
};

/// Memory that is read and written in whole, aligned vectors (no row ends inside one).
template <class T, class Index>
struct Vectorized {
  LINKED_NEURONS_FN static int place_in_vector(Index /*first*/) {
    return 0;
  }

  LINKED_NEURONS_FN static AlignedVector<T> read(
      const void* base, Index first, const Rows<Index>& /*rows*/) {
    return *reinterpret_cast<const AlignedVector<T>*>(static_cast<const T*>(base) + first);
  }

  LINKED_NEURONS_FN static void write(
      void* base, Index first, const Rows<Index>& /*rows*/, const AlignedVector<T>& vector) {
    *reinterpret_cast<AlignedVector<T>*>(static_cast<T*>(base) + first) = vector;
  }

  LINKED_NEURONS_FN static Pair<AlignedVector<T>> read_halves(
      const void* base, Index first, const Rows<Index>& rows) {
    const Index offset = rows.offset(first);
    return {read(base, offset, rows), read(base, offset + rows.row.divisor, rows)};
  }

  LINKED_NEURONS_FN static void write_halves(
      void* base, Index first, const Rows<Index>& rows, const Pair<AlignedVector<T>>& halves) {
    const Index offset = rows.offset(first);
    write(base, offset, rows, halves.pos);
    write(base, offset + rows.row.divisor, rows, halves.neg);
  }
};

/// Memory of any alignment, rows of any length: an element at a time. In place of elements behind
/// the last, which are not written, the last is read: a condition would have loads wait for it.
template <class T, class Index>
struct PerElement {
  LINKED_NEURONS_FN static int place_in_vector(Index first) {
    return static_cast<int>(first % kVectorSize<T>);
  }

  LINKED_NEURONS_FN static AlignedVector<T> read(
      const void* base, Index first, const Rows<Index>& rows) {
    AlignedVector<T> vector = {};
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      vector.set(i, static_cast<const T*>(base)[rows.clamped(first + i)]);
    }
    return vector;
  }

  LINKED_NEURONS_FN static void write(
      void* base, Index first, const Rows<Index>& rows, const AlignedVector<T>& vector) {
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      if (first + i < rows.numel) {
        static_cast<T*>(base)[first + i] = vector.get(i);
      }
    }
  }

  LINKED_NEURONS_FN static Pair<AlignedVector<T>> read_halves(
      const void* base, Index first, const Rows<Index>& rows) {
    Pair<AlignedVector<T>> halves = {};
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      const Index offset = rows.offset(rows.clamped(first + i));
      halves.pos.set(i, static_cast<const T*>(base)[offset]);
      halves.neg.set(i, static_cast<const T*>(base)[offset + rows.row.divisor]);
    }
    return halves;
  }

  LINKED_NEURONS_FN static void write_halves(
      void* base, Index first, const Rows<Index>& rows, const Pair<AlignedVector<T>>& halves) {
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kVectorSize<T>; ++i) {
      if (first + i < rows.numel) {
        const Index offset = rows.offset(first + i);
        static_cast<T*>(base)[offset] = halves.pos.get(i);
        static_cast<T*>(base)[offset + rows.row.divisor] = halves.neg.get(i);
      }
    }
  }
};

/// Where an element finds a trained parameter: its value (i / inner) % count.
template <class Index>
struct ParameterPlaces {
  IntDivider<Index> inner;
  IntDivider<Index> count;
  /// Whether each vector's values lie together, at the alignment of a vector: channels last.
  bool vectorized;
};

/// What a kernel divides by.
template <class Index>
struct IntDividers {
  Rows<Index> rows;
  ParameterPlaces<Index> weight;
  ParameterPlaces<Index> bias;
};

/// The values of `N` neighbouring elements in each of `values`, which are of type C.
template <int N, class C, class Index, int kArrays>
LINKED_NEURONS_FN void read_parameters(
    const void* const (&values)[kArrays],
    const ParameterPlaces<Index>& places,
    Index first,
    AlignedVector<C, N> (&vectors)[kArrays]) {
  const Index above = places.inner.divide(first);
  Index value = above - places.count.divisor * places.count.divide(above);
  Index left = places.inner.divisor - (first - above * places.inner.divisor);
  if (places.vectorized) {
    LINKED_NEURONS_UNROLL
    for (int array = 0; array < kArrays; ++array) {
      vectors[array] = *reinterpret_cast<const AlignedVector<C, N>*>(
          static_cast<const C*>(values[array]) + value);
    }
    return;
  }
  if (left >= N) {
    LINKED_NEURONS_UNROLL
    for (int array = 0; array < kArrays; ++array) {
      vectors[array] = filled<N>(static_cast<const C*>(values[array])[value]);
    }
    return;
  }
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    LINKED_NEURONS_UNROLL
    for (int array = 0; array < kArrays; ++array) {
      vectors[array].val[i] = static_cast<const C*>(values[array])[value];
    }
    if (--left == 0) {
      left = places.inner.divisor;
      value = value + 1 == places.count.divisor ? 0 : value + 1;
    }
  }
}

/// The weights of `N` neighbouring elements.
template <int N, class C, class Index>
LINKED_NEURONS_FN Pair<AlignedVector<C, N>> read_weights(
    const detail::Weights& weight, const ParameterPlaces<Index>& places, Index first) {
  AlignedVector<C, N> weights[2];
  read_parameters({weight.values.pos, weight.values.neg}, places, first, weights);
  return {weights[0], weights[1]};
}

/// The bias of `N` neighbouring elements; where there is none, the number that changes no other in
/// a sum (not +0, which turns -0 into +0).
template <int N, class C, class Index>
LINKED_NEURONS_FN AlignedVector<C, N> read_bias(
    const detail::Bias& bias, const ParameterPlaces<Index>& places, Index first) {
  if (bias.values == nullptr) {
    return filled<N>(C(-0.0));
  }
  AlignedVector<C, N> vector[1];
  read_parameters({bias.values}, places, first, vector);
  return vector[0];
}

} // namespace linked_neurons::cuda
