/// \file
/// The CPU loops, over blocks of 64 elements. Plain C++: they know arguments, not tensors.
#pragma once

#include <linked_neurons/detail/block_access.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

inline constexpr int kWord = 32;

/// The signs of a block, as they are kept: a bit an element.
struct BlockSigns {
  std::uint32_t pos[kBlock / kWord];
  std::uint32_t neg[kBlock / kWord];
};

/// The trained parameters of a block's elements, one an element; of the bias, where there is none,
/// the number that changes no other in a sum (not +0, which turns -0 into +0).
template <class C>
struct BlockParameters {
  BlockParameter<C> pos, neg, bias;

  BlockParameters(const Weights<C>& weight, const Bias<C>& added, std::int64_t element)
      : pos(weight.pos, weight.index, element, C(0)), neg(weight.neg, weight.index, element, C(0)),
        bias(added.values, added.index, element, C(-0.0)) {}
};

template <class Activation, class T>
struct ForwardBlocks {
  using C = Compute<T>;
  ForwardArguments<T> args;

  LINKED_NEURONS_FN void operator()(std::int64_t begin, std::int64_t end) const {
    alignas(64) T input[kBlock] = {};
    Buffer<T> output;
    BlockParameters<C> parameters(args.weight, args.bias, begin * kBlock);
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      const T* x = read_block(args.input + first, size, input);
      const C* bias = parameters.bias.next();
      Pair<const C*> slopes = {};
      if constexpr (Activation::has_weight) {
        slopes = {parameters.pos.next(), parameters.neg.next()};
      }
      T* const place = args.output + at.offset;
      const bool in_place = at.holds_block(size);
      compute(
          x, bias, slopes, in_place ? place : output.pos, in_place ? place + at.row : output.neg);
      if (!in_place) {
        at.for_each_run(size, [&](std::int64_t offset, std::int64_t done, std::int64_t n) {
          copy_run(args.output + offset, output.pos + done, n);
          copy_run(args.output + offset + at.row, output.neg + done, n);
        });
      }
      if constexpr (Activation::saved == Saved::signs) {
        if (args.signs != nullptr) {
          keep_signs(x, bias, block);
        }
      }
    }
  }

 private:
  LINKED_NEURONS_FN static void compute(
      const T* x, const C* bias, const Pair<const C*>& slopes, T* pos, T* neg) {
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      Pair<C> slope = {};
      if constexpr (Activation::has_weight) {
        slope = {slopes.pos[i], slopes.neg[i]};
      }
      const C z = load(x[i]) + bias[i];
      const Pair<C> y = detail::forward<Activation>(z, slope);
      pos[i] = store<T>(y.pos);
      neg[i] = store<T>(y.neg);
    }
  }

  LINKED_NEURONS_FN void keep_signs(const T* x, const C* bias, std::int64_t block) const {
    BlockSigns signs;
    for (int word = 0; word < kBlock / kWord; ++word) {
      std::uint32_t pos = 0;
      std::uint32_t neg = 0;
      for (int bit = 0; bit < kWord; ++bit) {
        const int i = word * kWord + bit;
        const C z = load(x[i]) + bias[i];
        const auto sign = Activation::signs(z);
        pos |= std::uint32_t(sign.pos) << bit;
        neg |= std::uint32_t(sign.neg) << bit;
      }
      signs.pos[word] = pos;
      signs.neg[word] = neg;
    }
    std::memcpy(args.signs + block * sizeof(signs), &signs, sizeof(signs));
  }
};

template <class Activation, class T, bool kWeightGradients>
struct BackwardBlocks {
  using C = Compute<T>;
  BackwardArguments<T> args;
  Sums<C> sums;

