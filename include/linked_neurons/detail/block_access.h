/// \file
/// How the CPU loops read and write a block of 64 elements, its two halves in a linked output, and
/// the trained parameters that go with its elements.
#pragma once

#include <linked_neurons/detail/arguments.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// Elements of a block; also a group of signs.
inline constexpr std::int64_t kBlock = kLargestGroup;

inline std::int64_t block_count(std::int64_t numel) {
  return (numel + kBlock - 1) / kBlock;
}

/// Copies a run, which may be too short for the cost of calling memcpy.
template <class T>
LINKED_NEURONS_FN void copy_run(T* to, const T* from, std::int64_t n) {
  constexpr std::int64_t kStep = 8;
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    std::memcpy(to + i, from + i, kStep * sizeof(T));
  }
  for (; i < n; ++i) {
    to[i] = from[i];
  }
}

/// Likewise a run whose length is known.
template <class T, std::int64_t kSize>
LINKED_NEURONS_FN void copy_run(
    T* to, const T* from, std::integral_constant<std::int64_t, kSize> /*n*/) {
  std::memcpy(to, from, kSize * sizeof(T));
}

/// A place in the output's layout, moving with the input's elements.
struct Position {
  std::int64_t row;    ///< length of a row
  std::int64_t column; ///< in the row
  std::int64_t offset; ///< of g(z) in the output; g(-z) lies `row` after it

  static Position of(std::int64_t element, std::int64_t row) {
    const std::int64_t above = element / row;
    return {row, element - above * row, element + above * row};
  }

  LINKED_NEURONS_FN void advance(std::int64_t elements) {
    column += elements;
    offset += elements;
    while (column >= row) {
      column -= row;
      offset += row;
    }
  }

  /// Whether `size` elements from here are a whole block inside one row.
  LINKED_NEURONS_FN bool holds_block(std::int64_t size) const {
    return size == kBlock && column + kBlock <= row;
  }

  /// Calls `copy(offset, done, n)` for each run of the next `size` elements inside one row.
  template <class Copy>
  LINKED_NEURONS_FN void for_each_run(std::int64_t size, const Copy& copy) const {
    if (size == kBlock && column == 0) {
      // Short rows, as of few channels in channels-last tensors.
      switch (row) {
      case 8:
        return for_each_row<8>(copy);
      case 16:
        return for_each_row<16>(copy);
      case 32:
        return for_each_row<32>(copy);
      default:
        break;
      }
    }
    Position at = *this;
    for (std::int64_t done = 0; done < size;) {
      const std::int64_t n = std::min(at.row - at.column, size - done);
      copy(at.offset, done, n);
      at.advance(n);
      done += n;
    }
  }

 private:
  template <std::int64_t kRow, class Copy>
  LINKED_NEURONS_FN void for_each_row(const Copy& copy) const {
    for (std::int64_t done = 0; done < kBlock; done += kRow) {
      copy(offset + 2 * done, done, std::integral_constant<std::int64_t, kRow>{});
    }
  }
};

template <class T>
struct Buffer {
  alignas(64) T pos[kBlock] = {};
  alignas(64) T neg[kBlock] = {};
};

/// The two halves of a block that belongs at `at` in `base`: in place, or through `buffer`.
template <class T>
LINKED_NEURONS_FN Pair<const T*> read_halves(
    const T* base, const Position& at, std::int64_t size, Buffer<T>& buffer) {
  if (at.holds_block(size)) {
    return {base + at.offset, base + at.offset + at.row};
  }
  at.for_each_run(size, [&](std::int64_t offset, std::int64_t done, auto n) {
    copy_run(buffer.pos + done, base + offset, n);
    copy_run(buffer.neg + done, base + offset + at.row, n);
  });
  return {buffer.pos, buffer.neg};
}

/// `size` elements, or a buffer that holds them where they are less than a block.
template <class T>
const T* read_block(const T* elements, std::int64_t size, T* buffer) {
  if (size == kBlock) {
    return elements;
  }
  std::memcpy(buffer, elements, size * sizeof(T));
  return buffer;
}

/// A place among a parameter's values, moving with the elements.
class ParameterWalk {
 public:
  ParameterWalk(const ParameterIndex& index, std::int64_t element)
      : index_(index), number_(element / index.inner % index.count),
        left_(index.inner - element % index.inner) {}

  const ParameterIndex& index() const {
    return index_;
  }

