/// \file
/// How the CPU loops get at a block of 64 elements, and at its two halves in a linked output.
#pragma once

#include <linked_neurons/cpu/conversion.h>
#include <linked_neurons/cpu/copy_halves.h>
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

/// Room for the two halves of a block, in the type that computes.
template <class C>
struct Buffer {
  alignas(64) char bytes[2 * kBlock * sizeof(C)] = {};

  LINKED_NEURONS_FN C* numbers() {
    return reinterpret_cast<C*>(bytes);
  }
};

/// How many bytes ahead of the blocks memory is prefetched.
inline constexpr std::int64_t kPrefetchDistance = 2048;

/// Whether the halves of a linked tensor's rows are prefetched as one sequence.
///
/// Blocks take turns between the halves of a row. Of a long row the processor's own prefetching
/// follows both halves; of a row of a few blocks, as in channels-last tensors, it follows neither.
/// There both halves together are prefetched in the order of their addresses.
inline bool is_prefetched_by_rows(std::int64_t row, std::int64_t element_size) {
  constexpr std::int64_t kLongRow = 8192; // bytes
  return row >= kBlock && row * element_size < kLongRow;
}

/// The memory of tensors, which loops read and write a block at a time: in place where the block is
/// whole and its elements are of the type that computes, else through a buffer of that type.
///
/// It counts bytes; what is not done in place is compiled once for all loops.
class BlockIO {
 public:
  /// \tparam C the type that computes.
  /// \param nontemporal whether results go past the caches, where a block is whole.
  /// \param row elements of the input.
  template <class C>
  LINKED_NEURONS_FN static BlockIO of(
      Target target, StoredType stored_type, bool nontemporal, std::int64_t row) {
    const std::int64_t size = element_size<C>(stored_type);
    return {target, stored_type, size, nontemporal, is_prefetched_by_rows(row, size)};
  }

  /// `size` elements from element `first` on.
  template <class C>
  LINKED_NEURONS_FN const C* read(
      const void* base, std::int64_t first, std::int64_t size, Buffer<C>& buffer) const {
    const char* const from = static_cast<const char*>(base) + first * element_size_;
    if (size == kBlock && !converts()) {
      return reinterpret_cast<const C*>(from);
    }
    if (size == kBlock && reads_inline<C>()) {
      Conversion<BFloat16, float>{from, kBlock, buffer.bytes, kBlock}(target_, 0, 1);
    } else {
      load(from, size, buffer.bytes);
    }
    return buffer.numbers();
  }

  /// The two halves that belong to `size` elements from a position on in a linked tensor.
  /// \tparam kHalves how many of them are going to be looked at, the first or both.
  template <int kHalves = 2, class C>
  LINKED_NEURONS_FN Pair<const C*> read_halves(
      const void* base, const Position& position, std::int64_t size, Buffer<C>& buffer) const {
    prefetch_halves(base, position);
    if (position.holds_block(size) && !converts()) {
      const auto* const pos = static_cast<const C*>(base) + position.offset;
      return {pos, pos + position.row};
    }
    if (position.holds_block(size) && reads_inline<C>()) {
      const auto* const pos = static_cast<const BFloat16*>(base) + position.offset;
      Conversion<BFloat16, float>{pos, position.row, buffer.bytes, kBlock}(target_, 0, kHalves);
    } else {
      load_halves(base, position, size, kHalves, buffer.bytes);
    }
    return {buffer.numbers(), buffer.numbers() + kBlock};
  }

  /// Two halves of nothing but the element at `base`.
  template <class C>
  LINKED_NEURONS_NOINLINE Pair<const C*> fill_halves(const void* base, Buffer<C>& buffer) const {
    load(base, 1, buffer.bytes);
    std::fill_n(buffer.numbers() + 1, 2 * kBlock - 1, *buffer.numbers());
    return {buffer.numbers(), buffer.numbers() + kBlock};
  }

  /// Where to write such halves. If that is the buffer, `store_halves` is to follow.
  template <class C>
  LINKED_NEURONS_FN Pair<C*> destination_halves(
      void* base, const Position& position, std::int64_t size, Buffer<C>& buffer) const {
    if (position.holds_block(size) && !converts() && !nontemporal_) {
      auto* const pos = static_cast<C*>(base) + position.offset;
      if (by_rows_) {
        prefetch_halves(base, position);
      } else {
        prefetch_ahead(pos);
        prefetch_ahead(pos + position.row);
      }
      return {pos, pos + position.row};
    }
    return {buffer.numbers(), buffer.numbers() + kBlock};
  }

