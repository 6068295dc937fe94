/// \file
/// Launches on a device.
#pragma once

#include <linked_neurons/cuda/launch.cuh>

#include <cuda_runtime.h>

namespace linked_neurons::cuda {

inline bool wants_wide_index(cudaStream_t /*stream*/) {
  return false;
}

/// Errors are left for the caller to ask for, by `cudaGetLastError()`.
template <class... Parameters, class... Arguments>
void launch(
    void (*kernel)(Parameters...),
    const Grid& grid,
    cudaStream_t stream,
    const Arguments&... arguments) {
  const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y));
  kernel<<<blocks, kThreads, 0, stream>>>(arguments...);
}

} // namespace linked_neurons::cuda
