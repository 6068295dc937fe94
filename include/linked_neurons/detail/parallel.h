/// \file
/// LibTorch's own threads, from a program compiled with whatever flags.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/from_blob.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Calls `body(begin, end)` over parts of [0, count), each of at least `grain` indices but the
/// last, on LibTorch's threads.
///
/// `at::parallel_for` does the same, but it is an inline template: in a program compiled without
/// OpenMP flags it runs on one thread. TensorIterator's loop is compiled inside LibTorch. It walks
/// `count` bytes here that nobody reads: their addresses are the indices.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= grain || at::get_num_threads() == 1) {
    if (count > 0) {
      body(std::int64_t{0}, count);
    }
    return;
  }
  static char origin = 0;
  const at::Tensor indices = at::from_blob(&origin, {count}, at::TensorOptions(at::kByte));
  auto iterator = at::TensorIteratorConfig()
                      .set_check_mem_overlap(false)
                      .check_all_same_dtype(false)
                      .add_borrowed_input(indices)
                      .build();
  const auto first = reinterpret_cast<std::intptr_t>(&origin);
  iterator.for_each(
      [&](char** data, const std::int64_t* /*strides*/, std::int64_t size) {
        const std::int64_t begin = reinterpret_cast<std::intptr_t>(data[0]) - first;
        body(begin, begin + size);
      },
      grain);
}

} // namespace linked_neurons::detail
