/// \file
/// Where a block's two halves lie in a linked tensor, and how they are copied where rows end inside
/// of the block.
#pragma once

#include <linked_neurons/activation/activation.h>
#include <linked_neurons/cpu/stored_type.h>
#include <linked_neurons/cpu/targets.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// A position in the output, which moves with the elements of the input.
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

  /// The same position, counted in bytes of `size` an element.
  LINKED_NEURONS_FN Position in_bytes(std::int64_t size) const {
    return {row * size, column * size, offset * size};
  }
};

/// Copies bytes from byte `begin` on in whole steps; returns where it stopped.
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

/// Copies a run of whole elements whose length is a constant.
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
  Position position;

  LINKED_NEURONS_FN void operator()(Target /*target*/, std::int64_t begin, std::int64_t end) const {
    if (position.column == 0 && (end - begin) % position.row == 0) {
      // Short rows, as of few channels in channels-last tensors.
      switch (position.row) {
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
    Position current = position;
    for (std::int64_t done = begin; done < end;) {
      const std::int64_t n = std::min(current.row - current.column, end - done);
      copy(current.offset, done, n);
      current.advance(n);
      done += n;
    }
  }

 private:
  template <std::int64_t kRow>
  LINKED_NEURONS_FN void copy_rows(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t done = begin; done < end; done += kRow) {
      copy(
          position.offset + 2 * (done - begin), done, std::integral_constant<std::int64_t, kRow>{});
    }
  }

  template <class Size>
  LINKED_NEURONS_FN void copy(std::int64_t offset, std::int64_t done, const Size& n) const {
    InTensor* const pos = base + offset;
    InTensor* const neg = pos + position.row;
    if constexpr (kToBuffers) {
      copy_run(buffer.pos + done, pos, n);
      copy_run(buffer.neg + done, neg, n);
    } else {
      copy_run(pos, buffer.pos + done, n);
      copy_run(neg, buffer.neg + done, n);
    }
  }
};

} // namespace linked_neurons::detail::cpu
