/// \file
/// The trained parameters that go with the elements of the CPU loops' blocks.
///
/// The functions that do not run for every block are marked as not inlined: each is compiled once,
/// and not once more in every loop.
#pragma once

#include <linked_neurons/cpu/stored_type.h>
#include <linked_neurons/cpu/targets.h>
#include <linked_neurons/kernel/arguments.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// The index of a parameter with a single value, which belongs to every element of the tensor.
inline constexpr ParameterIndex kSingle = {std::numeric_limits<std::int64_t>::max(), 1};

/// Which of a parameter's values an element has, moving with the elements.
class ParameterWalk {
 public:
  LINKED_NEURONS_NOINLINE ParameterWalk(const ParameterIndex& index, std::int64_t element)
      : index_(index.count == 1 ? kSingle : index), value_(element / index_.inner % index_.count),
        left_(index_.inner - element % index_.inner), step_(kBlock % index_.count) {}

  const ParameterIndex& index() const {
    return index_;
  }

  std::int64_t value() const {
    return value_;
  }

  /// Elements from here on that have this value, where `inner` > 1.
  std::int64_t left() const {
    return left_;
  }

  /// Moves over a block: with `inner` > 1 one that has a single value.
  LINKED_NEURONS_FN void skip_block() {
    if (index_.inner == 1) {
      value_ += step_;
      value_ -= value_ >= index_.count ? index_.count : 0;
      return;
    }
    left_ -= kBlock;
    if (left_ == 0) {
      value_ = value_ + 1 == index_.count ? 0 : value_ + 1;
      left_ = index_.inner;
    }
  }

  /// Moves over `size` elements; calls `body(value, done, n)` for each run of them whose values
  /// are one and the same (inner > 1), or lie one after another (inner == 1), from `value` on.
  template <class Body>
  LINKED_NEURONS_FN void advance(std::int64_t size, const Body& body) {
    for (std::int64_t done = 0; done < size;) {
      const bool adjacent = index_.inner == 1;
      const std::int64_t n = std::min(adjacent ? index_.count - value_ : left_, size - done);
      body(value_, done, n);
      done += n;
      left_ -= adjacent ? 0 : n;
      if (adjacent || left_ == 0) {
        value_ += adjacent ? n : 1;
        value_ = value_ == index_.count ? 0 : value_;
        left_ = index_.inner;
      }
    }
  }

 private:
  ParameterIndex index_;
  std::int64_t value_;
  std::int64_t left_;
  std::int64_t step_; ///< from a block's first value to the next one's, where `inner` is 1
};

/// The values of a parameter that go with a block's elements, one an element, block after block.
template <class C>
class BlockParameter {
 public:
  /// \param element the first block's first.
  /// \param none what every element has where `values` is null.
  LINKED_NEURONS_NOINLINE BlockParameter(
      const void* values, const ParameterIndex& index, std::int64_t element, C none)
      : values_(static_cast<const C*>(values)), walk_(index, element),
        constant_(values == nullptr || index.count == 1),
        repeats_(!constant_ && index.inner == 1 && index.count < kBlock) {
    if (constant_) {
      std::fill_n(buffer_, kBlock, values == nullptr ? none : *values_);
    } else if (repeats_) {
      for (std::int64_t i = 0; i < 2 * kBlock; ++i) {
        buffer_[i] = values_[i % index.count];
      }
    }
  }

  LINKED_NEURONS_FN const C* next() {
    if (constant_) {
      return buffer_;
    }
    const ParameterIndex& index = walk_.index();
    const std::int64_t value = walk_.value();
    if (repeats_ || (index.inner == 1 && value + kBlock <= index.count)) {
      walk_.skip_block();
      return (repeats_ ? buffer_ : values_) + value;
    }
    if (value == filled_with_ && walk_.left() >= kBlock) {
      walk_.skip_block();
      return buffer_ + kBlock;
    }
    return fill();
  }

 private:
  LINKED_NEURONS_NOINLINE const C* fill() {
    filled_with_ = -1;
    if (walk_.index().inner >= kBlock) {
      return fill_halves();
    }
    const bool adjacent = walk_.index().inner == 1;
    walk_.advance(kBlock, [&](std::int64_t value, std::int64_t done, std::int64_t n) {
      if (adjacent) {
        std::memcpy(buffer_ + done, values_ + value, std::size_t(n) * sizeof(C));
      } else {
        // A loop of constant length is vectorised whole; what is behind the run is overwritten.
        std::fill_n(buffer_ + done, kBlock, values_[value]);
      }
    });
    return buffer_;
  }

  /// Where a block has two values at most: one fills the buffer's first half, the next one the
  /// second, and the block begins where as many elements are left of the first.
  const C* fill_halves() {
    const std::int64_t left = std::min(kBlock, walk_.left());
    std::fill_n(buffer_, kBlock, values_[walk_.value()]);
    walk_.advance(kBlock, [](std::int64_t, std::int64_t, std::int64_t) {});
    filled_with_ = walk_.value();
    std::fill_n(buffer_ + kBlock, kBlock, values_[filled_with_]);
    return buffer_ + (kBlock - left);
  }

  const C* values_;
  ParameterWalk walk_;
  bool constant_;                 ///< `buffer_` holds it, or what stands for no values
  bool repeats_;                  ///< `buffer_` holds all values, and the first ones again
  std::int64_t filled_with_ = -1; ///< the value that fills the buffer's second half
  alignas(64) C buffer_[2 * kBlock] = {};
};

