/// \file
/// The trained parameters that go with the elements of the CPU loops' blocks.
///
/// What is not done for every block is compiled once, and not as a part of the loops.
#pragma once

#include <linked_neurons/detail/arguments.h>
#include <linked_neurons/detail/storage.h>
#include <linked_neurons/detail/targets.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// A place among a parameter's values, moving with the elements.
class ParameterWalk {
 public:
  LINKED_NEURONS_NOINLINE ParameterWalk(const ParameterIndex& index, std::int64_t element)
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
  LINKED_NEURONS_NOINLINE BlockParameter(
      const C* values, const ParameterIndex& index, std::int64_t element, C none)
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

/// The trained slopes of a block's elements, one an element.
template <class C>
struct BlockSlopes {
  BlockParameter<C> pos, neg;

  BlockSlopes(const Weights<C>& weight, std::int64_t element)
      : pos(weight.pos, weight.index, element, C(0)), neg(weight.neg, weight.index, element, C(0)) {
  }

  LINKED_NEURONS_FN Pair<const C*> next() {
    return {pos.next(), neg.next()};
  }
};

/// Those of an activation without.
template <class C>
struct NoSlopes {
  NoSlopes(const Weights<C>& /*weight*/, std::int64_t /*element*/) {}

  LINKED_NEURONS_FN Pair<const C*> next() {
    return {};
  }
};

template <class Activation, class C>
using SlopesOf = std::conditional_t<Activation::has_weight, BlockSlopes<C>, NoSlopes<C>>;

/// The bias; where there is none, the number that changes no other in a sum (not +0, which turns -0
/// into +0).
template <class C>
BlockParameter<C> block_bias(const Bias<C>& bias, std::int64_t element) {
  return {bias.values, bias.index, element, C(-0.0)};
}

/// Adds a block's contributions to the sums of their parameter.
template <class C>
struct AddToSums {
  ParameterWalk& walk;
  const C* each;
  C* sums;

  LINKED_NEURONS_FN void operator()(Target /*target*/, std::int64_t begin, std::int64_t end) const {
    const bool adjacent = walk.index().inner == 1;
    walk.advance(end - begin, [&](std::int64_t number, std::int64_t done, std::int64_t n) {
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
};

template <class C>
void add_to_sums(Target target, ParameterWalk& walk, std::int64_t size, const C* each, C* sums) {
  run_for(target, AddToSums<C>{walk, each, sums}, 0, size);
}

} // namespace linked_neurons::detail::cpu
