/// \file
/// What differs between compilers, said once: inlining into vector and device code, and
/// floating-point arithmetic.
#pragma once

/// Marks a function that CPU loops and CUDA kernels share. It is always inlined: only so does a
/// function that was compiled for any processor become part of a loop compiled for a newer one.
#if defined(__CUDACC__)
#define LINKED_NEURONS_FN __host__ __device__ __forceinline__
#elif defined(__GNUC__)
#define LINKED_NEURONS_FN inline __attribute__((always_inline))
#else
#define LINKED_NEURONS_FN inline
#endif

/// The same for a lambda, behind its parameters.
#if defined(__GNUC__) && !defined(__CUDACC__)
#define LINKED_NEURONS_INLINE __attribute__((always_inline))
#else
#define LINKED_NEURONS_INLINE
#endif

/// Marks a function that does not become part of its caller: where that would only cost its users
/// compile time.
#if defined(__GNUC__)
#define LINKED_NEURONS_NOINLINE __attribute__((noinline))
#else
#define LINKED_NEURONS_NOINLINE
#endif

/// Asks the processor to bring the cache line at an address.
#if defined(__GNUC__) && !defined(__CUDACC__)
#define LINKED_NEURONS_PREFETCH(address) __builtin_prefetch(address)
#else
#define LINKED_NEURONS_PREFETCH(address) static_cast<void>(address)
#endif

/// Before a loop whose iterations are independent: the compiler need not prove it.
#if defined(__CUDACC__)
#define LINKED_NEURONS_INDEPENDENT
#elif defined(__clang__)
#define LINKED_NEURONS_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define LINKED_NEURONS_INDEPENDENT _Pragma("GCC ivdep")
#else
#define LINKED_NEURONS_INDEPENDENT
#endif

/// Before a short loop around an independent one, which clang vectorises only once the outer one is
/// unrolled.
#if defined(__clang__) && !defined(__CUDACC__)
#define LINKED_NEURONS_AROUND _Pragma("clang loop unroll(full)")
#else
#define LINKED_NEURONS_AROUND
#endif

/// Before a loop that device code unrolls, so that its arrays stay in registers.
#if defined(__CUDA_ARCH__)
#define LINKED_NEURONS_UNROLL _Pragma("unroll")
#define LINKED_NEURONS_UNROLL_TWICE _Pragma("unroll 2")
#else
#define LINKED_NEURONS_UNROLL
#define LINKED_NEURONS_UNROLL_TWICE
#endif

/// Whether the compiler's flags keep IEEE 754's arithmetic, in which NaN, infinities, the sign of
/// zero and the order of operations count. -Ofast and -ffast-math do not, nor does a part of the
/// latter. For any part g++ defines __GCC_IEC_559 as 0; clang tells only what concerns NaN and
/// infinities.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    (defined(__GCC_IEC_559) && !__GCC_IEC_559)
#define LINKED_NEURONS_HAS_IEEE_ARITHMETIC 0
#else
#define LINKED_NEURONS_HAS_IEEE_ARITHMETIC 1
#endif

/// These two go around formulas. Between them clang keeps IEEE 754's arithmetic even where its
/// flags say otherwise; for other compilers they are empty.
#if defined(__clang__) && !defined(__CUDACC__)
#define LINKED_NEURONS_AS_WRITTEN_BEGIN _Pragma("float_control(precise, on, push)")
#define LINKED_NEURONS_AS_WRITTEN_END _Pragma("float_control(pop)")
#else
#define LINKED_NEURONS_AS_WRITTEN_BEGIN
#define LINKED_NEURONS_AS_WRITTEN_END
#endif
