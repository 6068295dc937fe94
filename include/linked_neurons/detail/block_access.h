/// \file
/// How the CPU loops read and write a block of 64 elements, its two halves in a linked output, and
/// the trained parameters that go with its elements.
#pragma once

#include <linked_neurons/detail/arguments.h>
#include <linked_neurons/detail/targets.h>

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

  /// The same place, counted in bytes of `size` an element.
  LINKED_NEURONS_FN Position in_bytes(std::int64_t size) const {
    return {row * size, column * size, offset * size};
  }
};

/// Copies bytes from number `begin` on in whole steps; returns where it stopped.
template <std::int64_t kStep>
LINKED_NEURONS_FN std::int64_t copy_steps(
    char* to, const char* from, std::int64_t begin, std::int64_t end) {
  std::int64_t i = begin;
  for (; i + kStep <= end; i += kStep) {
    std::memcpy(to + i, from + i, kStep);
  }
  return i;
}

/// Copies a run of whole elements, which may be too short for the cost of calling memcpy.
LINKED_NEURONS_FN void copy_run(char* to, const char* from, std::int64_t size) {
  std::int64_t done = copy_steps<16>(to, from, 0, size);
  done = copy_steps<4>(to, from, done, size);
  copy_steps<2>(to, from, done, size);
}

/// Likewise a run whose length is known.
template <std::int64_t kSize>
LINKED_NEURONS_FN void copy_run(
    char* to, const char* from, std::integral_constant<std::int64_t, kSize> /*size*/) {
  std::memcpy(to, from, kSize);
}

/// Copies a block's two halves from buffers to where they belong in a linked tensor, or back, run
/// by run, each inside one row. All is counted in bytes, so that this is one function for all
/// types.
template <bool kToBuffers>
struct CopyHalves {
  using InTensor = std::conditional_t<kToBuffers, const char, char>;
  using InBuffer = std::conditional_t<kToBuffers, char, const char>;

  InTensor* base;
  Pair<InBuffer*> buffer;
  Position start;

  LINKED_NEURONS_FN void operator()(Target /*target*/, std::int64_t begin, std::int64_t end) const {
    if (start.column == 0 && (end - begin) % start.row == 0) {
      // Short rows, as of few channels in channels-last tensors.
      switch (start.row) {
      case 16:
        return copy_rows<16>(begin, end);
      case 32:
        return copy_rows<32>(begin, end);
      case 64:
        return copy_rows<64>(begin, end);
      case 128:
        return copy_rows<128>(begin, end);
      default:
        break;
      }
    }
    Position at = start;
    for (std::int64_t done = begin; done < end;) {
      const std::int64_t n = std::min(at.row - at.column, end - done);
      copy(at.offset, done, n);
      at.advance(n);
      done += n;
    }
  }

 private:
  template <std::int64_t kRow>
  LINKED_NEURONS_FN void copy_rows(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t done = begin; done < end; done += kRow) {
      copy(start.offset + 2 * (done - begin), done, std::integral_constant<std::int64_t, kRow>{});
    }
  }

  template <class Size>
  LINKED_NEURONS_FN void copy(std::int64_t offset, std::int64_t done, const Size& n) const {
    InTensor* const pos = base + offset;
    InTensor* const neg = pos + start.row;
    if constexpr (kToBuffers) {
      copy_run(buffer.pos + done, pos, n);
      copy_run(buffer.neg + done, neg, n);
    } else {
      copy_run(pos, buffer.pos + done, n);
      copy_run(neg, buffer.neg + done, n);
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
    Target target, const T* base, const Position& at, std::int64_t size, Buffer<T>& buffer) {
  if (at.holds_block(size)) {
    return {base + at.offset, base + at.offset + at.row};
  }
  constexpr std::int64_t kSize = sizeof(T);
  const CopyHalves<true> copy{
      reinterpret_cast<const char*>(base),
      {reinterpret_cast<char*>(buffer.pos), reinterpret_cast<char*>(buffer.neg)},
      at.in_bytes(kSize)};
  run_for(target, copy, 0, size * kSize);
  return {buffer.pos, buffer.neg};
}

/// Writes the two halves of a block where they belong.
template <class T>
LINKED_NEURONS_FN void write_halves(
    Target target, T* base, const Position& at, std::int64_t size, const Buffer<T>& buffer) {
  constexpr std::int64_t kSize = sizeof(T);
  const CopyHalves<false> copy{
      reinterpret_cast<char*>(base),
      {reinterpret_cast<const char*>(buffer.pos), reinterpret_cast<const char*>(buffer.neg)},
      at.in_bytes(kSize)};
  run_for(target, copy, 0, size * kSize);
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
        left_(index.inner - element % index.inner), step_(kBlock % index.count) {}

  const ParameterIndex& index() const {
    return index_;
  }

  std::int64_t number() const {
    return number_;
  }

  /// Elements from here on that have this number, where `inner` > 1.
  std::int64_t left() const {
    return left_;
  }

  /// Moves over a block: with `inner` > 1 one that has a single number.
  LINKED_NEURONS_FN void skip_block() {
    if (index_.inner == 1) {
      number_ += step_;
      number_ -= number_ >= index_.count ? index_.count : 0;
      return;
    }
    left_ -= kBlock;
    if (left_ == 0) {
      number_ = number_ + 1 == index_.count ? 0 : number_ + 1;
      left_ = index_.inner;
    }
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
  std::int64_t left_;
  std::int64_t step_; ///< from a block's first number to the next one's, where `inner` is 1
};

/// The values of a parameter that go with a block's elements, one an element, block after block.
template <class C>
class BlockParameter {
 public:
  /// \param element the first block's first.
  /// \param none what every element has where `values` is null.
  BlockParameter(const C* values, const ParameterIndex& index, std::int64_t element, C none)
      : values_(values), walk_(index, element), constant_(values == nullptr || index.count == 1),
        repeats_(!constant_ && index.inner == 1 && index.count < kBlock) {
    if (constant_) {
      std::fill_n(buffer_, kBlock, values == nullptr ? none : *values);
    } else if (repeats_) {
      for (std::int64_t i = 0; i < 2 * kBlock; ++i) {
        buffer_[i] = values[i % index.count];
      }
    }
  }

  LINKED_NEURONS_FN const C* next() {
    if (constant_) {
      return buffer_;
    }
    const ParameterIndex& index = walk_.index();
    const std::int64_t number = walk_.number();
    if (repeats_ || (index.inner == 1 && number + kBlock <= index.count)) {
      walk_.skip_block();
      return (repeats_ ? buffer_ : values_) + number;
    }
    if (number == filled_with_ && walk_.left() >= kBlock) {
      walk_.skip_block();
    } else {
      fill();
    }
    return buffer_;
  }

 private:
  LINKED_NEURONS_NOINLINE void fill() {
    const bool adjacent = walk_.index().inner == 1;
    walk_.advance(kBlock, [&](std::int64_t run, std::int64_t done, std::int64_t n) {
      if (adjacent) {
        std::memcpy(buffer_ + done, values_ + run, n * sizeof(C));
      } else {
        fill_from(done, n, values_[run]);
        filled_with_ = n == kBlock ? run : -1;
      }
    });
  }

  /// Elements from `done` on; those behind the run are overwritten by the next.
  void fill_from(std::int64_t done, std::int64_t n, C value) {
    constexpr std::int64_t kShort = 8;
    if (done == 0) {
      std::fill_n(buffer_, kBlock, value);
      return;
    }
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
  bool constant_;                 ///< `buffer_` holds it, or what stands for no values
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
