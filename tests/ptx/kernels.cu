// The kernels that the tests execute as nvcc has translated them: one activation, in all types.
#include <linked_neurons/activation/all.h>
#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/activation/optional.h>
#include <linked_neurons/cuda/launch_device.cuh>

namespace linked_neurons::cuda {

template <class Activation, class T>
void use_kernels() {
  const auto workspace = [](std::int64_t /*numel*/) {
    return static_cast<opmath_type<T>*>(nullptr);
  };
  forward<Activation, T>(ForwardArguments{}, Stream{});
  backward<Activation, T>(BackwardArguments{}, workspace, Stream{});
  backward<detail::FromInput<Activation>, T>(BackwardArguments{}, workspace, Stream{});
}

template void use_kernels<activation::LINKED_NEURONS_PTX_ACTIVATION, double>();
template void use_kernels<activation::LINKED_NEURONS_PTX_ACTIVATION, float>();
template void use_kernels<activation::LINKED_NEURONS_PTX_ACTIVATION, detail::Half>();
template void use_kernels<activation::LINKED_NEURONS_PTX_ACTIVATION, detail::BFloat16>();

} // namespace linked_neurons::cuda
