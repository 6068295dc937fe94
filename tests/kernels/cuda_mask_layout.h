// How the CUDA kernels store masks, for the backends that execute them on the host.
#pragma once

#include <linked_neurons/cuda/access.cuh>
#include <linked_neurons/kernel/types.h>

namespace tests {

inline linked_neurons::detail::MaskLayout cuda_mask_layout(at::ScalarType type) {
  linked_neurons::detail::MaskLayout layout = {};
  linked_neurons::detail::dispatch(
      type, [&](auto value) { layout = linked_neurons::cuda::kMaskLayout<decltype(value)>; });
  return layout;
}

} // namespace tests
