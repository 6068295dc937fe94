/// \file
/// The CPU loops, over blocks of 64 elements. Plain C++: they know arguments, not tensors.
#pragma once

#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/cpu/block_io.h>
#include <linked_neurons/cpu/block_masks.h>
#include <linked_neurons/cpu/block_parameters.h>
#include <linked_neurons/cpu/far_elements.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// `x` itself, on its own: g++ 12 takes a pair of 16-bit numbers for one of 32 bits, and makes no
/// vectors of those.
template <class T>
LINKED_NEURONS_FN T copy_of(T x) {
  return x;
}

/// What an activation is applied to, by index: the input and, where it is a number, the bias.
template <class C>
struct Biased {
  const C* input;
  const C* bias;

  LINKED_NEURONS_FN C operator[](std::int64_t i) const {
    if constexpr (std::is_floating_point_v<C>) {
      return input[i] + bias[i];
    } else {
      return input[i];
    }
  }
};

/// Forward of an activation that computes in `C`, over blocks. Elements of the 16-bit types become
/// floats on the way to it and back, so the loop for float serves them too. With an activation that
/// only selects, `C` may be one of the 16-bit types itself; then there is no bias.
template <class Activation, class C>
struct ForwardBlocks {
  ForwardArguments args;
  StoredType stored_type;
  bool nontemporal; ///< see `BlockIO`

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const auto io = BlockIO::of<C>(target, stored_type, nontemporal, args.row);
    Buffer<C> input;
    Buffer<C> output;
    WeightsOf<Activation, C> weights(args.weight, begin * kBlock);
    BiasOf<C> bias(args.bias, begin * kBlock);
    Position position = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, position.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      const Biased<C> z{io.read(args.input, first, size, input), bias.next()};
      const Pair<C*> y = io.destination_halves(args.output, position, size, output);
      compute(z, weights.next(), args.number, y);
      if constexpr (Activation::saved == Saved::masks) {
        if (args.masks != nullptr) {
          save_masks(masks_of_input<Activation, C>(z), args.masks, block);
        }
      }
      if (y.pos == output.numbers()) {
        io.store_halves(args.output, position, size, output);
      }
    }
    io.finish();
  }

 private:
  LINKED_NEURONS_FN static void compute(
      const Biased<C>& z, const Pair<const C*>& weights, double number, const Pair<C*>& output) {
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      Pair<C> weight = {};
      if constexpr (Activation::has_weight) {
        weight = {weights.pos[i], weights.neg[i]};
      }
      const auto y =
          detail::forward_in_loop<Activation>(z[i], weight, static_cast<Number<C>>(number));
      output.pos[i] = copy_of(y.pos);
      output.neg[i] = copy_of(y.neg);
    }
    if constexpr (Activation::near_bound != 0) {
      if (has_far<Activation, C>(z)) {
        compute_far<Activation, C>(z, output);
      }
    }
  }
};

/// Forward of an activation that weighs one half and saves masks, over blocks of a 16-bit type `T`
/// without bias. Where no element is 0 or NaN, one half passes through floats and is rounded.
template <class Activation, class T>
struct ForwardWeightedBlocks {
  ForwardArguments args;
  bool nontemporal;

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const auto io = BlockIO::of<T>(target, StoredType::as_computed, nontemporal, args.row);
    Buffer<T> input;
    Buffer<T> output;
    BlockWeights<float> weights(args.weight, begin * kBlock);
    Position position = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, position.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      const T* const z = io.read(args.input, first, size, input);
      const Pair<const float*> weight = weights.next();
      const Pair<T*> y = io.destination_halves(args.output, position, size, output);
      if (weighs_both_halves(z)) {
        compute_both(z, weight, y);
      } else {
        compute_one(z, weight, y);
      }
      if (args.masks != nullptr) {
        save_masks(masks_of_input<Activation, T>(z), args.masks, block);
      }
      if (y.pos == output.numbers()) {
        io.store_halves(args.output, position, size, output);
      }
    }
    io.finish();
  }

 private:
  /// Whether an element is 0 or NaN.
  LINKED_NEURONS_FN static bool weighs_both_halves(const T* z) {
    std::uint16_t any = 0;
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const auto below = static_cast<std::uint16_t>((z[i].bits & 0x7fffU) - 1U);
      any |= static_cast<std::uint16_t>(below >= T::kInfinity);
    }
    return any != 0;
  }

  LINKED_NEURONS_FN static void compute_both(
      const T* z, const Pair<const float*>& weights, const Pair<T*>& output) {
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const Pair<float> weight = {weights.pos[i], weights.neg[i]};
      const auto y = detail::forward<Activation>(load(z[i]), weight, {});
      output.pos[i] = copy_of(store<T>(y.pos));
      output.neg[i] = copy_of(store<T>(y.neg));
    }
  }

  LINKED_NEURONS_FN static void compute_one(
      const T* z, const Pair<const float*>& weights, const Pair<T*>& output) {
    alignas(64) T weighted[kBlock];
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      weighted[i] = store<T>(
          Activation::weighted_half(load(z[i]), Pair<float>{weights.pos[i], weights.neg[i]}));
    }
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const bool is_positive = static_cast<std::int16_t>(z[i].bits) > 0;
      output.pos[i] = copy_of(select(is_positive, z[i], weighted[i]));
      output.neg[i] = copy_of(select(is_positive, weighted[i], -z[i]));
    }
  }
};

