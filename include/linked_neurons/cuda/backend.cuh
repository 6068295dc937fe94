/// \file
/// The CUDA backend: kernels on LibTorch's streams, with memory from its allocator.
///
/// A program that wants kernels for an activation of its own puts one line in a `.cu` file:
/// ```cpp
/// #include <linked_neurons/cuda/backend.cuh>
/// LINKED_NEURONS_CUDA_KERNELS(my::Snake)
/// ```
/// Compiled with nvcc's `--use_fast_math` the kernels are less accurate than they say. The file
/// cannot tell; `linked_neurons_add_cuda_sources` refuses that flag.
#pragma once

#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/cuda/backend.h>
#include <linked_neurons/cuda/launch_device.cuh>

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdint>

namespace linked_neurons::detail::cuda {

template <class Activation>
void forward(const ForwardArguments& args, at::ScalarType type, at::Device device) {
  const c10::cuda::CUDAGuard guard(device);
  const linked_neurons::cuda::Stream stream{c10::cuda::getCurrentCUDAStream()};
  dispatch(type, [&](auto element) {
    linked_neurons::cuda::forward<Activation, decltype(element)>(args, stream);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

template <class Activation>
void backward(const BackwardArguments& args, at::ScalarType type, at::Device device) {
  const c10::cuda::CUDAGuard guard(device);
  const linked_neurons::cuda::Stream stream{c10::cuda::getCurrentCUDAStream()};
  dispatch(type, [&](auto element) {
    using T = decltype(element);
    at::Tensor partial;
    const auto workspace = [&](std::int64_t numel) {
      partial = at::empty({numel}, at::TensorOptions(device).dtype(to_opmath_type(type)));
      return partial.data_ptr<opmath_type<T>>();
    };
    linked_neurons::cuda::backward<Activation, T>(args, workspace, stream);
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
  static constexpr Backend kBackend = {
      forward<Activation>, backward<Activation>, backward<FromInput<Activation>>, mask_layout};
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