  template <class C>
  LINKED_NEURONS_FN void store_halves(
      void* base, const Position& position, std::int64_t size, const Buffer<C>& buffer) const {
    if (position.holds_block(size) && !converts()) {
      store_nontemporal_halves(base, position, buffer.bytes);
    } else if (position.holds_block(size) && stores_inline<C>()) {
      auto* const pos = static_cast<BFloat16*>(base) + position.offset;
      Conversion<float, BFloat16>{buffer.bytes, kBlock, pos, position.row}(target_, 0, 2);
    } else {
      store_other_halves(base, position, size, buffer.bytes);
    }
  }

  /// Where to write a block. If that is the buffer, `store` is to follow.
  template <class C>
  LINKED_NEURONS_FN C* destination(
      void* base, std::int64_t first, std::int64_t size, Buffer<C>& buffer) const {
    if (size == kBlock && !converts() && !nontemporal_) {
      auto* const here = static_cast<C*>(base) + first;
      prefetch_ahead(here);
      return here;
    }
    return buffer.numbers();
  }

  template <class C>
  LINKED_NEURONS_FN void store(
      void* base, std::int64_t first, std::int64_t size, const Buffer<C>& buffer) const {
    char* const to = static_cast<char*>(base) + first * element_size_;
    if (size == kBlock && !converts()) {
      store_nontemporal_one(to, buffer.bytes);
    } else if (size == kBlock && stores_inline<C>()) {
      Conversion<float, BFloat16>{buffer.bytes, kBlock, to, kBlock}(target_, 0, 1);
    } else {
      store_other(to, size, buffer.bytes);
    }
  }

  /// To be called behind the last block.
  LINKED_NEURONS_FN void finish() const {
    if (nontemporal_) {
      fence_nontemporal();
    }
  }

 private:
  LINKED_NEURONS_FN BlockIO(
      Target target,
      StoredType stored_type,
      std::int64_t element_size,
      bool nontemporal,
      bool by_rows)
      : target_(target), stored_type_(stored_type), element_size_(element_size),
        nontemporal_(nontemporal), by_rows_(by_rows) {}

  /// As many bytes as two halves of a block have, further on. (The blocks before this one hold the
  /// first column + offset elements of the linked tensor, if one counts whole rows as a stream.)
  LINKED_NEURONS_FN void prefetch_halves(const void* base, const Position& position) const {
    if (by_rows_) {
      const std::int64_t before = (position.column + position.offset) * element_size_;
      const char* const next = static_cast<const char*>(base) + before + kPrefetchDistance;
      for (std::int64_t i = 0; i < 2 * kBlock * element_size_; i += kCacheLine) {
        LINKED_NEURONS_PREFETCH(next + i);
      }
    }
  }

  /// Fetches what a block some way behind this one is going to overwrite: the processor's own
  /// prefetching follows reads better than writes. (A block of 16-bit elements is written in too
  /// little time for that to pay.)
  template <class C>
  LINKED_NEURONS_FN static void prefetch_ahead(const C* block) {
    if constexpr (sizeof(C) > sizeof(Half)) {
      const auto* const next = reinterpret_cast<const char*>(block) + kPrefetchDistance;
      for (std::int64_t i = 0; i < kBlock * std::int64_t(sizeof(C)); i += kCacheLine) {
        LINKED_NEURONS_PREFETCH(next + i);
      }
    }
  }

  LINKED_NEURONS_FN bool converts() const {
    return stored_type_ != StoredType::as_computed;
  }

  /// Whether a conversion of whole blocks is compiled into the loop. That of bfloat16 to float is
  /// shorter than a call; the way back, which rounds, is so with AVX-512.
  template <class C>
  LINKED_NEURONS_FN bool reads_inline() const {
    return std::is_same_v<C, float> && stored_type_ == StoredType::bfloat16;
  }
  template <class C>
  LINKED_NEURONS_FN bool stores_inline() const {
    return reads_inline<C>() && target_ == Target::avx512 && !nontemporal_;
  }

  // Conversions of whole blocks, between 16-bit elements and floats.

  void to_floats(const void* from, std::int64_t step, void* buffer, std::int64_t blocks) const {
    if (stored_type_ == StoredType::half) {
      convert(target_, Conversion<Half, float>{from, step, buffer, kBlock}, blocks);
    } else {
      convert(target_, Conversion<BFloat16, float>{from, step, buffer, kBlock}, blocks);
    }
  }