/// Backward of an activation that computes in `C`, over blocks, as in `ForwardBlocks`.
template <class Activation, class C, bool kWeightGradients>
struct BackwardBlocks {
  BackwardArguments args;
  StoredType stored_type;
  bool nontemporal;

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const auto io = BlockIO::of<C>(target, stored_type, nontemporal, args.row);
    Buffer<C> input;
    Buffer<C> output;
    Buffer<C> grad;
    Buffer<C> grad_input;
    WeightsOf<Activation, C> weights(args.weight, begin * kBlock);
    BiasOf<C> bias(args.bias, begin * kBlock);
    BlockSums<C> pos_sums(target, args.weight.index, begin * kBlock, args.grad_weight.pos);
    BlockSums<C> neg_sums(target, args.weight.index, begin * kBlock, args.grad_weight.neg);
    BlockSums<C> bias_sums(target, args.bias.index, begin * kBlock, args.grad_bias);
    Block in = {};
    in.number = args.number;
    if (args.grad_is_uniform) {
      in.grad = io.fill_halves(args.grad, grad);
    }
    Position position = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, position.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      if (!args.grad_is_uniform) {
        in.grad = io.read_halves(args.grad, position, size, grad);
      }
      if constexpr (Activation::saved == Saved::input) {
        in.input = io.read(args.input_or_output, first, size, input);
        in.bias = bias.next();
      } else if (
          saves_output<Activation>(kWeightGradients) ||
          (Activation::output_tells_masks && args.masks == nullptr)) {
        constexpr int kHalves = Activation::reads_neg_output || kWeightGradients ? 2 : 1;
        in.output = io.template read_halves<kHalves>(args.input_or_output, position, size, output);
      }
      in.weights = weights.next();
      C* const grad_z = io.destination(args.grad_input, first, size, grad_input);
      if constexpr (kWeightGradients) {
        in.sums = {pos_sums.of_block(size), neg_sums.of_block(size)};
      }
      if constexpr (Activation::saved == Saved::masks) {
        compute(in, masks_of<Activation, C>(args.masks, block, in.output), grad_z);
      } else {
        compute(in, grad_z);
      }
      // The sums take their addends before these are rounded.
      if constexpr (kWeightGradients) {
        pos_sums.finish_block(size, in.sums.pos);
        neg_sums.finish_block(size, in.sums.neg);
      }
      if (args.grad_bias != nullptr) {
        C* const sum = bias_sums.of_block(size);
        LINKED_NEURONS_INDEPENDENT
        for (std::int64_t i = 0; i < kBlock; ++i) {
          sum[i] += grad_z[i];
        }
        bias_sums.finish_block(size, sum);
      }
      if (grad_z == grad_input.numbers()) {
        io.store(args.grad_input, first, size, grad_input);
      }
    }
    io.finish();
    if constexpr (kWeightGradients) {
      pos_sums.finish();
      neg_sums.finish();
    }
    if (args.grad_bias != nullptr) {
      bias_sums.finish();
    }
  }

 private:
  using Bits = MaskInt<C>;

  struct Block {
    Pair<const C*> grad;
    const C* input;
    const C* bias;
    Pair<const C*> output;
    Pair<const C*> weights;
    double number;
    Pair<C*> sums; ///< one an element, of the weights' gradients
  };

  LINKED_NEURONS_FN static void compute(const Block& in, const BlockMasks& masks, C* grad_z) {
    WideMasks<Bits> wide(masks);
    for (int begin = 0; begin < kBlock; begin += kLanes) {
      LINKED_NEURONS_INDEPENDENT
      for (int lane = 0; lane < kLanes; ++lane) {
        const Bits bits = wide.lane[lane];
        compute_one(in, begin + lane, {bits & 1U, (bits >> kEach) & 1U}, grad_z);
        wide.lane[lane] = bits >> 1U;
      }
    }
  }

  LINKED_NEURONS_FN static void compute(const Block& in, C* grad_z) {
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      compute_one(in, i, {}, grad_z);
    }
    if constexpr (kHasBackwardNear<Activation>) {
      const Biased<C> z{in.input, in.bias};
      if (has_far<Activation, C>(z)) {
        compute_far_backward<Activation, C>(z, in.grad, grad_z);
      }
    }
  }

  LINKED_NEURONS_FN static void compute_one(
      const Block& in, std::int64_t i, const Pair<Bits>& masks, C* grad_z) {
    SavedValues<C, Bits> saved = {};
    saved.masks = masks;
    if constexpr (Activation::saved == Saved::input) {
      saved.input = in.input[i] + in.bias[i];
    } else if constexpr (saves_output<Activation>(kWeightGradients)) {
      saved.output = {in.output.pos[i], in.output.neg[i]};
    }
    Pair<C> weight = {};
    if constexpr (Activation::has_weight) {
      weight = {in.weights.pos[i], in.weights.neg[i]};
    }
    const Pair<C> grad = {in.grad.pos[i], in.grad.neg[i]};
    grad_z[i] = detail::backward_in_loop<Activation>(
        saved, grad, weight, static_cast<Number<C>>(in.number));
    if constexpr (kWeightGradients) {
      const auto each = detail::weight_gradient<Activation>(saved, grad, weight);
      in.sums.pos[i] += each.pos;
      in.sums.neg[i] += each.neg;
    }
  }
};

