/// \file
/// The elements of tensors as the CPU loops see them: in blocks, and of a type told at run time.
#pragma once

#include <linked_neurons/activation/number.h>
#include <linked_neurons/kernel/arguments.h>

#include <cstdint>

namespace linked_neurons::detail {

namespace cpu {

/// Elements of a block; also a group of masks.
inline constexpr std::int64_t kBlock = kLargestGroup;

/// The type of elements in memory: that of the numbers that compute, or one that becomes float.
enum class StoredType { opmath, half, bfloat16 };

/// Bytes of an element in memory.
template <class C>
constexpr std::int64_t element_size(StoredType stored_type) {
  return stored_type == StoredType::opmath ? sizeof(C) : sizeof(Half);
}

/// An element in memory whose type only a `StoredType` tells; it computes in `C`.
template <class C>
struct Stored;

} // namespace cpu

template <class C>
struct OpMathType<cpu::Stored<C>> {
  using type = C;
};

} // namespace linked_neurons::detail
