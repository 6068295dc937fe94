/// \file
/// What a CPU program that trains or measures does first. Not part of the umbrella header: it
/// changes the program's allocator.
#pragma once

#include <cstdlib> // defines __GLIBC__, where the C library is glibc

#ifdef __GLIBC__
#include <climits>
#include <malloc.h>
#endif

namespace linked_neurons {

/// Lets the C library keep the memory of large tensors for the next ones.
///
/// glibc takes every block above its mapping threshold (32 MiB at most, unless told otherwise)
/// fresh from the kernel and hands it back when freed, and trims the top of its heap. Each large
/// result is then paid for twice, once in arithmetic and once in page faults, which can cost
/// several times the layer itself, for built-in layers as for ours. With both thresholds raised
/// a program keeps the largest amount of memory that it ever had in use, until it ends.
///
/// Call it once, before the first tensor. Returns whether the thresholds were raised: false
/// under another C library, whose habits this function does not know. Without this call the same
/// comes from the environment variables MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_.
inline bool settle_allocator() {
#ifdef __GLIBC__
  // glibc before 2.35 refuses a mapping threshold above 32 MiB (mallopt(3)).
  const bool keeps =
      mallopt(M_MMAP_THRESHOLD, 1 << 30) == 1 || mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1;
  return mallopt(M_TRIM_THRESHOLD, INT_MAX) == 1 && keeps;
#else
  return false;
#endif
}

} // namespace linked_neurons
