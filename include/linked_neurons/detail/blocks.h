/// \file
/// The CPU loops, over blocks of 64 elements. Plain C++: they know arguments, not tensors.
#pragma once

#include <linked_neurons/detail/block_access.h>
#include <linked_neurons/detail/block_parameters.h>
#include <linked_neurons/detail/block_signs.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// \param narrow whether 16-bit elements are not to become floats.
template <class C>
LINKED_NEURONS_FN Memory memory_of(Target target, Storage storage, bool narrow, bool streams) {
  return {target, narrow ? Storage::own : storage, element_size<C>(storage), streams};
}

/// The loops of an activation that computes in `C`. One function holds those for all the types that
/// become `C`: what is around them takes a compiler longer than they do.
template <class Activation, class C>
struct ForwardBlocks {
  ForwardArguments<Stored<C>> args;
  Storage storage;
  bool streams; ///< see `Memory`

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const bool narrow = kMayStayNarrow && storage != Storage::own && args.bias.values == nullptr;
    const Memory memory = memory_of<C>(target, storage, narrow, streams);
    Buffer<C> input;
    Buffer<C> output;
    SlopesOf<Activation, C> slopes(args.weight, begin * kBlock);
    auto bias = block_bias(args.bias, begin * kBlock);
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      Block start = {};
      start.input = memory.read(args.input, first, size, input.bytes);
      start.bias = bias.next();
      start.slopes = slopes.next();
      start.output = memory.place_halves(args.output, at, size, output.bytes);
      start.signs = args.signs == nullptr ? nullptr : args.signs + block * sizeof(BlockSigns);
      compute_as_stored(start, narrow);
      if (start.output.pos == output.bytes) {
        memory.store_halves(args.output, at, size, output.bytes);
      }
    }
    memory.finish();
  }

 private:
  static constexpr bool kMayStayNarrow = Activation::is_exact && std::is_same_v<C, float>;

  struct Block {
    const void* input;
    const C* bias;
    Pair<const C*> slopes;
    Pair<void*> output;
    std::uint8_t* signs;
  };

  LINKED_NEURONS_FN void compute_as_stored(const Block& block, bool narrow) const {
    if constexpr (kMayStayNarrow) {
      if (narrow) {
        return storage == Storage::half ? compute<Half, Half>(block)
                                        : compute<BFloat16, BFloat16>(block);
      }
    }
    if constexpr (std::is_same_v<C, float>) {
      if (storage == Storage::bfloat16) {
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
    if constexpr (Activation::saved == Saved::signs) {
      if (block.signs != nullptr) {
        BlockSigns signs;
        find_signs<Number>(
            signs, [&](int i) LINKED_NEURONS_INLINE { return Activation::signs(z(i)); });
        std::memcpy(block.signs, &signs, sizeof(signs));
      }
    }
  }
};

/// Likewise.
template <class Activation, class C, bool kWeightGradients>
struct BackwardBlocks {
  BackwardArguments<Stored<C>> args;
  Sums<C> sums;
  Storage storage;
  bool streams;
  bool widens = false; ///< whatever the activation may do

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const bool narrow =
        kMayStayNarrow && storage != Storage::own && sums.bias == nullptr && !widens;
    const Memory memory = memory_of<C>(target, storage, narrow, streams);
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
      start.grad = memory.fill_halves(args.grad, grad.bytes);
    }
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      if (!args.grad_is_uniform) {
        start.grad = memory.read_halves(args.grad, at, size, grad.bytes);
      }
      if constexpr (Activation::saved == Saved::input) {
        start.input = memory.read(args.kept, first, size, input.bytes);
        start.bias = bias.next();
      } else if (keeps_output<Activation>(kWeightGradients) || finds_signs()) {
        start.output = memory.read_halves(args.kept, at, size, output.bytes);
      }
      start.slopes = slopes.next();
      if (Activation::saved == Saved::signs && !finds_signs()) {
        std::memcpy(&start.signs, args.signs + block * sizeof(BlockSigns), sizeof(BlockSigns));
      }
      void* const place = memory.place(args.grad_input, first, size, grad_input.bytes);
      if constexpr (kMayStayNarrow) {
        if (narrow) {
          if (!pass(start, place)) {
            // A NaN has both signs: then the gradient is a difference of two.
            run_for(target, BackwardBlocks{args, sums, storage, streams, true}, block, block + 1);
          } else if (place == grad_input.bytes) {
            memory.store(args.grad_input, first, size, grad_input.bytes);
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
        memory.store(args.grad_input, first, size, grad_input.bytes);
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
    memory.finish();
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
      Activation::is_exact && Activation::saved == Saved::signs && std::is_same_v<C, float>;

  using Bits = SignBits<C>;

  struct Block {
    Pair<const void*> grad;
    const void* input;
    const C* bias;
    Pair<const void*> output;
    Pair<const C*> slopes;
    BlockSigns signs;
    Pair<C*> sums; ///< one an element, of the slopes' gradients
  };

  /// Whether the output tells the signs, which were not kept.
  LINKED_NEURONS_FN bool finds_signs() const {
    return Activation::output_tells_signs && args.signs == nullptr;
  }

  template <class Number, class T>
  LINKED_NEURONS_FN BlockSigns signs_of(const Block& block) const {
    BlockSigns signs = block.signs;
    if constexpr (Activation::output_tells_signs) {
      if (finds_signs()) {
        const T* const pos = static_cast<const T*>(block.output.pos);
        const T* const neg = static_cast<const T*>(block.output.neg);
        find_signs<Number>(signs, [&](int i) LINKED_NEURONS_INLINE {
          return Activation::signs_of_output(
              Pair<Number>{load_as<Number>(pos[i]), load_as<Number>(neg[i])});
        });
      }
    }
    return signs;
  }

  /// Gradients of 16-bit numbers that stay so: of each element one half's, or none. False where
  /// that is not so. Of either type: nothing but the sign of their bits changes.
  LINKED_NEURONS_FN bool pass(const Block& block, void* grad_input) const {
    const BlockSigns kept = storage == Storage::half ? signs_of<Half, Half>(block)
                                                     : signs_of<BFloat16, BFloat16>(block);
    if (kept.has_both()) {
      return false;
    }
    using Number = std::uint16_t;
    WideSigns<Number> signs(kept);
    const auto* const grad_pos = static_cast<const Number*>(block.grad.pos);
    const auto* const grad_neg = static_cast<const Number*>(block.grad.neg);
    auto* const place = static_cast<Number*>(grad_input);
    for (int begin = 0; begin < kBlock; begin += kLanes) {
      LINKED_NEURONS_INDEPENDENT
      for (int lane = 0; lane < kLanes; ++lane) {
        const Number bits = signs.lane[lane];
        const Number pos = Number(0) - Number(bits & 1U);
        const Number neg = Number(0) - Number((bits >> kEach) & 1U);
        const Number minus = grad_neg[begin + lane] ^ 0x8000U;
        place[begin + lane] = (grad_pos[begin + lane] & pos) | (minus & neg);
        signs.lane[lane] = bits >> 1U;
      }
    }
    return true;
  }

  LINKED_NEURONS_FN void compute_as_stored(const Block& block, C* grad_input) const {
    if constexpr (std::is_same_v<C, float>) {
      if (storage == Storage::bfloat16) {
        return compute<BFloat16>(block, grad_input);
      }
    }
    compute<C>(block, grad_input);
  }

  /// \tparam T in memory, or in the buffers.
  template <class T>
  LINKED_NEURONS_FN void compute(const Block& block, C* grad_input) const {
    if constexpr (Activation::saved == Saved::signs) {
      WideSigns<Bits> signs(signs_of<C, T>(block));
      for (int begin = 0; begin < kBlock; begin += kLanes) {
        LINKED_NEURONS_INDEPENDENT
        for (int lane = 0; lane < kLanes; ++lane) {
          const Bits bits = signs.lane[lane];
          const Pair<Bits> both = {bits & 1U, (bits >> kEach) & 1U};
          compute_one<T>(block, begin + lane, both, grad_input);
          signs.lane[lane] = bits >> 1U;
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
      const Block& block, std::int64_t i, const Pair<Bits>& signs, C* grad_input) {
    const auto number = [i](const void* elements) LINKED_NEURONS_INLINE {
      return load(static_cast<const T*>(elements)[i]);
    };
    Kept<C, Bits> kept = {};
    kept.signs = signs;
    if constexpr (Activation::saved == Saved::input) {
      kept.input = number(block.input) + block.bias[i];
    } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
      kept.output = {number(block.output.pos), number(block.output.neg)};
    }
    Pair<C> slope = {};
    if constexpr (Activation::has_weight) {
      slope = {block.slopes.pos[i], block.slopes.neg[i]};
    }
    const Pair<C> grad = {number(block.grad.pos), number(block.grad.neg)};
    grad_input[i] = detail::backward<Activation>(kept, grad, slope);
    if constexpr (kWeightGradients) {
      const auto weight = detail::weight_gradient<Activation>(kept, grad, slope);
      block.sums.pos[i] += weight.pos;
      block.sums.neg[i] += weight.neg;
    }
  }
};

} // namespace linked_neurons::detail::cpu
