/// \file
/// Blocks of 16-bit elements to floats and back.
///
/// A conversion is a function of its own, which all activations share: it may use instructions that
/// no loop of portable C++ becomes.
#pragma once

#include <linked_neurons/activation/number.h>
#include <linked_neurons/cpu/stored_type.h>
#include <linked_neurons/cpu/targets.h>

#include <cstdint>

#if LINKED_NEURONS_HAS_TARGETS
#include <immintrin.h>
#endif

namespace linked_neurons::detail::cpu {

/// Blocks of elements of one type into another; `step` is the way from one block to the next.
template <class From, class To>
struct Conversion {
  const void* from;
  std::int64_t from_step;
  void* to;
  std::int64_t to_step;

  LINKED_NEURONS_FN const From* from_block(std::int64_t block) const {
    return static_cast<const From*>(from) + block * from_step;
  }

  LINKED_NEURONS_FN To* to_block(std::int64_t block) const {
    return static_cast<To*>(to) + block * to_step;
  }

  LINKED_NEURONS_FN void operator()(Target /*target*/, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t block = begin; block < end; ++block) {
      const From* const x = from_block(block);
      To* const y = to_block(block);
      LINKED_NEURONS_INDEPENDENT
      for (std::int64_t i = 0; i < kBlock; ++i) {
        y[i] = store<To>(load(x[i]));
      }
    }
  }
};

template <class From, class To>
void convert(Target target, const Conversion<From, To>& conversion, std::int64_t blocks) {
  run_on(target, conversion, 0, blocks);
}

#if LINKED_NEURONS_HAS_TARGETS

// Every processor with AVX2 converts halves itself.

/// The mask of all lanes: g++ 12 warns of the instructions' own headers without one (GCC's bug
/// 105593).
inline constexpr __mmask16 kAllLanes = 0xffff;

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX2)
inline void convert_avx2(const Conversion<Half, float>& conversion, std::int64_t blocks) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const Half* const x = conversion.from_block(block);
    float* const y = conversion.to_block(block);
    for (std::int64_t i = 0; i < kBlock; i += 8) {
      const auto bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
      _mm256_storeu_ps(y + i, _mm256_cvtph_ps(bits));
    }
  }
}

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX512)
inline void convert_avx512(const Conversion<Half, float>& conversion, std::int64_t blocks) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const Half* const x = conversion.from_block(block);
    float* const y = conversion.to_block(block);
    for (std::int64_t i = 0; i < kBlock; i += 16) {
      const auto bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
      _mm512_storeu_ps(y + i, _mm512_maskz_cvtph_ps(kAllLanes, bits));
    }
  }
}

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX2)
inline void convert_avx2(const Conversion<float, Half>& conversion, std::int64_t blocks) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* const x = conversion.from_block(block);
    Half* const y = conversion.to_block(block);
    for (std::int64_t i = 0; i < kBlock; i += 8) {
      const auto bits = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), bits);
    }
  }
}

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX512)
inline void convert_avx512(const Conversion<float, Half>& conversion, std::int64_t blocks) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* const x = conversion.from_block(block);
    Half* const y = conversion.to_block(block);
    for (std::int64_t i = 0; i < kBlock; i += 16) {
      const auto bits =
          _mm512_maskz_cvtps_ph(kAllLanes, _mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), bits);
    }
  }
}

LINKED_NEURONS_TARGET(LINKED_NEURONS_AVX2)
inline void convert_avx2(const Conversion<float, BFloat16>& conversion, std::int64_t blocks) {
  const auto largest = _mm256_set1_epi32(0x7fff7fff);
  const auto largest_negative = _mm256_set1_epi32(static_cast<int>(0xffff7fffU));
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* const x = conversion.from_block(block);
    BFloat16* const y = conversion.to_block(block);
    for (std::int64_t i = 0; i < kBlock; i += 16) {
      // As `store<BFloat16>` does it.
      __m256i half[2] = {};
      for (std::int64_t j = 0; j < 2; ++j) {
        auto bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i + 8 * j));
        bits = _mm256_min_epu32(_mm256_min_epi32(bits, largest), largest_negative);
        const auto last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        bits = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), last);
        half[j] = _mm256_srli_epi32(bits, 16);
      }
      // Packing works on each half of its operands; the permutation puts their quarters in order.
      const auto packed = _mm256_packus_epi32(half[0], half[1]);
      const auto bits = _mm256_permute4x64_epi64(packed, _MM_SHUFFLE(3, 1, 2, 0));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), bits);
    }
  }
}

template <class From, class To>
void convert_with_instructions(
    Target target, const Conversion<From, To>& conversion, std::int64_t blocks) {
  if (target == Target::avx512) {
    convert_avx512(conversion, blocks);
  } else {
    convert_avx2(conversion, blocks);
  }
}

inline void convert(Target target, const Conversion<Half, float>& conversion, std::int64_t blocks) {
  convert_with_instructions(target, conversion, blocks);
}

inline void convert(Target target, const Conversion<float, Half>& conversion, std::int64_t blocks) {
  convert_with_instructions(target, conversion, blocks);
}

/// AVX-512 has one instruction that narrows; for AVX2 compilers make a dozen of them.
inline void convert(
    Target target, const Conversion<float, BFloat16>& conversion, std::int64_t blocks) {
  if (target == Target::avx512) {
    run_on(target, conversion, 0, blocks);
  } else {
    convert_avx2(conversion, blocks);
  }
}

#endif

} // namespace linked_neurons::detail::cpu