  std::int64_t number() const {
    return number_;
  }

  /// Moves over `size` elements; calls `body(number, done, n)` for each run of them whose values
  /// are one and the same (inner > 1), or lie one after another (inner == 1), from `number` on.
  template <class Body>
  LINKED_NEURONS_FN void advance(std::int64_t size, const Body& body) {
    for (std::int64_t done = 0; done < size;) {
      const bool adjacent = index_.inner == 1;
      const std::int64_t n = std::min(adjacent ? index_.count - number_ : left_, size - done);
      body(number_, done, n);
      done += n;
      left_ -= adjacent ? 0 : n;
      if (adjacent || left_ == 0) {
        number_ += adjacent ? n : 1;
        number_ = number_ == index_.count ? 0 : number_;
        left_ = index_.inner;
      }
    }
  }

 private:
  ParameterIndex index_;
  std::int64_t number_;
  std::int64_t left_; ///< elements from here on that have this value too
};

/// The values of a parameter that go with a block's elements, one an element, block after block.
template <class C>
class BlockParameter {
 public:
  /// \param element the first block's first.
  /// \param none what every element has where `values` is null.
  BlockParameter(const C* values, const ParameterIndex& index, std::int64_t element, C none)
      : values_(values), walk_(index, element),
        repeats_(values != nullptr && index.inner == 1 && index.count < kBlock) {
    if (values == nullptr) {
      std::fill_n(buffer_, kBlock, none);
    } else if (repeats_) {
      for (std::int64_t i = 0; i < 2 * kBlock; ++i) {
        buffer_[i] = values[i % index.count];
      }
    }
  }

  LINKED_NEURONS_FN const C* next() {
    if (values_ == nullptr) {
      return buffer_;
    }
    const ParameterIndex& index = walk_.index();
    const std::int64_t number = walk_.number();
    if (repeats_ || (index.inner == 1 && number + kBlock <= index.count)) {
      walk_.advance(kBlock, [](auto /*number*/, auto /*done*/, auto /*n*/) {});
      return (repeats_ ? buffer_ : values_) + number;
    }
    walk_.advance(kBlock, [&](std::int64_t run, std::int64_t done, std::int64_t n) {
      if (index.inner == 1) {
        copy_run(buffer_ + done, values_ + run, n);
      } else if (n < kBlock || run != filled_with_) {
        fill_from(done, n, values_[run]);
        filled_with_ = n == kBlock ? run : -1;
      }
    });
    return buffer_;
  }

 private:
  /// Elements from `done` on; those behind the run are overwritten by the next.
  LINKED_NEURONS_FN void fill_from(std::int64_t done, std::int64_t n, C value) {
    constexpr std::int64_t kShort = 8;
    if (n < kShort) {
      for (std::int64_t i = done; i < done + n; ++i) {
        buffer_[i] = value;
      }
      return;
    }
    // A loop of constant length is vectorised whole; a fill of any length starts with a preamble.
    for (std::int64_t i = 0; i < kBlock; ++i) {
      buffer_[i] = select(i < done, buffer_[i], value);
    }
  }

  const C* values_;
  ParameterWalk walk_;
  bool repeats_;                  ///< `buffer_` holds all values, and the first ones again
  std::int64_t filled_with_ = -1; ///< the value that fills `buffer_`, if it is one
  alignas(64) C buffer_[2 * kBlock] = {};
};

/// Adds a block's contributions to the sums of their parameter.
template <class C>
LINKED_NEURONS_FN void add_to_sums(ParameterWalk& walk, std::int64_t size, const C* each, C* sums) {
  const bool adjacent = walk.index().inner == 1;
  walk.advance(size, [&](std::int64_t number, std::int64_t done, std::int64_t n) {
    if (adjacent) {
      LINKED_NEURONS_INDEPENDENT
      for (std::int64_t i = 0; i < n; ++i) {
        sums[number + i] += each[done + i];
      }
      return;
    }
    // Sixteen sums side by side: compilers may not reorder a sum on their own.
    constexpr std::int64_t kLanes = 16;
    C lanes[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] += each[done + i + lane];
      }
    }
    for (; i < n; ++i) {
      lanes[i % kLanes] += each[done + i];
    }
    for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (std::int64_t lane = 0; lane < width; ++lane) {
        lanes[lane] += lanes[lane + width];
      }
    }
    sums[number] += lanes[0];
  });
}

} // namespace linked_neurons::detail::cpu
