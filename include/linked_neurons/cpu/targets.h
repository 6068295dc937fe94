/// \file
/// Vector instructions chosen at run time, whatever `-march` a program is compiled with.
#pragma once

#include <linked_neurons/macros.h>

#include <cstdint>

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && !defined(__CUDACC__)
#define LINKED_NEURONS_HAS_TARGETS 1
#include <cpuid.h>
#else
#define LINKED_NEURONS_HAS_TARGETS 0
#endif

namespace linked_neurons::detail {

/// The processors that the CPU loops are compiled for: whichever the program is, or instead on x86
/// those below.
enum class Target { baseline, avx2, avx512 };

#if LINKED_NEURONS_HAS_TARGETS
/// Whether the processor converts halves: clang 14's `__builtin_cpu_supports` does not know it.
inline bool has_f16c() {
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

/// The best of them that this processor runs.
inline Target best_target() {
#if LINKED_NEURONS_HAS_TARGETS
  static const Target target = [] {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    return avx512 ? Target::avx512 : (avx2 ? Target::avx2 : Target::baseline);
  }();
  return target;
#else
  return Target::baseline;
#endif
}

/// Whether there are loops for this processor. For x86 without AVX2 there are none, which few train
/// on: they would be a third of the loops that every user compiles.
inline bool has_loops(Target target) {
  return LINKED_NEURONS_HAS_TARGETS == 0 || target != Target::baseline;
}

#if LINKED_NEURONS_HAS_TARGETS
#define LINKED_NEURONS_AVX2 "avx2,fma,f16c"
#define LINKED_NEURONS_AVX512 LINKED_NEURONS_AVX2 ",avx512f,avx512bw,avx512dq,avx512vl"
#if defined(__clang__)
#define LINKED_NEURONS_TARGET(features) __attribute__((target(features), flatten, noinline))
#else
// Left alone g++ prefers half of the register's width, and with -std=c++17 (but not gnu++17) it
// makes no fused multiply-adds, which clang does either way.
#define LINKED_NEURONS_TARGET(features)            \
  __attribute__((                                  \
      target(features ",prefer-vector-width=512"), \
      optimize("fp-contract=fast"),                \
      flatten,                                     \
      noinline))
#endif

template <class Loop>
LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX2)
void run_avx2(const Loop& loop, std::int64_t begin, std::int64_t end) {
  loop(Target::avx2, begin, end);
}

template <class Loop>
LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX512)
void run_avx512(const Loop& loop, std::int64_t begin, std::int64_t end) {
  loop(Target::avx512, begin, end);
}
#else

template <class Loop>
LINKED_NEURONS_NOINLINE void run_baseline(const Loop& loop, std::int64_t begin, std::int64_t end) {
  loop(Target::baseline, begin, end);
}

#endif

/// Runs `loop(target, begin, end)`, whose body is all `LINKED_NEURONS_FN`, compiled for `target`.
/// The loop may run others with it: those are functions of their own, compiled once for each
/// target.
template <class Loop>
void run_on(Target target, const Loop& loop, std::int64_t begin, std::int64_t end) {
#if LINKED_NEURONS_HAS_TARGETS
  if (target == Target::avx512) {
    run_avx512(loop, begin, end);
  } else {
    run_avx2(loop, begin, end);
  }
#else
  static_cast<void>(target);
  run_baseline(loop, begin, end);
#endif
}

} // namespace linked_neurons::detail
