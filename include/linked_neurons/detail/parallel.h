/// \file
/// LibTorch's own threads, from a program compiled with whatever flags.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace linked_neurons::detail {

/// Calls `body(begin, end)` over parts of [0, count), each of at least `grain` indices but the
/// last, on LibTorch's threads.
///
/// `at::parallel_for` does the same, but it is an inline template: in a program compiled without
/// OpenMP flags it runs on one thread. TensorIterator's loop is compiled inside LibTorch. It walks
/// `count` bytes here that nobody reads: their addresses are the indices.
inline void parallel_for(
    std::int64_t count,
    std::int64_t grain,
    c10::function_ref<void(std::int64_t begin, std::int64_t end)> body) {
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
  // The loop over two axes, though there is one: LibTorch's own adapter makes g++ warn.
  iterator.for_each(
      [&](char** data, const std::int64_t* strides, std::int64_t size, std::int64_t rows) {
        for (std::int64_t row = 0; row < rows; ++row) {
          const auto address = reinterpret_cast<std::intptr_t>(data[0]) + row * strides[1];
          body(address - first, address - first + size);
        }
      },
      grain);
}

} // namespace linked_neurons::detail
