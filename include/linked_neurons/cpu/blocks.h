/// \file
/// The CPU loops, over blocks of 64 elements. Plain C++: they know arguments, not tensors.
#pragma once

#include <linked_neurons/cpu/block_io.h>
#include <linked_neurons/cpu/block_masks.h>
#include <linked_neurons/cpu/block_parameters.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// \param narrow whether 16-bit elements are not to become floats.
template <class C>
LINKED_NEURONS_FN BlockIO
block_io(Target target, StoredType stored_type, bool narrow, bool nontemporal, std::int64_t row) {
  const std::int64_t size = element_size<C>(stored_type);
  return {
      target,
      narrow ? StoredType::opmath : stored_type,
      size,
      nontemporal,
      prefetch_distance(row, size)};
}

/// Forward of an activation that computes in `C`, over blocks. One function serves all the stored
/// types that convert to `C`: reading and writing blocks takes longer to compile than the
/// arithmetic between them, so it is compiled once.
template <class Activation, class C>
struct ForwardBlocks {
  ForwardArguments<Stored<C>> args;
  StoredType stored_type;
  bool nontemporal; ///< see `BlockIO`

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const bool narrow =
        kMayStayNarrow && stored_type != StoredType::opmath && args.bias.values == nullptr;
    const BlockIO io = block_io<C>(target, stored_type, narrow, nontemporal, args.row);
    Buffer<C> input;
    Buffer<C> output;
    SlopesOf<Activation, C> slopes(args.weight, begin * kBlock);
    auto bias = block_bias(args.bias, begin * kBlock);
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      Block start = {};
      start.input = io.read(args.input, first, size, input.bytes);
      start.bias = bias.next();
      start.slopes = slopes.next();
      start.output = io.place_halves(args.output, at, size, output.bytes);
      start.masks = args.masks == nullptr ? nullptr : args.masks + block * sizeof(BlockMasks);
      compute_as_stored(start, narrow);
      if (start.output.pos == output.bytes) {
        io.store_halves(args.output, at, size, output.bytes);
      }
    }
    io.finish();
  }

 private:
  static constexpr bool kMayStayNarrow = Activation::only_selects && std::is_same_v<C, float>;

  struct Block {
    const void* input;
    const C* bias;
    Pair<const C*> slopes;
    Pair<void*> output;
    std::uint8_t* masks;
  };

  LINKED_NEURONS_FN void compute_as_stored(const Block& block, bool narrow) const {
    if constexpr (kMayStayNarrow) {
      if (narrow) {
        return stored_type == StoredType::half ? compute<Half, Half>(block)
                                               : compute<BFloat16, BFloat16>(block);
      }
    }
    if constexpr (std::is_same_v<C, float>) {
      if (stored_type == StoredType::bfloat16) {
        return compute<C, BFloat16>(block);
      }
    }
    compute<C, C>(block);
  }

  /// \tparam Number that computes.
  /// \tparam T in memory, or in the buffer.
  template <class Number, class T>
  LINKED_NEURONS_FN static void compute(const Block& block) {
    const T* const x = static_cast<const T*>(block.input);
    T* const pos = static_cast<T*>(block.output.pos);
    T* const neg = static_cast<T*>(block.output.neg);
    const auto z = [&](std::int64_t i) LINKED_NEURONS_INLINE {
      if constexpr (std::is_same_v<Number, C>) {
        return load(x[i]) + block.bias[i];
      } else {
        return x[i];
      }
    };
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      Pair<Number> slope = {};
      if constexpr (Activation::has_weight) {
        slope = {block.slopes.pos[i], block.slopes.neg[i]};
      }
      const auto y = detail::forward<Activation>(z(i), slope);
      pos[i] = store_as<T>(y.pos);
      neg[i] = store_as<T>(y.neg);
    }
    if constexpr (Activation::saved == Saved::masks) {
      if (block.masks != nullptr) {
        BlockMasks masks;
        find_masks<Number>(
            masks, [&](int i) LINKED_NEURONS_INLINE { return Activation::masks(z(i)); });
        std::memcpy(block.masks, &masks, sizeof(masks));
      }
    }
  }
};

