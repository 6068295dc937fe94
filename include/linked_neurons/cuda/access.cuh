/// \file
/// How a thread reads and writes its group of neighbouring elements.
///
/// Plain C++ but for the names of the CUDA language, so that a host compiler executes it in tests.
#pragma once

#include <linked_neurons/cuda/divider.h>
#include <linked_neurons/detail/arguments.h>

#include <cstdint>
#include <type_traits>

namespace linked_neurons::cuda {

using linked_neurons::detail::Bias;
using linked_neurons::detail::Compute;
using linked_neurons::detail::Weights;

/// Elements of a thread's group: 16 bytes of the smaller types. Their signs are kept together.
template <class T>
inline constexpr int kGroup = sizeof(T) == 2 ? 8 : 4;

/// A group's signs are one lane.
template <class T>
inline constexpr detail::SignLayout kSignLayout = {1, kGroup<T>};

/// The signs of a group: bits for g(z) from the lowest on, then bits for g(-z).
template <class T>
using SignWord = std::conditional_t<kGroup<T> == 8, std::uint16_t, std::uint8_t>;

/// A group in registers; in memory it is read and written 16 bytes at a time.
template <class T, int N = kGroup<T>>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Group {
  T at[N];
};

template <int N, class T>
LINKED_NEURONS_FN Group<T, N> filled(T value) {
  Group<T, N> group;
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    group.at[i] = value;
  }
  return group;
}

/// Where the halves of a linked output lie: element i of the input belongs to
/// i + row * (i / row), and `row` after that.
template <class Index>
struct Rows {
  Index numel; ///< of the input
  Divider<Index> row;

  LINKED_NEURONS_FN Index offset(Index element) const {
    return element + row.divisor * row.divide(element);
  }
};

/// Memory that is read and written in whole, aligned groups (no row ends inside one).
template <class T, class Index>
struct WholeGroups {
  LINKED_NEURONS_FN static int place_in_group(Index /*first*/) {
    return 0;
  }

  LINKED_NEURONS_FN static Group<T> read(const T* base, Index first, const Rows<Index>& /*rows*/) {
    return *reinterpret_cast<const Group<T>*>(base + first);
  }

  LINKED_NEURONS_FN static void write(
      T* base, Index first, const Rows<Index>& /*rows*/, const Group<T>& group) {
    *reinterpret_cast<Group<T>*>(base + first) = group;
  }

  LINKED_NEURONS_FN static Pair<Group<T>> read_halves(
      const T* base, Index first, const Rows<Index>& rows) {
    const Index offset = rows.offset(first);
    return {read(base, offset, rows), read(base, offset + rows.row.divisor, rows)};
  }

  LINKED_NEURONS_FN static void write_halves(
      T* base, Index first, const Rows<Index>& rows, const Pair<Group<T>>& halves) {
    const Index offset = rows.offset(first);
    write(base, offset, rows, halves.pos);
    write(base, offset + rows.row.divisor, rows, halves.neg);
  }
};

/// Memory of any alignment, rows of any length: an element at a time.
template <class T, class Index>
struct SingleElements {
  LINKED_NEURONS_FN static int place_in_group(Index first) {
    return static_cast<int>(first % kGroup<T>);
  }

  LINKED_NEURONS_FN static Group<T> read(const T* base, Index first, const Rows<Index>& rows) {
    Group<T> group = {};
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      if (first + i < rows.numel) {
        group.at[i] = base[first + i];
      }
    }
    return group;
  }

  LINKED_NEURONS_FN static void write(
      T* base, Index first, const Rows<Index>& rows, const Group<T>& group) {
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      if (first + i < rows.numel) {
        base[first + i] = group.at[i];
      }
    }
  }

  LINKED_NEURONS_FN static Pair<Group<T>> read_halves(
      const T* base, Index first, const Rows<Index>& rows) {
    Pair<Group<T>> halves = {};
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      if (first + i < rows.numel) {
        const Index offset = rows.offset(first + i);
        halves.pos.at[i] = base[offset];
        halves.neg.at[i] = base[offset + rows.row.divisor];
      }
    }
    return halves;
  }

  LINKED_NEURONS_FN static void write_halves(
      T* base, Index first, const Rows<Index>& rows, const Pair<Group<T>>& halves) {
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < kGroup<T>; ++i) {
      if (first + i < rows.numel) {
        const Index offset = rows.offset(first + i);
        base[offset] = halves.pos.at[i];
        base[offset + rows.row.divisor] = halves.neg.at[i];
      }
    }
  }
};

/// Where an element finds a trained parameter: number (i / inner) % count.
template <class Index>
struct ParameterPlaces {
  Divider<Index> inner;
  Divider<Index> count;
  /// Whether each group's numbers lie together, at the alignment of a group: channels last.
  bool whole_groups;
};

/// What a kernel divides by.
template <class Index>
struct Dividers {
  Rows<Index> rows;
  ParameterPlaces<Index> weight;
  ParameterPlaces<Index> bias;
};

/// The numbers of `N` neighbouring elements in each of `values`.
template <int N, class C, class Index, int kArrays>
LINKED_NEURONS_FN void read_parameters(
    const C* const (&values)[kArrays],
    const ParameterPlaces<Index>& places,
    Index first,
    Group<C, N> (&groups)[kArrays]) {
  const Index above = places.inner.divide(first);
  Index number = above - places.count.divisor * places.count.divide(above);
  Index left = places.inner.divisor - (first - above * places.inner.divisor);
  if (places.whole_groups) {
    LINKED_NEURONS_UNROLL
    for (int array = 0; array < kArrays; ++array) {
      groups[array] = *reinterpret_cast<const Group<C, N>*>(values[array] + number);
    }
    return;
  }
  if (left >= N) {
    LINKED_NEURONS_UNROLL
    for (int array = 0; array < kArrays; ++array) {
      groups[array] = filled<N>(values[array][number]);
    }
    return;
  }
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    LINKED_NEURONS_UNROLL
    for (int array = 0; array < kArrays; ++array) {
      groups[array].at[i] = values[array][number];
    }
    if (--left == 0) {
      left = places.inner.divisor;
      number = number + 1 == places.count.divisor ? 0 : number + 1;
    }
  }
}

/// The slopes of `N` neighbouring elements.
template <int N, class C, class Index>
LINKED_NEURONS_FN Pair<Group<C, N>> read_weights(
    const Weights<C>& weight, const ParameterPlaces<Index>& places, Index first) {
  Group<C, N> slopes[2];
  read_parameters({weight.pos, weight.neg}, places, first, slopes);
  return {slopes[0], slopes[1]};
}

/// The bias of `N` neighbouring elements; where there is none, the number that changes no other in
/// a sum (not +0, which turns -0 into +0).
template <int N, class C, class Index>
LINKED_NEURONS_FN Group<C, N> read_bias(
    const Bias<C>& bias, const ParameterPlaces<Index>& places, Index first) {
  if (bias.values == nullptr) {
    return filled<N>(C(-0.0));
  }
  Group<C, N> group[1];
  read_parameters({bias.values}, places, first, group);
  return group[0];
}

} // namespace linked_neurons::cuda
