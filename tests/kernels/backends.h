// The backends that the tests run: every CPU target of this processor, and the CUDA kernels
// executed on the host. Compiled once, in host_kernels.cpp and
// cpu_backends.cpp, for all test programs.
#pragma once

#include "every_activation.h"

#include <linked_neurons/kernel/backend.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tests {

namespace ln = linked_neurons;
using ln::detail::Backend;

struct NamedBackend {
  std::string name; ///< a part of a case's name
  const Backend* backend;
  const Backend* reversed = nullptr; ///< CUDA kernels, with the blocks and threads in reverse order
  bool is_in_parts = false;          ///< whether a launch has few elements

  bool is_cuda() const {
    return reversed != nullptr;
  }
};

/// Elements that a launch of `is_in_parts` may have: so few that most of the tests' tensors come in
/// several, and those with long rows are counted in 64 bits.
inline constexpr std::int64_t kFewElements = 200;

/// The CUDA kernels, executed on the host: in ascending order of blocks and threads, and in parts
/// in descending order.
template <class Activation>
std::vector<NamedBackend> host_kernels();

/// The loops, compiled for each target that this processor has.
template <class Activation>
std::vector<NamedBackend> cpu_backends();

#define TESTS_DECLARE(A, function, Module)                                     \
  extern template std::vector<NamedBackend> host_kernels<ln::activation::A>(); \
  extern template std::vector<NamedBackend> cpu_backends<ln::activation::A>();
TESTS_FOR_EVERY_ACTIVATION(TESTS_DECLARE)
#undef TESTS_DECLARE

template <class Activation>
std::vector<NamedBackend> backends() {
  std::vector<NamedBackend> all = host_kernels<Activation>();
  const std::vector<NamedBackend> others = cpu_backends<Activation>();
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

} // namespace tests
