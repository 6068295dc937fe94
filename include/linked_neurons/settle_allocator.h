/// \file
/// What a CPU program that trains or measures does first. Not part of the umbrella header: it
/// changes the program's allocator.
#pragma once

#include <cstdlib> // defines __GLIBC__, where the C library is glibc

#ifdef __GLIBC__
#include <linked_neurons/detail/memory_limits.h>

#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

// glibc's malloc is one object with these: a static program with another malloc must not get both.
#pragma weak mallopt
#pragma weak malloc_info
#endif

namespace linked_neurons {

#ifdef __GLIBC__
namespace detail {

/// The library or program that a function of this name is in, null in a static program.
inline const void* object_of(const char* function) {
  void* const address = dlsym(RTLD_DEFAULT, function);
  Dl_info info{};
  return address != nullptr && dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

/// Whether `malloc` is glibc's, and not one that the program links or has been preloaded with.
inline bool has_glibcs_malloc() {
  const void* const glibc = object_of("gnu_get_libc_version");
  if (glibc == nullptr) {
    return &malloc_info != nullptr;
  }
  // Any of them tells. For a function whose address a program at a fixed place takes, that is a
  // jump in the program.
  return object_of("malloc") == glibc || object_of("calloc") == glibc ||
         object_of("realloc") == glibc;
}

/// Grows the heap by so many bytes, for which the kernel is to use huge pages. None of it is taken
/// before it is written to.
/// \param mapped bytes from which on blocks do not come from the heap.
inline void grow_heap_of_huge_pages(std::uint64_t bytes, std::size_t mapped) {
#ifdef MADV_HUGEPAGE
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<void*> blocks;
  while (bytes > 2 * page) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, mapped - 2 * page));
    void* const block = std::malloc(size);
    if (block == nullptr) {
      break; // the system has been told to be strict
    }
    blocks.push_back(block);
    const std::size_t behind = reinterpret_cast<std::uintptr_t>(block) % page;
    madvise(static_cast<char*>(block) + (page - behind), size - page, MADV_HUGEPAGE);
    bytes -= size;
  }
  for (void* const block : blocks) {
    std::free(block);
  }
#else
  static_cast<void>(bytes);
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
/// /sys/kernel/mm/transparent_hugepage/enabled), this asks for a quarter of the memory that the
/// process may have: of the machine's, of its container's (control groups of both versions), or of
/// what setrlimit(2) has left it of addresses.
///
/// Call it once, before the first tensor. Returns whether the thresholds were raised: false
/// under another C library, and with another malloc, whose habits this function does not know;
/// docs/cpu.md has what to set in the environment for jemalloc, tcmalloc and mimalloc. Without this
/// call the same comes from the environment: MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_, and
/// GLIBC_TUNABLES=glibc.malloc.hugetlb=1.
inline bool settle_allocator() {
#ifdef __GLIBC__
  if (!detail::has_glibcs_malloc()) {
    return false;
  }
  constexpr int kMapped = 1 << 30;
  const bool never_trims = mallopt(M_TRIM_THRESHOLD, -1) == 1;
  if (mallopt(M_MMAP_THRESHOLD, kMapped) == 1) {
    detail::grow_heap_of_huge_pages(detail::memory_limit() / 4, kMapped);
    return never_trims;
  }
  // glibc before 2.35 refuses a mapping threshold above 32 MiB (mallopt(3)).
  return mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 && never_trims;
#else
  return false;
#endif
}

} // namespace linked_neurons
