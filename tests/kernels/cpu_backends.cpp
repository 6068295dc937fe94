#include "backends.h"

#include <linked_neurons/cpu/backend.h>

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

} // namespace

template <class Activation>
std::vector<NamedBackend> cpu_backends() {
  std::vector<NamedBackend> all;
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
  template std::vector<NamedBackend> cpu_backends<ln::activation::A>();
TESTS_FOR_EVERY_ACTIVATION(TESTS_DEFINE)

} // namespace tests