  void from_floats(const void* buffer, void* to, std::int64_t step, std::int64_t blocks) const {
    if (stored_type_ == StoredType::half) {
      convert(target_, Conversion<float, Half>{buffer, kBlock, to, step}, blocks);
    } else {
      convert(target_, Conversion<float, BFloat16>{buffer, kBlock, to, step}, blocks);
    }
  }

  /// Room for 16-bit elements of two halves.
  using Elements = std::uint16_t[2 * kBlock];

  LINKED_NEURONS_NOINLINE void load(const void* from, std::int64_t size, void* buffer) const {
    if (!converts()) {
      std::memcpy(buffer, from, std::size_t(size * element_size_));
    } else if (size == kBlock) {
      to_floats(from, kBlock, buffer, 1);
    } else {
      Elements elements = {};
      std::memcpy(elements, from, std::size_t(size * element_size_));
      to_floats(elements, kBlock, buffer, 1);
    }
  }

  LINKED_NEURONS_NOINLINE void load_halves(
      const void* base,
      const Position& position,
      std::int64_t size,
      int halves,
      void* buffer) const {
    if (!converts()) {
      copy_from(base, position, size, buffer);
    } else if (position.holds_block(size)) {
      const auto* const pos = static_cast<const std::uint16_t*>(base) + position.offset;
      to_floats(pos, position.row, buffer, halves);
    } else {
      Elements elements = {};
      copy_from(base, position, size, elements);
      to_floats(elements, kBlock, buffer, 2);
    }
  }

  // Non-temporal stores are inlined up to the function with the instructions: one call more takes
  // measurably longer.
  LINKED_NEURONS_FN void store_nontemporal_one(void* to, const void* elements) const {
    store_nontemporal(target_, to, 0, elements, kBlock * element_size_, 1);
  }

  LINKED_NEURONS_FN void store_nontemporal_halves(
      void* base, const Position& position, const void* halves) const {
    char* const pos = static_cast<char*>(base) + position.offset * element_size_;
    store_nontemporal(
        target_, pos, position.row * element_size_, halves, kBlock * element_size_, 2);
  }

  LINKED_NEURONS_NOINLINE void store_other(void* to, std::int64_t size, const void* buffer) const {
    if (!converts()) {
      std::memcpy(to, buffer, std::size_t(size * element_size_));
    } else if (size == kBlock && !nontemporal_) {
      from_floats(buffer, to, kBlock, 1);
    } else {
      Elements elements;
      from_floats(buffer, elements, kBlock, 1);
      if (size == kBlock) {
        store_nontemporal_one(to, elements);
      } else {
        std::memcpy(to, elements, std::size_t(size * element_size_));
      }
    }
  }

  LINKED_NEURONS_NOINLINE void store_other_halves(
      void* base, const Position& position, std::int64_t size, const void* buffer) const {
    if (!converts()) {
      copy_to(base, position, size, buffer);
    } else if (position.holds_block(size) && !nontemporal_) {
      from_floats(buffer, static_cast<std::uint16_t*>(base) + position.offset, position.row, 2);
    } else {
      Elements elements;
      from_floats(buffer, elements, kBlock, 2);
      if (position.holds_block(size)) {
        store_nontemporal_halves(base, position, elements);
      } else {
        copy_to(base, position, size, elements);
      }
    }
  }

  /// \param halves of elements as they are in memory, one behind the other.
  void copy_to(void* base, const Position& position, std::int64_t size, const void* halves) const {
    const auto* const pos = static_cast<const char*>(halves);
    const Pair<const char*> from = {pos, pos + kBlock * element_size_};
    const CopyHalves<false> copy{static_cast<char*>(base), from, position.in_bytes(element_size_)};
    run_on(target_, copy, 0, size * element_size_);
  }

  void copy_from(
      const void* base, const Position& position, std::int64_t size, void* halves) const {
    auto* const pos = static_cast<char*>(halves);
    const Pair<char*> to = {pos, pos + kBlock * element_size_};
    const CopyHalves<true> copy{
        static_cast<const char*>(base), to, position.in_bytes(element_size_)};
    run_on(target_, copy, 0, size * element_size_);
  }

  Target target_;
  StoredType stored_type_;
  std::int64_t element_size_; ///< bytes
  bool nontemporal_;
  bool by_rows_; ///< see `is_prefetched_by_rows`
};

} // namespace linked_neurons::detail::cpu
