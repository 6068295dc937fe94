/// \file
/// Launches on a device.
#pragma once

#include <linked_neurons/cuda/block_order.h>
#include <linked_neurons/cuda/launch.cuh>

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace linked_neurons::cuda {

/// A stream, as a type of ours: so the templates of launch.cuh find the two functions below.
struct Stream {
  cudaStream_t handle;
};

/// Blocks start in the order of their numbers, as good as always, and what the kernel before wrote
/// or read last may still be in the L2 cache. Whether that pays has not been measured: it is off.
inline bool wants_descending_blocks(const Stream& /*stream*/) {
  return detail::cuda::descending_blocks;
}

inline std::int64_t most_elements(const Stream& /*stream*/) {
  return kMostElements;
}

/// Blocks of a kernel that run at once on the current device.
template <class Kernel>
std::int64_t resident_blocks(Kernel kernel, const Stream& /*stream*/) {
  int device = 0;
  int multiprocessors = 0;
  int blocks = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, kThreads, 0);
  return std::max<std::int64_t>(std::int64_t{multiprocessors} * blocks, 1);
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

/// Launches a kernel before the one in front of it has ended, where the device can do that and the
/// kernel was compiled for such devices, so that it waits.
template <class... Parameters, class... Arguments>
void launch_next(
    void (*kernel)(Parameters...),
    const Grid& grid,
    const Stream& stream,
    const Arguments&... arguments) {
#if CUDART_VERSION >= 12030 // from there on in CUDA graphs too
  constexpr int kHopper = 90;
  cudaFuncAttributes compiled = {};
  if (cudaFuncGetAttributes(&compiled, kernel) == cudaSuccess && compiled.ptxVersion >= kHopper) {
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y));
    config.blockDim = dim3(kThreads);
    config.stream = stream.handle;
    config.attrs = &early;
    config.numAttrs = 1;
    cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
    return;
  }
#endif
  launch(kernel, grid, stream, arguments...);
}

} // namespace linked_neurons::cuda
