/// \file
/// How the CPU loops get at a block of 64 elements, and at its two halves in a linked output.
#pragma once

#include <linked_neurons/cpu/conversion.h>
#include <linked_neurons/cpu/nontemporal.h>
#include <linked_neurons/cpu/stored_type.h>
#include <linked_neurons/cpu/targets.h>
#include <linked_neurons/kernel/arguments.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

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

/// Room for the two halves of a block, in whichever type.
template <class C>
struct Buffer {
  alignas(64) char bytes[2 * kBlock * sizeof(C)] = {};
};

/// How many elements further on in a linked tensor lies what is to be prefetched with a block; 0
/// where nothing is.
///
/// Blocks take turns between the halves of a row. Of a long row the processor's own prefetching
/// follows both halves; of a row of a few blocks, as in channels-last tensors, it follows neither.
inline std::int64_t prefetch_distance(std::int64_t row, std::int64_t element_size) {
  constexpr std::int64_t kLongRow = 8192;  // bytes
  constexpr std::int64_t kDistance = 4096; // bytes
  if (row < kBlock || row * element_size >= kLongRow) {
    return 0;
  }
  const std::int64_t linked_row = 2 * row;
  return (kDistance / element_size + linked_row - 1) / linked_row * linked_row;
}

/// The memory of tensors, which loops read and write a block at a time: in place where the block is
/// whole, else through a buffer. In a buffer, elements of type
/// bfloat16 stay bfloat16, and elements of type half are floats.
///
/// It counts bytes and knows no type; what is not done in place is compiled once for all loops.
struct BlockIO {
  Target target;
  StoredType stored_type;
  std::int64_t element_size; ///< bytes
  bool nontemporal;          ///< whether results go past the caches, where a block is whole
  std::int64_t ahead;        ///< see `prefetch_distance`

  /// `size` elements from number `first` on.
  LINKED_NEURONS_FN const void* read(
      const void* base, std::int64_t first, std::int64_t size, void* buffer) const {
    const void* const from = static_cast<const char*>(base) + first * element_size;
    if (in_place(size == kBlock)) {
      return from;
    }
    load(from, size, buffer);
    return buffer;
  }

  /// The two halves that belong to the elements at a place of a linked tensor.
  LINKED_NEURONS_FN Pair<const void*> read_halves(
      const void* base, const Position& at, std::int64_t size, void* buffer) const {
    prefetch_halves(base, at);
    if (in_place(at.holds_block(size))) {
      const char* const pos = static_cast<const char*>(base) + at.offset * element_size;
      return {pos, pos + at.row * element_size};
    }
    load_halves(base, at, size, buffer);
    const auto halves = halves_of(buffer, buffer_size());
    return {halves.pos, halves.neg};
  }

  /// Where to write such halves; if that is the buffer they are to be stored then.
  LINKED_NEURONS_FN Pair<void*> place_halves(
      void* base, const Position& at, std::int64_t size, void* buffer) const {
    if (in_place(at.holds_block(size)) && !nontemporal) {
      prefetch_halves(base, at);
      char* const pos = static_cast<char*>(base) + at.offset * element_size;
      return {pos, pos + at.row * element_size};
    }
    const auto halves = halves_of(buffer, buffer_size());
    return {halves.pos, halves.neg};
  }

  LINKED_NEURONS_FN void store_halves(
      void* base, const Position& at, std::int64_t size, const void* buffer) const {
    if (!converts() && nontemporal && at.holds_block(size)) {
      store_nontemporal_halves(base, at, buffer);
    } else {
      store_other_halves(base, at, size, buffer);
    }
  }

  /// Where to write numbers that computed; if that is the buffer they are to be stored then.
  LINKED_NEURONS_FN void* place(
      void* base, std::int64_t first, std::int64_t size, void* buffer) const {
    const bool here = size == kBlock && stored_type == StoredType::opmath && !nontemporal;
    return here ? static_cast<char*>(base) + first * element_size : buffer;
  }

  /// Writes them, rounded where they are stored otherwise.
  LINKED_NEURONS_FN void store(
      void* base, std::int64_t first, std::int64_t size, const void* numbers) const {
    if (stored_type == StoredType::opmath && nontemporal && size == kBlock) {
      store_nontemporal_one(static_cast<char*>(base) + first * element_size, numbers);
    } else {
      store_other(base, first, size, numbers);
    }
  }

  /// To be called behind the last block.
  LINKED_NEURONS_FN void finish() const {
    if (nontemporal) {
      fence_nontemporal();
    }
  }

  /// Two halves of nothing but the element at `base`.
  LINKED_NEURONS_NOINLINE Pair<const void*> fill_halves(const void* base, void* buffer) const {
    load(base, 1, buffer);
    auto* const bytes = static_cast<char*>(buffer);
    for (std::int64_t i = buffer_size(); i < 2 * kBlock * buffer_size(); ++i) {
      bytes[i] = bytes[i - buffer_size()];
    }
    const auto halves = halves_of(buffer, buffer_size());
    return {halves.pos, halves.neg};
  }

