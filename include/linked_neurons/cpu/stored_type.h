/// \file
/// The elements of tensors as the CPU loops see them: in blocks, and of a type told at run time.
#pragma once

#include <linked_neurons/activation/number.h>
#include <linked_neurons/kernel/arguments.h>

#include <cstdint>
#include <type_traits>

namespace linked_neurons::detail::cpu {

/// Elements of a block; also a group of masks.
inline constexpr std::int64_t kBlock = kLargestGroup;

/// The type of elements in memory: that of the numbers that compute, or one that becomes float.
enum class StoredType { as_computed, half, bfloat16 };

/// How elements of type `T` are stored for a loop that computes in float, or in `T` if that is
/// wider.
template <class T>
inline constexpr StoredType kStoredType = std::is_same_v<T, Half>       ? StoredType::half
                                          : std::is_same_v<T, BFloat16> ? StoredType::bfloat16
                                                                        : StoredType::as_computed;

/// Bytes of an element in memory.
template <class C>
constexpr std::int64_t element_size(StoredType stored_type) {
  return stored_type == StoredType::as_computed ? sizeof(C) : sizeof(Half);
}

} // namespace linked_neurons::detail::cpu