/// The trained weights of a block's elements, one an element.
template <class C>
struct BlockWeights {
  BlockParameter<C> pos, neg;

  BlockWeights(const Weights& weight, std::int64_t element)
      : pos(weight.values.pos, weight.index, element, C(0)),
        neg(weight.values.neg, weight.index, element, C(0)) {}

  LINKED_NEURONS_FN Pair<const C*> next() {
    return {pos.next(), neg.next()};
  }
};

/// Those of an activation without.
template <class C>
struct NoWeights {
  NoWeights(const Weights& /*weight*/, std::int64_t /*element*/) {}

  LINKED_NEURONS_FN Pair<const C*> next() {
    return {};
  }
};

template <class Activation, class C>
using WeightsOf = std::conditional_t<Activation::has_weight, BlockWeights<C>, NoWeights<C>>;

/// The bias of a block's elements; where there is none, the number that changes no other in a sum
/// (not +0, which turns -0 into +0).
template <class C>
struct BlockBias : BlockParameter<C> {
  BlockBias(const Bias& bias, std::int64_t element)
      : BlockParameter<C>(bias.values, bias.index, element, C(-0.0)) {}
};

/// That of 16-bit numbers that compute as they are, to which none is added.
template <class C>
struct NoBias {
  NoBias(const Bias& /*bias*/, std::int64_t /*element*/) {}

  LINKED_NEURONS_FN const C* next() {
    return nullptr;
  }
};

template <class C>
using BiasOf = std::conditional_t<std::is_floating_point_v<C>, BlockBias<C>, NoBias<C>>;

/// Adds up neighbouring numbers.
template <class C>
struct AddUp {
  const C* each;
  C* sum;

  LINKED_NEURONS_FN void operator()(Target /*target*/, std::int64_t begin, std::int64_t end) const {
    // Sixteen sums side by side: compilers may not reorder a sum on their own.
    constexpr std::int64_t kLanes = 16;
    C lanes[kLanes] = {};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] += each[i + lane];
      }
    }
    for (; i < end; ++i) {
      lanes[i % kLanes] += each[i];
    }
    for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (std::int64_t lane = 0; lane < width; ++lane) {
        lanes[lane] += lanes[lane + width];
      }
    }
    *sum += lanes[0];
  }
};

/// The sums of a parameter's gradient, to which the loops add one number an element. Blocks with
/// the same values share 64 sums, which are added up where the values change.
template <class C>
class BlockSums {
 public:
  /// \param element the first block's first.
  /// \param sums one a value of the parameter; null where nobody wants them.
  LINKED_NEURONS_NOINLINE BlockSums(
      Target target, const ParameterIndex& index, std::int64_t element, void* sums)
      : target_(target), walk_(index, element), sums_(static_cast<C*>(sums)),
        repeats_(walk_.index().inner == 1 && kBlock % index.count == 0) {}

  /// The sums to which the next block's numbers are to be added, one an element.
  LINKED_NEURONS_FN C* of_block(std::int64_t size) {
    const ParameterIndex& index = walk_.index();
    if (size < kBlock) {
      finish(); // what is added behind the last element does not count
      return shared_;
    }
    if (index.inner == 1) {
      return walk_.value() + kBlock <= index.count ? sums_ + walk_.value() : shared_;
    }
    // A block that comes to a next value adds to its sums as well, which follow.
    return index.inner < kBlock ? shared_ : shared_ + (kBlock - std::min(kBlock, walk_.left()));
  }

  /// Moves to the next block, once the numbers of this one were added to `sums`.
  LINKED_NEURONS_FN void finish_block(std::int64_t size, const C* sums) {
    const bool values_last =
        walk_.index().inner == 1 ? repeats_ || sums != shared_ : walk_.left() > kBlock;
    if (values_last && size == kBlock) {
      walk_.skip_block();
    } else {
      add_shared(size);
    }
  }

  /// Adds up what is shared at the end.
  LINKED_NEURONS_NOINLINE void finish() {
    if (repeats_) {
      add_shared(kBlock);
    } else if (walk_.index().inner >= kBlock) {
      add_run(walk_.value(), 0, kBlock);
      std::fill_n(shared_, kBlock, C(0));
    }
  }

 private:
  LINKED_NEURONS_NOINLINE void add_shared(std::int64_t size) {
    if (walk_.index().inner >= kBlock && size == kBlock) {
      add_run(walk_.value(), 0, kBlock);
      std::copy_n(shared_ + kBlock, kBlock, shared_);
      std::fill_n(shared_ + kBlock, kBlock, C(0));
      walk_.advance(size, [](std::int64_t, std::int64_t, std::int64_t) {});
      return;
    }
    walk_.advance(size, [this](std::int64_t value, std::int64_t done, std::int64_t n) {
      add_run(value, done, n);
    });
    std::fill_n(shared_, kBlock, C(0));
  }

  /// The `n` shared sums from `done` on belong to the value `value`, or to those from it on.
  void add_run(std::int64_t value, std::int64_t done, std::int64_t n) {
    if (walk_.index().inner > 1) {
      run_on(target_, AddUp<C>{shared_, sums_ + value}, done, done + n);
      return;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      sums_[value + i] += shared_[done + i];
    }
  }

  Target target_;
  ParameterWalk walk_;
  C* sums_;
  bool repeats_; ///< all blocks have the same values
  alignas(64) C shared_[2 * kBlock] = {};
};

} // namespace linked_neurons::detail::cpu
