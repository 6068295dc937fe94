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

using linked_neurons::detail::Compute;
using linked_neurons::detail::Weights;

/// Elements of a thread's group: 16 bytes of the smaller types. Their signs are kept together.
template <class T>
inline constexpr int kGroup = sizeof(T) == 2 ? 8 : 4;

/// The signs of a group: bits for g(z) from the lowest on, then bits for g(-z).
template <class T>
using SignWord = std::conditional_t<kGroup<T> == 8, std::uint16_t, std::uint8_t>;

/// A group in registers; in memory it is read and written 16 bytes at a time.
template <class T, int N = kGroup<T>>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Group {
  T at[N];
};

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

/// Where an element finds its slopes: number (i / inner) % count.
template <class Index>
struct WeightDividers {
  Divider<Index> inner;
  Divider<Index> count;
};

/// The slopes of `N` neighbouring elements.
template <int N, class C, class Index>
LINKED_NEURONS_FN Pair<Group<C, N>> read_weights(
    const Weights<C>& weight, const WeightDividers<Index>& index, Index first) {
  const Index above = index.inner.divide(first);
  Index number = above - index.count.divisor * index.count.divide(above);
  Index left = index.inner.divisor - (first - above * index.inner.divisor);
  Pair<Group<C, N>> slopes;
  if (left >= N) {
    const C pos = weight.pos[number];
    const C neg = weight.neg[number];
    LINKED_NEURONS_UNROLL
    for (int i = 0; i < N; ++i) {
      slopes.pos.at[i] = pos;
      slopes.neg.at[i] = neg;
    }
    return slopes;
  }
  LINKED_NEURONS_UNROLL
  for (int i = 0; i < N; ++i) {
    slopes.pos.at[i] = weight.pos[number];
    slopes.neg.at[i] = weight.neg[number];
    if (--left == 0) {
      left = index.inner.divisor;
      number = number + 1 == index.count.divisor ? 0 : number + 1;
    }
  }
  return slopes;
}

} // namespace linked_neurons::cuda
