#include "backends.h"

#include "cuda_mask_layout.h"
#include "host_device.h"

#include <linked_neurons/activation/from_input.h>

#include <limits>

namespace tests {
namespace {

using ln::detail::BackwardArguments;
using ln::detail::ForwardArguments;

template <class Activation, bool kDescending, std::int64_t kMost>
void host_backward(const BackwardArguments& args, at::ScalarType type, at::Device /*device*/) {
  ln::detail::dispatch(type, [&](auto element) {
    using T = decltype(element);
    using C = ln::detail::opmath_type<T>;
    // The workspace's exact size on the heap, so that the address sanitizer sees its ends; NaNs to
    // start with, so that a sum that nobody wrote is seen.
    std::vector<C> partial;
    const auto workspace = [&](std::int64_t numel) {
      partial.assign(numel, std::numeric_limits<C>::quiet_NaN());
      return partial.data();
    };
    ln::cuda::backward<Activation, T>(args, workspace, host_device::Stream{kDescending, kMost});
  });
}

/// \tparam kMost elements of a launch.
template <class Activation, bool kDescending, std::int64_t kMost = ln::cuda::kMostElements>
inline constexpr Backend kernels = {
    [](const ForwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      ln::detail::dispatch(type, [&](auto element) {
        ln::cuda::forward<Activation, decltype(element)>(
            args, host_device::Stream{kDescending, kMost});
      });
    },
    host_backward<Activation, kDescending, kMost>,
    host_backward<ln::detail::FromInput<Activation>, kDescending, kMost>,
    cuda_mask_layout};

} // namespace

template <class Activation>
std::vector<NamedBackend> host_kernels() {
  return {
      {"host_kernels", &kernels<Activation, false>, &kernels<Activation, true>},
      {"host_kernels_in_parts",
       &kernels<Activation, true, kFewElements>,
       &kernels<Activation, false, kFewElements>,
       true}};
}

#define TESTS_DEFINE(A, function, Module) \
  template std::vector<NamedBackend> host_kernels<ln::activation::A>();
TESTS_FOR_EVERY_ACTIVATION(TESTS_DEFINE)

} // namespace tests
