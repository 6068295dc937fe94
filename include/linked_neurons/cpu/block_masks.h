/// \file
/// The masks that the CPU loops save of a block.
#pragma once

#include <linked_neurons/cpu/stored_type.h>
#include <linked_neurons/kernel/arguments.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// Neighbouring elements have their masks in neighbouring bytes, as vectors have it.
inline constexpr MaskLayout kMaskLayout = {16, 4};
inline constexpr int kLanes = kMaskLayout.lanes;
inline constexpr int kEach = kMaskLayout.each;
static_assert(std::int64_t{kLanes} * kEach == kBlock);

/// The masks of a block, as they lie in memory.
struct BlockMasks {
  std::uint8_t lane[kLanes];

  /// Whether an element has both.
  LINKED_NEURONS_FN bool has_both() const {
    std::uint64_t half[2];
    static_assert(sizeof(half) == sizeof(lane));
    std::memcpy(half, lane, sizeof(half));
    constexpr std::uint64_t kPos = 0x0f0f0f0f0f0f0f0f;
    return (((half[0] & (half[0] >> kEach)) | (half[1] & (half[1] >> kEach))) & kPos) != 0;
  }
};

/// Between unsigned numbers of 8, 16, 32 and 64 bits.
template <class From, class To>
LINKED_NEURONS_FN void convert_lanes(const From (&from)[kLanes], To (&to)[kLanes]) {
#if defined(__GNUC__)
  // Of the loop below g++ -O2 makes short vectors, which it stores and reads back as a long one,
  // and clang none: slower than all the rest. In one step g++ would take the lanes apart.
  using Words = std::uint16_t __attribute__((vector_size(2 * kLanes)));
  // Aliases do not take the attribute where the type depends. NOLINTBEGIN(modernize-use-using)
  typedef From Source __attribute__((vector_size(sizeof(from))));
  typedef To Result __attribute__((vector_size(sizeof(to))));
  // NOLINTEND(modernize-use-using)
  Source source;
  std::memcpy(&source, from, sizeof(from));
  const Result result = __builtin_convertvector(__builtin_convertvector(source, Words), Result);
  std::memcpy(to, &result, sizeof(to));
#else
  for (int i = 0; i < kLanes; ++i) {
    to[i] = static_cast<To>(from[i]);
  }
#endif
}

/// Masks beside numbers: of their width, which keeps loops over both simple for compilers.
template <class Number>
using MaskInt = std::conditional_t<
    sizeof(Number) == 2,
    std::uint16_t,
    std::conditional_t<sizeof(Number) == 4, std::uint32_t, std::uint64_t>>;

/// Fills a block's masks from `mask_of(i)`, the pair of element i.
/// \tparam Number that the pairs come from.
template <class Number, class MaskOf>
LINKED_NEURONS_FN void find_masks(BlockMasks& masks, const MaskOf& mask_of) {
  using Bits = MaskInt<Number>;
  Bits bits[kLanes] = {};
  LINKED_NEURONS_AROUND
  for (int each = 0; each < kEach; ++each) {
    LINKED_NEURONS_INDEPENDENT
    for (int lane = 0; lane < kLanes; ++lane) {
      // Each element's bits enter at the top of their half of the lane, and move down as the next
      // ones enter: g++ 12 makes no vectors of 16-bit shifts by a variable.
      const auto mask = mask_of(each * kLanes + lane);
      const auto both = Bits((mask.pos << (kEach - 1)) | (mask.neg << (2 * kEach - 1)));
      bits[lane] = (bits[lane] >> 1U) | both;
    }
  }
  convert_lanes(bits, masks.lane);
}

/// \param z what the activation is applied to, of type `C`, by index.
template <class Activation, class C, class Z>
LINKED_NEURONS_FN BlockMasks masks_of_input(const Z& z) {
  BlockMasks masks;
  find_masks<C>(masks, [&](int i) LINKED_NEURONS_INLINE { return Activation::masks(z[i]); });
  return masks;
}

LINKED_NEURONS_FN void save_masks(
    const BlockMasks& masks, std::uint8_t* saved, std::int64_t block) {
  std::memcpy(saved + block * std::int64_t(sizeof(masks)), &masks, sizeof(masks));
}

/// The masks of a block: those that forward saved, or what the output tells where it saved none.
/// \param output read in the second case only.
template <class Activation, class C>
LINKED_NEURONS_FN BlockMasks
masks_of(const std::uint8_t* saved, std::int64_t block, const Pair<const C*>& output) {
  BlockMasks masks;
  if constexpr (Activation::output_tells_masks) {
    if (saved == nullptr) {
      find_masks<C>(masks, [&](int i) LINKED_NEURONS_INLINE {
        return Activation::masks_of_output(Pair<C>{output.pos[i], output.neg[i]});
      });
      return masks;
    }
  }
  std::memcpy(&masks, saved + block * std::int64_t(sizeof(masks)), sizeof(masks));
  return masks;
}

/// The masks of a block's lanes in numbers of another width.
template <class Bits>
struct WideMasks {
  Bits lane[kLanes];

  LINKED_NEURONS_FN explicit WideMasks(const BlockMasks& masks) {
    convert_lanes(masks.lane, lane);
  }
};

} // namespace linked_neurons::detail::cpu
