// Launches of kernels as nvcc has translated them, on the tests' fibres
// (tests/kernels/host_device.h).
#pragma once

#include "../kernels/host_device.h"
#include "machine.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tests::ptx {

/// In place of a CUDA stream.
struct Stream {
  bool descending = false;                                          ///< order of blocks and threads
  std::int64_t most_elements = linked_neurons::cuda::kMostElements; ///< of a launch
  Entry* mutant = nullptr; ///< that takes the place of its kernel
};

inline std::int64_t most_elements(const Stream& stream) {
  return stream.most_elements;
}

inline bool wants_descending_blocks(const Stream& stream) {
  return stream.descending;
}

/// As of a device of a few multiprocessors.
template <class Kernel>
std::int64_t resident_blocks(Kernel /*kernel*/, const Stream& /*stream*/) {
  return 6;
}

struct alignas(16) Lane {
  std::byte bytes[16];
};
using Parameter = std::vector<Lane>; ///< a kernel's, as it lies in memory

template <class Type>
Parameter parameter(const Type& value) {
  Parameter result((sizeof(Type) + sizeof(Lane) - 1) / sizeof(Lane));
  std::memcpy(result.data(), &value, sizeof(Type));
  return result;
}

/// \param kernel as the host's compiler has it: its entry is that of the same mangled name.
/// \return false if it has none.
bool run(
    const void* kernel,
    const linked_neurons::cuda::Grid& grid,
    const Stream& stream,
    std::vector<Parameter> parameters);

template <class... Parameters, class... Arguments>
void launch(
    void (*kernel)(Parameters...),
    const linked_neurons::cuda::Grid& grid,
    const Stream& stream,
    const Arguments&... arguments) {
  const auto* const address = reinterpret_cast<const void*>(kernel);
  if (!run(address, grid, stream, {parameter<Parameters>(arguments)...})) {
    linked_neurons::cuda::launch(
        kernel, grid, host_device::Stream{stream.descending}, arguments...);
  }
}

/// Kernels run one after another; whether this one waits before it accesses memory is checked.
template <class... Parameters, class... Arguments>
void launch_next(
    void (*kernel)(Parameters...),
    const linked_neurons::cuda::Grid& grid,
    const Stream& stream,
    const Arguments&... arguments) {
  launch(kernel, grid, stream, arguments...);
}

} // namespace tests::ptx
