/// \file
/// What a CPU program that trains or measures does first. Not part of the umbrella header: it
/// changes the program's allocator.
#pragma once

#include <cstdlib> // defines __GLIBC__, where the C library is glibc

#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <vector>
#endif

namespace linked_neurons {

#ifdef __GLIBC__
namespace detail {

/// Grows the heap by a quarter of the machine's memory, for which the kernel is to use huge pages.
/// None of it is taken before it is written to.
/// \param mapped bytes from which on blocks do not come from the heap.
inline void grow_heap_of_huge_pages(std::size_t mapped) {
#ifdef MADV_HUGEPAGE
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto pages = static_cast<std::uintptr_t>(sysconf(_SC_PHYS_PAGES));
  const std::size_t size = mapped - 2 * page;
  std::vector<void*> blocks(pages / 4 * page / size);
  for (void*& block : blocks) {
    block = std::malloc(size); // null where the system has been told to be strict
    if (block != nullptr) {
      const std::uintptr_t behind = reinterpret_cast<std::uintptr_t>(block) % page;
      madvise(static_cast<char*>(block) + (page - behind), size - page, MADV_HUGEPAGE);
    }
  }
  for (void* const block : blocks) {
    std::free(block);
  }
#else
  static_cast<void>(mapped);
#endif
}

} // namespace detail
#endif

/// Lets the C library keep the memory of large tensors for the next ones, in huge pages.
///
/// glibc takes every block above its mapping threshold (32 MiB at most, unless told otherwise)
/// fresh from the kernel and hands it back when freed, and trims the top of its heap. Each large
/// result is then paid for twice, once in arithmetic and once in page faults, which can cost
/// several times the layer itself, for built-in layers as for ours. With both thresholds raised
/// a program keeps the largest amount of memory that it ever had in use, until it ends.
///
/// In pages of 4 KiB a layer also waits for their addresses to be looked up. Where Linux leaves
/// huge pages to those who ask for them (`madvise` in
/// /sys/kernel/mm/transparent_hugepage/enabled), this asks for a quarter of the machine's memory.
///
/// Call it once, before the first tensor. Returns whether the thresholds were raised: false
/// under another C library, whose habits this function does not know. Without this call the same
/// comes from the environment: MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_, and
/// GLIBC_TUNABLES=glibc.malloc.hugetlb=1.
inline bool settle_allocator() {
#ifdef __GLIBC__
  constexpr int kMapped = 1 << 30;
  const bool never_trims = mallopt(M_TRIM_THRESHOLD, -1) == 1;
  if (mallopt(M_MMAP_THRESHOLD, kMapped) == 1) {
    detail::grow_heap_of_huge_pages(kMapped);
    return never_trims;
  }
  // glibc before 2.35 refuses a mapping threshold above 32 MiB (mallopt(3)).
  return mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 && never_trims;
#else
  return false;
#endif
}

} // namespace linked_neurons
