/// \file
/// The CPU loops, over blocks of 64 elements. Plain C++: they know arguments, not tensors.
#pragma once

#include <linked_neurons/detail/block_access.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// Neighbouring elements have their signs in neighbouring bytes, as vectors have it.
inline constexpr SignLayout kSignLayout = {16, 4};
inline constexpr int kLanes = kSignLayout.lanes;
inline constexpr int kEach = kSignLayout.each;
static_assert(std::int64_t{kLanes} * kEach == kBlock);

/// The signs of a block, as they are kept.
struct BlockSigns {
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

/// Signs beside numbers: of their width, which keeps loops over both simple for compilers.
template <class Number>
using SignBits = std::conditional_t<sizeof(Number) == 2, std::uint16_t, std::uint32_t>;

/// Fills a block's signs from `sign_of(i)`, the pair of element i.
/// \tparam Number that the pairs come from.
template <class Number, class SignOf>
LINKED_NEURONS_FN void find_signs(BlockSigns& signs, const SignOf& sign_of) {
  using Bits = SignBits<Number>;
  Bits bits[kLanes] = {};
  for (int each = 0; each < kEach; ++each) {
    LINKED_NEURONS_INDEPENDENT
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto sign = sign_of(each * kLanes + lane);
      const Bits both = (sign.pos << each) | (sign.neg << (each + kEach));
      bits[lane] |= both;
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    signs.lane[lane] = static_cast<std::uint8_t>(bits[lane]);
  }
}

/// The signs of a block's lanes in numbers of another width, in two steps that compilers vectorise.
template <class Bits>
struct WideSigns {
  Bits lane[kLanes];

  LINKED_NEURONS_FN explicit WideSigns(const BlockSigns& signs) {
    std::uint16_t words[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      words[i] = signs.lane[i];
    }
    for (int i = 0; i < kLanes; ++i) {
      lane[i] = words[i];
    }
  }
};

/// Whether an activation may work on elements of this type as they are in memory.
template <class Activation, class T>
inline constexpr bool may_stay_narrow = Activation::is_exact && !std::is_same_v<T, Compute<T>>;

/// What it works on then; else what computes.
template <class Activation, class T>
using Narrowest = std::conditional_t<may_stay_narrow<Activation, T>, T, Compute<T>>;

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

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
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
      const Pair<T*> y =
          in_place ? Pair<T*>{place, place + at.row} : Pair<T*>{output.pos, output.neg};
      const bool stays_narrow = may_stay_narrow<Activation, T> && args.bias.values == nullptr;
      if (stays_narrow) {
        compute<Narrow>(x, bias, slopes, y);
      } else {
        compute<C>(x, bias, slopes, y);
      }
      if (!in_place) {
        write_halves(target, args.output, at, size, output);
      }
      if constexpr (Activation::saved == Saved::signs) {
        if (args.signs != nullptr) {
          BlockSigns signs;
          if (stays_narrow) {
            find_signs<Narrow>(
                signs, [&](int i) { return Activation::signs(z_of<Narrow>(x, bias, i)); });
          } else {
            find_signs<C>(signs, [&](int i) { return Activation::signs(z_of<C>(x, bias, i)); });
          }
          std::memcpy(args.signs + block * sizeof(signs), &signs, sizeof(signs));
        }
      }
    }
  }

 private:
  using Narrow = Narrowest<Activation, T>;

  template <class Number>
  LINKED_NEURONS_FN static Number z_of(const T* x, const C* bias, std::int64_t i) {
    if constexpr (std::is_same_v<Number, C>) {
      return load(x[i]) + bias[i];
    } else {
      return x[i];
    }
  }

  template <class Number>
  LINKED_NEURONS_FN static void compute(
      const T* x, const C* bias, const Pair<const C*>& slopes, const Pair<T*>& output) {
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      Pair<Number> slope = {};
      if constexpr (Activation::has_weight) {
        slope = {slopes.pos[i], slopes.neg[i]};
      }
      const auto y = detail::forward<Activation>(z_of<Number>(x, bias, i), slope);
      output.pos[i] = store_as<T>(y.pos);
      output.neg[i] = store_as<T>(y.neg);
    }
  }
};

template <class Activation, class T, bool kWeightGradients>
struct BackwardBlocks {
  using C = Compute<T>;
  BackwardArguments<T> args;
  Sums<C> sums;

