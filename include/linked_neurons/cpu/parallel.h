/// \file
/// LibTorch's own threads, from a program compiled with whatever flags.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace linked_neurons::detail {

/// What `parallel_for` divides among the threads, whatever it counts.
inline constexpr std::int64_t kShares = 1 << 20;

/// An iterator over `kShares` bytes that no loop reads: only the distance of an address from the
/// first one matters, which is the number of a share. One iterator serves every call, since
/// LibTorch takes longer to build one than a small layer takes to run.
inline at::TensorIterator& shares() {
  static char first = 0;
  static auto iterator = at::TensorIteratorConfig()
                             .set_check_mem_overlap(false)
                             .check_all_same_dtype(false)
                             .add_owned_input(at::from_blob(&first, {kShares}, at::kByte))
                             .build();
  return iterator;
}

/// Calls `body(begin, end)` over parts of [0, count), each worth a thread of its own where that is
/// `grain` indices, on LibTorch's threads.
///
/// `at::parallel_for` does the same, but it is an inline template: in a program compiled without
/// OpenMP flags it runs on one thread. TensorIterator's loop is compiled inside LibTorch.
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
  at::TensorIterator& iterator = shares();
  const auto first = reinterpret_cast<std::intptr_t>(iterator.data_ptr(0));
  // The loop over two axes, though there is one: LibTorch's own adapter makes g++ warn.
  iterator.for_each(
      [&](char** data, const std::int64_t* strides, std::int64_t size, std::int64_t rows) {
        for (std::int64_t row = 0; row < rows; ++row) {
          const auto share = reinterpret_cast<std::intptr_t>(data[0]) + row * strides[1] - first;
          const std::int64_t begin = share * count / kShares;
          const std::int64_t end = (share + size) * count / kShares;
          if (begin < end) {
            body(begin, end);
          }
        }
      },
      grain * kShares / count);
}

} // namespace linked_neurons::detail