/// Backward of an activation that only selects, over blocks of a 16-bit type `T` without sums: from
/// masks, or from an input without bias. A gradient is that of one half, with its sign changed if
/// that is g(-z), or 0: 16 bits that need not become floats.
template <class Activation, class T>
struct BackwardSelectBlocks {
  BackwardArguments args;
  bool nontemporal;

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
    const auto io = BlockIO::of<T>(target, StoredType::as_computed, nontemporal, args.row);
    Buffer<T> kept;
    Buffer<T> grad;
    Buffer<T> grad_input;
    Pair<const T*> in = {};
    if (args.grad_is_uniform) {
      in = io.fill_halves(args.grad, grad);
    }
    Position position = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, position.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      if (!args.grad_is_uniform) {
        in = io.read_halves(args.grad, position, size, grad);
      }
      BlockMasks masks;
      if constexpr (kFindsMasks<Activation>) {
        masks = masks_of_input<Activation, T>(io.read(args.input_or_output, first, size, kept));
      } else {
        Pair<const T*> y = {};
        if (args.masks == nullptr) {
          y = io.read_halves(args.input_or_output, position, size, kept);
        }
        masks = masks_of<Activation, T>(args.masks, block, y);
      }
      if (masks.has_both()) {
        // At a NaN both halves let their gradient pass: the result is a difference, in float.
        const BackwardBlocks<Activation, float, false> wide{args, kStoredType<T>, nontemporal};
        run_on(target, wide, block, block + 1);
        continue;
      }
      T* const grad_z = io.destination(args.grad_input, first, size, grad_input);
      select(in, masks, grad_z);
      if (grad_z == grad_input.numbers()) {
        io.store(args.grad_input, first, size, grad_input);
      }
    }
    io.finish();
  }

 private:
  using Bits = MaskInt<T>;

  LINKED_NEURONS_FN static void select(
      const Pair<const T*>& grad, const BlockMasks& masks, T* grad_z) {
    WideMasks<Bits> wide(masks);
    for (int begin = 0; begin < kBlock; begin += kLanes) {
      LINKED_NEURONS_INDEPENDENT
      for (int lane = 0; lane < kLanes; ++lane) {
        const Bits bits = wide.lane[lane];
        const Bits pos = Bits(0) - Bits(bits & 1U);
        const Bits neg = Bits(0) - Bits((bits >> kEach) & 1U);
        const int i = begin + lane;
        grad_z[i].bits = (grad.pos[i].bits & pos) | ((-grad.neg[i]).bits & neg);
        wide.lane[lane] = bits >> 1U;
      }
    }
  }
};

} // namespace linked_neurons::detail::cpu
