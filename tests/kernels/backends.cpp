#include "backends.h"

#include "host_device.h"

#include <linked_neurons/cpu/backend.h>

#include <limits>

namespace tests {
namespace {

using ln::detail::BackwardArguments;
using ln::detail::ForwardArguments;
using ln::detail::Target;

/// \tparam kNontemporal as for tensors that do not fit into the caches.
template <bool kNontemporal>
std::int64_t cache() {
  return kNontemporal ? 0 : ln::detail::cpu::largest_cache();
}

/// The CPU backend, compiled for one target.
template <class Activation, Target kTarget, bool kNontemporal = false>
inline constexpr Backend cpu_backend = {
    [](const ForwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      ln::detail::cpu::forward<Activation>(args, type, kTarget, cache<kNontemporal>());
    },
    [](const BackwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      ln::detail::cpu::backward<Activation>(args, type, kTarget, cache<kNontemporal>());
    },
    [](const BackwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      ln::detail::cpu::backward_from_input<Activation>(args, type, kTarget, cache<kNontemporal>());
    },
    ln::detail::cpu::backend<Activation>.mask_layout};

/// As many blocks as a device of a few multiprocessors would get.
inline constexpr std::int64_t kBlocks = 6;

template <class Activation, bool kDescending>
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
    ln::cuda::backward<Activation, T>(args, kBlocks, workspace, host_device::Stream{kDescending});
  });
}

/// The CUDA kernels, executed on the host; descending order must give the same bits.
template <class Activation, bool kDescending>
inline constexpr Backend host_kernels = {
    [](const ForwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      ln::detail::dispatch(type, [&](auto element) {
        ln::cuda::forward<Activation, decltype(element)>(args, host_device::Stream{kDescending});
      });
    },
    host_backward<Activation, kDescending>,
    host_backward<ln::detail::FromInput<Activation>, kDescending>,
    [](at::ScalarType type) {
      ln::detail::MaskLayout layout = {};
      ln::detail::dispatch(
          type, [&](auto value) { layout = ln::cuda::kMaskLayout<decltype(value)>; });
      return layout;
    }};

} // namespace

template <class Activation>
std::vector<NamedBackend> backends() {
  std::vector<NamedBackend> all = {
      {"host_kernels", &host_kernels<Activation, false>, true, false},
      {"host_kernels_descending", &host_kernels<Activation, true>, true, true}};
  if (ln::detail::has_loops(Target::baseline)) {
    all.push_back({"baseline", &cpu_backend<Activation, Target::baseline>});
  }
  if (ln::detail::best_target() >= Target::avx2) {
    all.push_back({"avx2", &cpu_backend<Activation, Target::avx2>});
    all.push_back({"avx2_nontemporal", &cpu_backend<Activation, Target::avx2, true>});
  }
  if (ln::detail::best_target() >= Target::avx512) {
    all.push_back({"avx512", &cpu_backend<Activation, Target::avx512>});
    all.push_back({"avx512_nontemporal", &cpu_backend<Activation, Target::avx512, true>});
  }
  return all;
}

#define TESTS_DEFINE(A, function, Module) \
  template std::vector<NamedBackend> backends<ln::activation::A>();
TESTS_FOR_EVERY_ACTIVATION(TESTS_DEFINE)

} // namespace tests
