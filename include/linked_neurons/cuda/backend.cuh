/// \file
/// The CUDA backend: kernels on LibTorch's streams, with memory from its allocator.
///
/// A program that wants kernels for an activation of its own puts one line in a `.cu` file:
/// ```cpp
/// #include <linked_neurons/cuda/backend.cuh>
/// LINKED_NEURONS_CUDA_KERNELS(my::Mish)
/// ```
#pragma once

#include <linked_neurons/cuda/backend.h>
#include <linked_neurons/cuda/launch_device.cuh>

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdint>

namespace linked_neurons::detail::cuda {

/// Blocks that fill the current device several times over.
inline std::int64_t blocks_to_fill_device() {
  constexpr std::int64_t kBlocksEach = 8;
  int device = 0;
  int multiprocessors = 0;
  C10_CUDA_CHECK(cudaGetDevice(&device));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  return kBlocksEach * multiprocessors;
}

template <class Activation>
void forward(const ForwardTask& task) {
  const c10::cuda::CUDAGuard guard(task.input.device());
  const linked_neurons::cuda::Stream stream{c10::cuda::getCurrentCUDAStream()};
  dispatch(task.input.scalar_type(), [&](auto type) {
    linked_neurons::cuda::forward<Activation>(arguments<decltype(type)>(task), stream);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

template <class Activation>
void backward(const BackwardTask& task) {
  const c10::cuda::CUDAGuard guard(task.grad_input.device());
  const linked_neurons::cuda::Stream stream{c10::cuda::getCurrentCUDAStream()};
  const auto type = task.grad_input.scalar_type();
  const bool with_sums = task.grad_weight.pos.defined() || task.grad_bias.defined();
  dispatch(type, [&](auto value) {
    using C = opmath_type<decltype(value)>;
    at::Tensor partial;
    const auto workspace = [&](std::int64_t numel) {
      partial = at::empty({numel}, task.grad_input.options().dtype(to_opmath_type(type)));
      return data<C>(partial);
    };
    linked_neurons::cuda::backward<Activation>(
        arguments<decltype(value)>(task),
        sums_of<C>(task),
        with_sums ? blocks_to_fill_device() : 0,
        workspace,
        stream);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

inline MaskLayout mask_layout(at::ScalarType type) {
  MaskLayout layout = {};
  dispatch(type, [&](auto value) { layout = linked_neurons::cuda::kMaskLayout<decltype(value)>; });
  return layout;
}

template <class Activation>
const Backend* kernels() {
  static constexpr Backend kBackend = {forward<Activation>, backward<Activation>, mask_layout};
  return &kBackend;
}

} // namespace linked_neurons::detail::cuda

#define LINKED_NEURONS_CUDA_CONCATENATE_(a, b) a##b
#define LINKED_NEURONS_CUDA_CONCATENATE(a, b) LINKED_NEURONS_CUDA_CONCATENATE_(a, b)

/// Compiles the kernels of an activation and lets this program's layers know them.
#define LINKED_NEURONS_CUDA_KERNELS(...)                                                           \
  namespace {                                                                                      \
  [[maybe_unused]] const bool LINKED_NEURONS_CUDA_CONCATENATE(linked_neurons_kernels_, __LINE__) = \
      (::linked_neurons::detail::cuda::backend<__VA_ARGS__> =                                      \
           ::linked_neurons::detail::cuda::kernels<__VA_ARGS__>()) != nullptr;                     \
  }