 private:
  /// The halves of a block further on.
  LINKED_NEURONS_FN void prefetch_halves(const void* base, const Position& at) const {
    if (ahead != 0) {
      const char* const pos = static_cast<const char*>(base) + (at.offset + ahead) * element_size;
      const char* const neg = pos + at.row * element_size;
      for (std::int64_t i = 0; i < kBlock * element_size; i += kCacheLine) {
        LINKED_NEURONS_PREFETCH(pos + i);
        LINKED_NEURONS_PREFETCH(neg + i);
      }
    }
  }

  LINKED_NEURONS_FN bool converts() const {
    return stored_type == StoredType::half;
  }

  LINKED_NEURONS_FN bool in_place(bool is_whole) const {
    return is_whole && !converts();
  }

  /// Of an element in a buffer.
  LINKED_NEURONS_FN std::int64_t buffer_size() const {
    return converts() ? std::int64_t{sizeof(float)} : element_size;
  }

  LINKED_NEURONS_FN static Pair<char*> halves_of(void* buffer, std::int64_t size) {
    auto* const pos = static_cast<char*>(buffer);
    return {pos, pos + kBlock * size};
  }

  LINKED_NEURONS_FN static Pair<const char*> halves_of(const void* buffer, std::int64_t size) {
    const auto* const pos = static_cast<const char*>(buffer);
    return {pos, pos + kBlock * size};
  }

  LINKED_NEURONS_NOINLINE void load(const void* from, std::int64_t size, void* buffer) const {
    if (!converts()) {
      std::memcpy(buffer, from, size * element_size);
      return;
    }
    Half elements[kBlock] = {};
    if (size < kBlock) {
      std::memcpy(elements, from, size * sizeof(Half));
      from = elements;
    }
    convert(target, Conversion<Half, float>{from, kBlock, buffer, kBlock}, 1);
  }

  LINKED_NEURONS_NOINLINE void load_halves(
      const void* base, const Position& at, std::int64_t size, void* buffer) const {
    if (!converts()) {
      copy_from(base, at, size, buffer);
    } else if (at.holds_block(size)) {
      const auto* const pos = static_cast<const Half*>(base) + at.offset;
      convert(target, Conversion<Half, float>{pos, at.row, buffer, kBlock}, 2);
    } else {
      Half elements[2 * kBlock] = {};
      copy_from(base, at, size, elements);
      convert(target, Conversion<Half, float>{elements, kBlock, buffer, kBlock}, 2);
    }
  }

  // Non-temporal stores are inlined up to the function with the instructions: one call more takes
  // measurably longer.
  LINKED_NEURONS_FN void store_nontemporal_one(void* place, const void* elements) const {
    store_nontemporal(target, place, 0, elements, kBlock * element_size, 1);
  }

  LINKED_NEURONS_FN void store_nontemporal_halves(
      void* base, const Position& at, const void* halves) const {
    char* const pos = static_cast<char*>(base) + at.offset * element_size;
    store_nontemporal(target, pos, at.row * element_size, halves, kBlock * element_size, 2);
  }

  LINKED_NEURONS_NOINLINE void store_other(
      void* base, std::int64_t first, std::int64_t size, const void* numbers) const {
    void* const place = static_cast<char*>(base) + first * element_size;
    const bool in_place = size == kBlock && !nontemporal;
    Half elements[kBlock];
    void* const to = in_place ? place : static_cast<void*>(elements);
    switch (stored_type) {
    case StoredType::opmath:
      std::memcpy(place, numbers, size * element_size);
      return;
    case StoredType::half:
      convert(target, Conversion<float, Half>{numbers, kBlock, to, kBlock}, 1);
      break;
    case StoredType::bfloat16:
      convert(target, Conversion<float, BFloat16>{numbers, kBlock, to, kBlock}, 1);
      break;
    }
    if (size < kBlock) {
      std::memcpy(place, elements, size * element_size);
    } else if (nontemporal) {
      store_nontemporal_one(place, elements);
    }
  }

  LINKED_NEURONS_NOINLINE void store_other_halves(
      void* base, const Position& at, std::int64_t size, const void* buffer) const {
    if (!converts()) {
      copy_to(base, at, size, buffer);
    } else if (at.holds_block(size) && !nontemporal) {
      auto* const pos = static_cast<Half*>(base) + at.offset;
      convert(target, Conversion<float, Half>{buffer, kBlock, pos, at.row}, 2);
    } else {
      Half elements[2 * kBlock];
      convert(target, Conversion<float, Half>{buffer, kBlock, elements, kBlock}, 2);
      if (at.holds_block(size)) {
        store_nontemporal_halves(base, at, elements);
      } else {
        copy_to(base, at, size, elements);
      }
    }
  }

  void copy_to(void* base, const Position& at, std::int64_t size, const void* halves) const {
    const auto from = halves_of(halves, element_size);
    const CopyHalves<false> copy{static_cast<char*>(base), from, at.in_bytes(element_size)};
    run_on(target, copy, 0, size * element_size);
  }

  void copy_from(const void* base, const Position& at, std::int64_t size, void* halves) const {
    const CopyHalves<true> copy{
        static_cast<const char*>(base), halves_of(halves, element_size), at.in_bytes(element_size)};
    run_on(target, copy, 0, size * element_size);
  }
};

} // namespace linked_neurons::detail::cpu
