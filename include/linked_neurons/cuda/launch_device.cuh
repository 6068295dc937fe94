/// \file
/// Launches on a device.
#pragma once

#include <linked_neurons/cuda/launch.cuh>

#include <cuda_runtime.h>

namespace linked_neurons::cuda {

/// A stream, as a type of ours: so the templates of launch.cuh find the two functions below.
struct Stream {
  cudaStream_t handle;
};

inline bool wants_wide_index(const Stream& /*stream*/) {
  return false;
}

/// Errors are left for the caller to ask for, by `cudaGetLastError()`.
template <class... Parameters, class... Arguments>
void launch(
    void (*kernel)(Parameters...),
    const Grid& grid,
    const Stream& stream,
    const Arguments&... arguments) {
  const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y));
  kernel<<<blocks, kThreads, 0, stream.handle>>>(arguments...);
}

} // namespace linked_neurons::cuda