  LINKED_NEURONS_FN void operator()(Target target, std::int64_t begin, std::int64_t end) const {
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
                                        : read_halves(target, args.grad, at, size, grad_buffer);
      if constexpr (Activation::saved == Saved::input) {
        start.input = read_block(args.kept + first, size, input);
        start.bias = parameters.bias.next();
      } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
        start.output = read_halves(target, args.kept, at, size, output_buffer);
      }
      if constexpr (Activation::saved == Saved::signs) {
        read_signs(target, block, at, size, start.signs, output_buffer);
      }
      if constexpr (Activation::has_weight) {
        start.slopes = {parameters.pos.next(), parameters.neg.next()};
      }
      T* const place = size == kBlock ? args.grad_input + first : grad_input;
      // Sums take their addends before these are rounded.
      C* each = wide_grad_input;
      if constexpr (std::is_same_v<T, C>) {
        each = place;
        compute(start, each, contributions);
      } else {
        bool done = false;
        if constexpr (kStaysNarrow) {
          done = sums.bias == nullptr && !start.signs.has_both();
          if (done) {
            pass(start, place);
          }
        }
        if (!done) {
          compute(start, each, contributions);
          LINKED_NEURONS_INDEPENDENT
          for (std::int64_t i = 0; i < kBlock; ++i) {
            place[i] = store<T>(each[i]);
          }
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
  LINKED_NEURONS_FN void read_signs(
      Target target,
      std::int64_t block,
      const Position& at,
      std::int64_t size,
      BlockSigns& signs,
      Buffer<T>& buffer) const {
    if constexpr (Activation::output_tells_signs) {
      if (args.signs == nullptr) {
        using Number = Narrowest<Activation, T>;
        const auto output = read_halves(target, args.kept, at, size, buffer);
        find_signs<Number>(signs, [&](int i) {
          return Activation::signs_of_output(
              Pair<Number>{load_as<Number>(output.pos[i]), load_as<Number>(output.neg[i])});
        });
        return;
      }
    }
    std::memcpy(&signs, args.signs + block * sizeof(signs), sizeof(signs));
  }

  /// Then a gradient is a difference with zero, but where a NaN has both signs.
  static constexpr bool kStaysNarrow =
      may_stay_narrow<Activation, T> && Activation::saved == Saved::signs;

  struct Block {
    Pair<const T*> grad;
    const T* input;
    const C* bias;
    Pair<const T*> output;
    Pair<const C*> slopes;
    BlockSigns signs;
  };

  /// Gradients of 16-bit numbers that stay so: of each element one half's, or none.
  LINKED_NEURONS_FN static void pass(const Block& start, T* grad_input) {
    using Bits = std::uint16_t;
    WideSigns<Bits> signs(start.signs);
    for (int each = 0; each < kEach; ++each) {
      const T* const grad_pos = start.grad.pos + each * kLanes;
      const T* const grad_neg = start.grad.neg + each * kLanes;
      T* const place = grad_input + each * kLanes;
      LINKED_NEURONS_INDEPENDENT
      for (int lane = 0; lane < kLanes; ++lane) {
        const Bits bits = signs.lane[lane];
        const Bits pos = Bits(0) - Bits(bits & 1U);
        const Bits neg = Bits(0) - Bits((bits >> kEach) & 1U);
        const Bits minus = grad_neg[lane].bits ^ 0x8000U;
        place[lane].bits = (grad_pos[lane].bits & pos) | (minus & neg);
        signs.lane[lane] = bits >> 1U;
      }
    }
  }

  LINKED_NEURONS_FN static void compute(
      const Block& start, C* grad_input, Buffer<C>& contributions) {
    if constexpr (Activation::saved == Saved::signs) {
      using Bits = SignBits<C>;
      WideSigns<Bits> signs(start.signs);
      for (int each = 0; each < kEach; ++each) {
        LINKED_NEURONS_INDEPENDENT
        for (int lane = 0; lane < kLanes; ++lane) {
          const Bits bits = signs.lane[lane];
          const Pair<Bits> both = {bits & 1U, (bits >> kEach) & 1U};
          compute_one(start, each * kLanes + lane, both, grad_input, contributions);
          signs.lane[lane] = bits >> 1U;
        }
      }
    } else {
      LINKED_NEURONS_INDEPENDENT
      for (std::int64_t i = 0; i < kBlock; ++i) {
        compute_one(start, i, Pair<SignBits<C>>{}, grad_input, contributions);
      }
    }
  }

  LINKED_NEURONS_FN static void compute_one(
      const Block& start,
      std::int64_t i,
      const Pair<SignBits<C>>& signs,
      C* grad_input,
      Buffer<C>& contributions) {
    Kept<C, SignBits<C>> kept = {};
    kept.signs = signs;
    if constexpr (Activation::saved == Saved::input) {
      kept.input = load(start.input[i]) + start.bias[i];
    } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
      kept.output = {load(start.output.pos[i]), load(start.output.neg[i])};
    }
    Pair<C> slope = {};
    if constexpr (Activation::has_weight) {
      slope = {start.slopes.pos[i], start.slopes.neg[i]};
    }
    const Pair<C> grad = {load(start.grad.pos[i]), load(start.grad.neg[i])};
    grad_input[i] = detail::backward<Activation>(kept, grad, slope);
    if constexpr (kWeightGradients) {
      const auto weight = detail::weight_gradient<Activation>(kept, grad, slope);
      contributions.pos[i] = weight.pos;
      contributions.neg[i] = weight.neg;
    }
  }
};

} // namespace linked_neurons::detail::cpu
