/// \file
/// The joint layers of the library's own activations as other source files see them: as in
/// layers.h.
#pragma once

#include <linked_neurons/detail/joint.h>
#include <linked_neurons/detail/layers.h>

// NOLINTBEGIN(bugprone-macro-parentheses): prefix is a keyword, or nothing
#define LINKED_NEURONS_JOINT(prefix, A)                \
  prefix template at::Tensor joint<A>(                 \
      const at::Tensor& input,                         \
      const Parameters& parameters,                    \
      const std::shared_ptr<const LayerBehind>& layer, \
      const at::Tensor& weight,                        \
      const at::Tensor& bias,                          \
      std::int64_t dim);
// NOLINTEND(bugprone-macro-parentheses)

#if defined(LINKED_NEURONS_WITH_LAYERS)
namespace linked_neurons::detail {

#define LINKED_NEURONS_DECLARE(A, function, Module) LINKED_NEURONS_JOINT(extern, activation::A)
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_DECLARE)
#undef LINKED_NEURONS_DECLARE

} // namespace linked_neurons::detail
#endif
