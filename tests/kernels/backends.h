// The backends that the tests run: every CPU target of this processor, and the CUDA kernels
// executed on the host. Compiled once, in backends.cpp, for all test programs.
#pragma once

#include "every_activation.h"

#include <linked_neurons/kernel/backend.h>

#include <string>
#include <vector>

namespace tests {

namespace ln = linked_neurons;
using ln::detail::Backend;

struct NamedBackend {
  std::string name; ///< a part of a case's name
  const Backend* backend;
  bool is_cuda = false;
  bool is_descending = false; ///< in descending order of blocks and threads
};

/// The CUDA kernels first, in ascending and in descending order of blocks and threads.
template <class Activation>
std::vector<NamedBackend> backends();

#define TESTS_DECLARE(A, function, Module) \
  extern template std::vector<NamedBackend> backends<ln::activation::A>();
TESTS_FOR_EVERY_ACTIVATION(TESTS_DECLARE)
#undef TESTS_DECLARE

} // namespace tests
