/// \file
/// The layers of the library's own activations as other source files see them.
///
/// They are templates, compiled where they are used. A program that gets the library as a CMake
/// target has them compiled once, in layers.cpp, and only names them here: that saves each of its
/// files several seconds. Both ways are the same code, so they may meet in one program.
#pragma once

#include <linked_neurons/activation/all.h>
#include <linked_neurons/detail/autograd.h>

/// The templates of an activation's layer that no caller needs to see: what is behind them is not
/// compiled again. `prefix` makes declarations or definitions of them.
// NOLINTBEGIN(bugprone-macro-parentheses): prefix is a keyword, or nothing
#define LINKED_NEURONS_LAYER(prefix, A)                                                       \
  prefix template void cpu::forward<A>(                                                       \
      const ForwardArguments& args, at::ScalarType type, Target target, std::int64_t cache);  \
  prefix template void cpu::backward<A>(                                                      \
      const BackwardArguments& args, at::ScalarType type, Target target, std::int64_t cache); \
  prefix template void cpu::backward_from_input<A>(                                           \
      const BackwardArguments& args, at::ScalarType type, Target target, std::int64_t cache); \
  prefix template at::Tensor linked<A>(                                                       \
      const at::Tensor& input, const Parameters& parameters, std::int64_t dim, Keep keep);
// NOLINTEND(bugprone-macro-parentheses)

#if defined(LINKED_NEURONS_WITH_LAYERS)
namespace linked_neurons::detail {

#define LINKED_NEURONS_DECLARE(A, function, Module) LINKED_NEURONS_LAYER(extern, activation::A)
LINKED_NEURONS_FOR_ALL_ACTIVATIONS(LINKED_NEURONS_DECLARE)
#undef LINKED_NEURONS_DECLARE

} // namespace linked_neurons::detail
#endif
