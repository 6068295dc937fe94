/// \file
/// Non-temporal stores, which write to memory without going through the caches.
///
/// An ordinary store first reads the cache line that it writes to. Where a result is larger than
/// the caches, so that nothing of it stays there for the next layer, that read is a third of a
/// layer's traffic, for nothing.
#pragma once

#include <linked_neurons/cpu/targets.h>

#include <cstdint>
#include <limits>

#if LINKED_NEURONS_HAS_TARGETS
#include <immintrin.h>
#endif
#if defined(__unix__)
#include <unistd.h>
#endif

namespace linked_neurons::detail::cpu {

/// Bytes of the largest cache of this processor; more than there are where the system does not say.
inline std::int64_t largest_cache() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
  static const std::int64_t bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
  constexpr std::int64_t bytes = 0;
#endif
  return bytes > 0 ? bytes : std::numeric_limits<std::int64_t>::max();
}

/// What stores past the caches write as a whole, in bytes.
inline constexpr std::int64_t kCacheLine = 64;

/// Whether there are such stores here.
inline constexpr bool kHasNontemporal = LINKED_NEURONS_HAS_TARGETS != 0;

#if LINKED_NEURONS_HAS_TARGETS

// The arguments are passed in registers. Arguments read from memory would wait for the earlier
// non-temporal stores, which are slow.

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX512)
inline void store_nontemporal_avx512(
    char* to, std::int64_t step, const char* from, std::int64_t bytes, std::int64_t runs) {
  for (std::int64_t run = 0; run < runs; ++run) {
    for (std::int64_t i = 0; i < bytes; i += 64) {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_loadu_si512(from + i));
    }
    to += step;
    from += bytes;
  }
}

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX2)
inline void store_nontemporal_avx2(
    char* to, std::int64_t step, const char* from, std::int64_t bytes, std::int64_t runs) {
  for (std::int64_t run = 0; run < runs; ++run) {
    for (std::int64_t i = 0; i < bytes; i += 32) {
      const auto part = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i), part);
    }
    to += step;
    from += bytes;
  }
}

/// Copies runs of whole cache lines that follow each other to places `step` bytes apart.
/// \param bytes of a run.
LINKED_NEURONS_FN void store_nontemporal(
    Target target,
    void* to,
    std::int64_t step,
    const void* from,
    std::int64_t bytes,
    std::int64_t runs) {
  auto* const destination = static_cast<char*>(to);
  const auto* const source = static_cast<const char*>(from);
  if (target == Target::avx512) {
    store_nontemporal_avx512(destination, step, source, bytes, runs);
  } else {
    store_nontemporal_avx2(destination, step, source, bytes, runs);
  }
}

/// To be called before another thread reads what this one has streamed.
LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX2)
inline void fence_nontemporal() {
  _mm_sfence();
}

#else

// Never called.
inline void store_nontemporal(
    Target /*target*/,
    void* /*to*/,
    std::int64_t /*step*/,
    const void* /*from*/,
    std::int64_t /*bytes*/,
    std::int64_t /*runs*/) {}

inline void fence_nontemporal() {}

#endif

} // namespace linked_neurons::detail::cpu
