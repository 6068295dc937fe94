/// \file
/// The CPU loops, over blocks of 64 elements. Plain C++: they know arguments, not tensors.
#pragma once

#include <linked_neurons/detail/arguments.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace linked_neurons::detail::cpu {

/// Elements of a block; also the group in which signs are kept: one word for each half.
inline constexpr std::int64_t kBlock = 64;
inline constexpr int kWord = 32;

inline std::int64_t block_count(std::int64_t numel) {
  return (numel + kBlock - 1) / kBlock;
}

/// The signs of a block, as they are kept: a bit an element.
struct BlockSigns {
  std::uint32_t pos[kBlock / kWord];
  std::uint32_t neg[kBlock / kWord];
};

/// A place in the output's layout, moving with the input's elements.
struct Position {
  std::int64_t row;    ///< length of a row
  std::int64_t column; ///< in the row
  std::int64_t offset; ///< of g(z) in the output; g(-z) lies `row` after it

  static Position of(std::int64_t element, std::int64_t row) {
    const std::int64_t above = element / row;
    return {row, element - above * row, element + above * row};
  }

  void advance(std::int64_t elements) {
    column += elements;
    offset += elements;
    while (column >= row) {
      column -= row;
      offset += row;
    }
  }

  /// Whether `size` elements from here are a whole block inside one row.
  bool holds_block(std::int64_t size) const {
    return size == kBlock && column + kBlock <= row;
  }

  /// Calls `copy(offset, done, n)` for each run of the next `size` elements inside one row.
  template <class Copy>
  void for_each_run(std::int64_t size, const Copy& copy) const {
    Position at = *this;
    for (std::int64_t done = 0; done < size;) {
      const std::int64_t n = std::min(at.row - at.column, size - done);
      copy(at.offset, done, n);
      at.advance(n);
      done += n;
    }
  }
};

template <class T>
struct Buffer {
  alignas(64) T pos[kBlock] = {};
  alignas(64) T neg[kBlock] = {};
};

/// The two halves of a block that belongs at `at` in `base`: in place, or through `buffer`.
template <class T>
Pair<const T*> read_halves(
    const T* base, const Position& at, std::int64_t size, Buffer<T>& buffer) {
  if (at.holds_block(size)) {
    return {base + at.offset, base + at.offset + at.row};
  }
  at.for_each_run(size, [&](std::int64_t offset, std::int64_t done, std::int64_t n) {
    std::memcpy(buffer.pos + done, base + offset, n * sizeof(T));
    std::memcpy(buffer.neg + done, base + offset + at.row, n * sizeof(T));
  });
  return {buffer.pos, buffer.neg};
}

/// `size` elements, or a buffer that holds them where they are less than a block.
template <class T>
const T* read_block(const T* elements, std::int64_t size, T* buffer) {
  if (size == kBlock) {
    return elements;
  }
  std::memcpy(buffer, elements, size * sizeof(T));
  return buffer;
}

/// Calls `body(number, done, n)` for each run of a block's elements whose slopes are one and the
/// same (inner > 1), or lie one after another (inner == 1), from slope `number` on.
template <class Body>
void for_each_weight_run(
    const WeightIndex& index, std::int64_t first, std::int64_t size, const Body& body) {
  for (std::int64_t done = 0; done < size;) {
    const std::int64_t element = first + done;
    const std::int64_t above = element / index.inner;
    const std::int64_t number = above % index.count;
    const std::int64_t left =
        index.inner == 1 ? index.count - number : index.inner - (element - above * index.inner);
    const std::int64_t n = std::min(left, size - done);
    body(number, done, n);
    done += n;
  }
}

/// The slopes of a block's elements, one an element.
template <class C>
struct BlockWeights {
  Buffer<C> each;
  std::int64_t filled_with = -1; ///< the slope that fills the block, if it is one

  void read(const Weights<C>& weight, std::int64_t first) {
    const WeightIndex& index = weight.index;
    for_each_weight_run(index, first, kBlock, [&](auto number, auto done, auto n) {
      if (index.inner == 1) {
        std::memcpy(each.pos + done, weight.pos + number, n * sizeof(C));
        std::memcpy(each.neg + done, weight.neg + number, n * sizeof(C));
        return;
      }
      if (n == kBlock && number == filled_with) {
        return;
      }
      std::fill_n(each.pos + done, n, weight.pos[number]);
      std::fill_n(each.neg + done, n, weight.neg[number]);
      filled_with = n == kBlock ? number : -1;
    });
  }
};