/// Backward of an activation that computes in `C`, over blocks. One function serves all the stored
/// types that convert to `C`, as in `ForwardBlocks`.
template <class Activation, class C, bool kWeightGradients>
struct BackwardBlocks {
  BackwardArguments<Stored<C>> args;
  Sums<C> sums;
  StoredType stored_type;
  bool nontemporal;
  bool widens =
      false; ///< whether 16-bit gradients become floats though the activation only selects

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const bool narrow =
        kMayStayNarrow && stored_type != StoredType::opmath && sums.bias == nullptr && !widens;
    const BlockIO io = block_io<C>(target, stored_type, narrow, nontemporal, args.row);
    Buffer<C> input;
    Buffer<C> output;
    Buffer<C> grad;
    Buffer<C> grad_input;
    SlopesOf<Activation, C> slopes(args.weight, begin * kBlock);
    auto bias = block_bias(args.bias, begin * kBlock);
    BlockSums<C> pos_sums(target, args.weight.index, begin * kBlock, sums.weight.pos);
    BlockSums<C> neg_sums(target, args.weight.index, begin * kBlock, sums.weight.neg);
    BlockSums<C> bias_sums(target, args.bias.index, begin * kBlock, sums.bias);
    Block start = {};
    if (args.grad_is_uniform) {
      start.grad = io.fill_halves(args.grad, grad.bytes);
    }
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      if (!args.grad_is_uniform) {
        start.grad = io.read_halves(args.grad, at, size, grad.bytes);
      }
      if constexpr (Activation::saved == Saved::input) {
        start.input = io.read(args.input_or_output, first, size, input.bytes);
        start.bias = bias.next();
      } else if (saves_output<Activation>(kWeightGradients) || finds_masks()) {
        start.output = io.read_halves(args.input_or_output, at, size, output.bytes);
      }
      start.slopes = slopes.next();
      if (Activation::saved == Saved::masks && !finds_masks()) {
        std::memcpy(&start.masks, args.masks + block * sizeof(BlockMasks), sizeof(BlockMasks));
      }
      void* const place = io.place(args.grad_input, first, size, grad_input.bytes);
      if constexpr (kMayStayNarrow) {
        if (narrow) {
          if (!pass(start, place)) {
            // At a NaN both halves let their gradient pass: the result is a difference, in float.
            run_on(
                target,
                BackwardBlocks{args, sums, stored_type, nontemporal, true},
                block,
                block + 1);
          } else if (place == grad_input.bytes) {
            io.store(args.grad_input, first, size, grad_input.bytes);
          }
          continue;
        }
      }
      // Sums take their addends before these are rounded.
      C* const each = static_cast<C*>(place);
      if constexpr (kWeightGradients) {
        start.sums = {pos_sums.place(size), neg_sums.place(size)};
      }
      compute_as_stored(start, each);
      if (place == grad_input.bytes) {
        io.store(args.grad_input, first, size, grad_input.bytes);
      }
      if constexpr (kWeightGradients) {
        pos_sums.move_on(size, start.sums.pos);
        neg_sums.move_on(size, start.sums.neg);
      }
      if (sums.bias != nullptr) {
        C* const sum = bias_sums.place(size);
        LINKED_NEURONS_INDEPENDENT
        for (std::int64_t i = 0; i < kBlock; ++i) {
          sum[i] += each[i];
        }
        bias_sums.move_on(size, sum);
      }
    }
    io.finish();
    if constexpr (kWeightGradients) {
      pos_sums.finish();
      neg_sums.finish();
    }
    if (sums.bias != nullptr) {
      bias_sums.finish();
    }
  }

 private:
  /// Backward then passes the gradients on.
  static constexpr bool kMayStayNarrow =
      Activation::only_selects && Activation::saved == Saved::masks && std::is_same_v<C, float>;

  using Bits = MaskInt<C>;

  struct Block {
    Pair<const void*> grad;
    const void* input;
    const C* bias;
    Pair<const void*> output;
    Pair<const C*> slopes;
    BlockMasks masks;
    Pair<C*> sums; ///< one an element, of the slopes' gradients
  };

  /// Whether the output tells the masks, which were not kept.
  LINKED_NEURONS_FN bool finds_masks() const {
    return Activation::output_tells_masks && args.masks == nullptr;
  }

  template <class Number, class T>
  LINKED_NEURONS_FN BlockMasks masks_of(const Block& block) const {
    BlockMasks masks = block.masks;
    if constexpr (Activation::output_tells_masks) {
      if (finds_masks()) {
        const T* const pos = static_cast<const T*>(block.output.pos);
        const T* const neg = static_cast<const T*>(block.output.neg);
        find_masks<Number>(masks, [&](int i) LINKED_NEURONS_INLINE {
          return Activation::masks_of_output(
              Pair<Number>{load_as<Number>(pos[i]), load_as<Number>(neg[i])});
        });
      }
    }
    return masks;
  }

  /// Gradients of 16-bit numbers that stay so: of each element one half's, or none. False where
  /// that is not so. Of either type: nothing but the sign of their bits changes.
  LINKED_NEURONS_FN bool pass(const Block& block, void* grad_input) const {
    const BlockMasks all = stored_type == StoredType::half ? masks_of<Half, Half>(block)
                                                           : masks_of<BFloat16, BFloat16>(block);
    if (all.has_both()) {
      return false;
    }
    using Number = std::uint16_t;
    WideMasks<Number> masks(all);
    const auto* const grad_pos = static_cast<const Number*>(block.grad.pos);
    const auto* const grad_neg = static_cast<const Number*>(block.grad.neg);
    auto* const place = static_cast<Number*>(grad_input);
    for (int begin = 0; begin < kBlock; begin += kLanes) {
      LINKED_NEURONS_INDEPENDENT
      for (int lane = 0; lane < kLanes; ++lane) {
        const Number bits = masks.lane[lane];
        const Number pos = Number(0) - Number(bits & 1U);
        const Number neg = Number(0) - Number((bits >> kEach) & 1U);
        const Number minus = grad_neg[begin + lane] ^ 0x8000U;
        place[begin + lane] = (grad_pos[begin + lane] & pos) | (minus & neg);
        masks.lane[lane] = bits >> 1U;
      }
    }
    return true;
  }

  LINKED_NEURONS_FN void compute_as_stored(const Block& block, C* grad_input) const {
    if constexpr (std::is_same_v<C, float>) {
      if (stored_type == StoredType::bfloat16) {
        return compute<BFloat16>(block, grad_input);
      }
    }
    compute<C>(block, grad_input);
  }

  /// \tparam T in memory, or in the buffers.
  template <class T>
  LINKED_NEURONS_FN void compute(const Block& block, C* grad_input) const {
    if constexpr (Activation::saved == Saved::masks) {
      WideMasks<Bits> masks(masks_of<C, T>(block));
      for (int begin = 0; begin < kBlock; begin += kLanes) {
        LINKED_NEURONS_INDEPENDENT
        for (int lane = 0; lane < kLanes; ++lane) {
          const Bits bits = masks.lane[lane];
          const Pair<Bits> both = {bits & 1U, (bits >> kEach) & 1U};
          compute_one<T>(block, begin + lane, both, grad_input);
          masks.lane[lane] = bits >> 1U;
        }
      }
    } else {
      LINKED_NEURONS_INDEPENDENT
      for (std::int64_t i = 0; i < kBlock; ++i) {
        compute_one<T>(block, i, Pair<Bits>{}, grad_input);
      }
    }
  }

  template <class T>
  LINKED_NEURONS_FN static void compute_one(
      const Block& block, std::int64_t i, const Pair<Bits>& masks, C* grad_input) {
    const auto number = [i](const void* elements) LINKED_NEURONS_INLINE {
      return load(static_cast<const T*>(elements)[i]);
    };
    SavedValues<C, Bits> saved = {};
    saved.masks = masks;
    if constexpr (Activation::saved == Saved::input) {
      saved.input = number(block.input) + block.bias[i];
    } else if constexpr (saves_output<Activation>(kWeightGradients)) {
      saved.output = {number(block.output.pos), number(block.output.neg)};
    }
    Pair<C> slope = {};
    if constexpr (Activation::has_weight) {
      slope = {block.slopes.pos[i], block.slopes.neg[i]};
    }
    const Pair<C> grad = {number(block.grad.pos), number(block.grad.neg)};
    grad_input[i] = detail::backward<Activation>(saved, grad, slope);
    if constexpr (kWeightGradients) {
      const auto weight = detail::weight_gradient<Activation>(saved, grad, slope);
      block.sums.pos[i] += weight.pos;
      block.sums.neg[i] += weight.neg;
    }
  }
};

} // namespace linked_neurons::detail::cpu
