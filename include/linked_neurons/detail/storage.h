/// \file
/// The elements of tensors as the CPU loops see them: in blocks, and of a type told at run time.
#pragma once

#include <linked_neurons/detail/arguments.h>
#include <linked_neurons/detail/number.h>

#include <cstdint>

namespace linked_neurons::detail {

namespace cpu {

/// Elements of a block; also a group of signs.
inline constexpr std::int64_t kBlock = kLargestGroup;

/// The type of elements in memory: that of the numbers that compute, or one that becomes float.
enum class Storage { own, half, bfloat16 };

/// Bytes of an element in memory.
template <class C>
constexpr std::int64_t element_size(Storage storage) {
  return storage == Storage::own ? sizeof(C) : sizeof(Half);
}

/// An element in memory whose type only a `Storage` tells; it computes in `C`.
template <class C>
struct Stored;

} // namespace cpu

template <class C>
struct ComputeOf<cpu::Stored<C>> {
  using type = C;
};

} // namespace linked_neurons::detail