/// Adds a block's contributions to the sums of their slopes.
template <class C>
LINKED_NEURONS_FN void add_to_sums(
    const WeightIndex& index, std::int64_t first, std::int64_t size, const C* each, C* sums) {
  for_each_weight_run(index, first, size, [&](auto number, auto done, auto n) {
    if (index.inner == 1) {
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

template <class Activation, class T>
struct ForwardBlocks {
  using C = Compute<T>;
  ForwardArguments<T> args;

  LINKED_NEURONS_FN void operator()(std::int64_t begin, std::int64_t end) const {
    alignas(64) T input[kBlock] = {};
    Buffer<T> output;
    BlockWeights<C> weight;
    Position at = Position::of(begin * kBlock, args.row);
    for (std::int64_t block = begin; block < end; ++block, at.advance(kBlock)) {
      const std::int64_t first = block * kBlock;
      const std::int64_t size = std::min(kBlock, args.numel - first);
      if constexpr (Activation::has_weight) {
        weight.read(args.weight, first);
      }
      const T* z = read_block(args.input + first, size, input);
      T* const place = args.output + at.offset;
      const bool in_place = at.holds_block(size);
      compute(
          z, in_place ? place : output.pos, in_place ? place + at.row : output.neg, weight.each);
      if (!in_place) {
        at.for_each_run(size, [&](std::int64_t offset, std::int64_t done, std::int64_t n) {
          std::memcpy(args.output + offset, output.pos + done, n * sizeof(T));
          std::memcpy(args.output + offset + at.row, output.neg + done, n * sizeof(T));
        });
      }
      if constexpr (Activation::saved == Saved::signs) {
        if (args.signs != nullptr) {
          keep_signs(z, block);
        }
      }
    }
  }

 private:
  LINKED_NEURONS_FN static void compute(const T* z, T* pos, T* neg, const Buffer<C>& weight) {
    LINKED_NEURONS_INDEPENDENT
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const Pair<C> y =
          detail::forward<Activation>(load(z[i]), Pair<C>{weight.pos[i], weight.neg[i]});
      pos[i] = store<T>(y.pos);
      neg[i] = store<T>(y.neg);
    }
  }

  LINKED_NEURONS_FN void keep_signs(const T* z, std::int64_t block) const {
    BlockSigns signs;
    for (int word = 0; word < kBlock / kWord; ++word) {
      std::uint32_t pos = 0;
      std::uint32_t neg = 0;
      for (int bit = 0; bit < kWord; ++bit) {
        const auto sign = Activation::signs(load(z[word * kWord + bit]));
        pos |= std::uint32_t(sign.pos) << bit;
        neg |= std::uint32_t(sign.neg) << bit;
      }
      signs.pos[word] = pos;
      signs.neg[word] = neg;
    }
    std::memcpy(args.signs + block * sizeof(signs), &signs, sizeof(signs));
  }
};

/// Sums of the slopes' gradients, one a slope, for each half.
template <class C>
struct WeightSums {
  C* pos;
  C* neg;
};

template <class Activation, class T, bool kWeightGradients>
struct BackwardBlocks {
  using C = Compute<T>;
  BackwardArguments<T> args;
  WeightSums<C> sums;

  LINKED_NEURONS_FN void operator()(std::int64_t begin, std::int64_t end) const {
    alignas(64) T input[kBlock] = {};
    alignas(64) T grad_input[kBlock];
    Buffer<T> grad_buffer;
    Buffer<T> output_buffer;
    BlockWeights<C> weight;
    Buffer<C> contributions;
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
      } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
        start.output = read_halves(args.kept, at, size, output_buffer);
      }
      if constexpr (Activation::saved == Saved::signs) {
        std::memcpy(&start.signs, args.signs + block * sizeof(start.signs), sizeof(start.signs));
      }
      if constexpr (Activation::has_weight) {
        weight.read(args.weight, first);
      }
      T* const place = size == kBlock ? args.grad_input + first : grad_input;
      compute(start, weight.each, place, contributions);
      if (size < kBlock) {
        std::memcpy(args.grad_input + first, grad_input, size * sizeof(T));
      }
      if constexpr (kWeightGradients) {
        add_to_sums(args.weight.index, first, size, contributions.pos, sums.pos);
        add_to_sums(args.weight.index, first, size, contributions.neg, sums.neg);
      }
    }
  }

 private:
  struct Block {
    Pair<const T*> grad;
    const T* input;
    Pair<const T*> output;
    BlockSigns signs;
  };

  LINKED_NEURONS_FN static void compute(
      const Block& start, const Buffer<C>& weight, T* grad_input, Buffer<C>& contributions) {
    for (int word = 0; word < kBlock / kWord; ++word) {
      const std::uint32_t pos = start.signs.pos[word];
      const std::uint32_t neg = start.signs.neg[word];
      LINKED_NEURONS_INDEPENDENT
      for (int bit = 0; bit < kWord; ++bit) {
        const int i = word * kWord + bit;
        Kept<C, int> kept = {};
        if constexpr (Activation::saved == Saved::input) {
          kept.input = load(start.input[i]);
        } else if constexpr (keeps_output<Activation>(kWeightGradients)) {
          kept.output = {load(start.output.pos[i]), load(start.output.neg[i])};
        }
        if constexpr (Activation::saved == Saved::signs) {
          kept.signs = {static_cast<int>((pos >> bit) & 1U), static_cast<int>((neg >> bit) & 1U)};
        }
        const Pair<C> grad = {load(start.grad.pos[i]), load(start.grad.neg[i])};
        const Pair<C> slopes = {weight.pos[i], weight.neg[i]};
        grad_input[i] = store<T>(detail::backward<Activation>(kept, grad, slopes));
        if constexpr (kWeightGradients) {
          const Pair<C> each = detail::weight_gradient<Activation>(kept, grad, slopes);
          contributions.pos[i] = each.pos;
          contributions.neg[i] = each.neg;
        }
      }
    }
  }
};

} // namespace linked_neurons::detail::cpu