  LINKED_NEURONS_FN void operator()(std::int64_t begin, std::int64_t end) const {
    alignas(64) T input[kBlock] = {};
    alignas(64) T grad_input[kBlock];
    alignas(64) C wide_grad_input[kBlock];
    Buffer<T> grad_buffer;
    Buffer<T> output_buffer;
    Buffer<C> contributions;
    BlockParameters<C> parameters(args.weight, args.bias, begin * kBlock);
    ParameterWalk pos_walk(args.weight.index, begin * kBlock);
    ParameterWalk neg_walk = pos_walk;
    ParameterWalk bias_walk(args.bias.index, begin * kBlock);
    if (args.grad_is_uniform) {
      std::fill_n(grad_buffer.pos, kBlock, *args.grad);
      std::fill_n(grad_buffer.neg, kBlock, *args.grad);
    }
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      Block start = {};
      start.grad = args.grad_is_uniform ? Pair<const T*>{grad_buffer.pos, grad_buffer.neg}
                                        : read_halves(args.grad, at, size, grad_buffer);
      if constexpr (Activation::saved == Saved::input) {
        start.input = read_block(args.kept + first, size, input);
        start.bias = parameters.bias.next();
      } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
        start.output = read_halves(args.kept, at, size, output_buffer);
      }
      if constexpr (Activation::saved == Saved::signs) {
        std::memcpy(&start.signs, args.signs + block * sizeof(start.signs), sizeof(start.signs));
      }
      if constexpr (Activation::has_weight) {
        start.slopes = {parameters.pos.next(), parameters.neg.next()};
      }
      T* const place = size == kBlock ? args.grad_input + first : grad_input;
      // Sums take their addends before these are rounded.
      C* each = nullptr;
      if constexpr (std::is_same_v<T, C>) {
        each = place;
        compute(start, each, contributions);
      } else {
        each = wide_grad_input;
        compute(start, each, contributions);
        LINKED_NEURONS_INDEPENDENT
        for (std::int64_t i = 0; i < kBlock; ++i) {
          place[i] = store<T>(wide_grad_input[i]);
        }
      }
      if (size < kBlock) {
        std::memcpy(args.grad_input + first, grad_input, size * sizeof(T));
      }
      if constexpr (kWeightGradients) {
        add_to_sums(pos_walk, size, contributions.pos, sums.weight.pos);
        add_to_sums(neg_walk, size, contributions.neg, sums.weight.neg);
      }
      if (sums.bias != nullptr) {
        add_to_sums<C>(bias_walk, size, each, sums.bias);
      }
    }
  }

 private:
  struct Block {
    Pair<const T*> grad;
    const T* input;
    const C* bias;
    Pair<const T*> output;
    Pair<const C*> slopes;
    BlockSigns signs;
  };

  LINKED_NEURONS_FN static void compute(
      const Block& start, C* grad_input, Buffer<C>& contributions) {
    for (int word = 0; word < kBlock / kWord; ++word) {
      const std::uint32_t pos = start.signs.pos[word];
      const std::uint32_t neg = start.signs.neg[word];
      LINKED_NEURONS_INDEPENDENT
      for (int bit = 0; bit < kWord; ++bit) {
        const int i = word * kWord + bit;
        Kept<C, int> kept = {};
        if constexpr (Activation::saved == Saved::input) {
          kept.input = load(start.input[i]) + start.bias[i];
        } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
          kept.output = {load(start.output.pos[i]), load(start.output.neg[i])};
        }
        if constexpr (Activation::saved == Saved::signs) {
          kept.signs = {static_cast<int>((pos >> bit) & 1U), static_cast<int>((neg >> bit) & 1U)};
        }
        Pair<C> slope = {};
        if constexpr (Activation::has_weight) {
          slope = {start.slopes.pos[i], start.slopes.neg[i]};
        }
        const Pair<C> grad = {load(start.grad.pos[i]), load(start.grad.neg[i])};
        grad_input[i] = detail::backward<Activation>(kept, grad, slope);
        if constexpr (kWeightGradients) {
          const Pair<C> each = detail::weight_gradient<Activation>(kept, grad, slope);
          contributions.pos[i] = each.pos;
          contributions.neg[i] = each.neg;
        }
      }
    }
  }
};

} // namespace linked_neurons::detail::cpu
