/// \file
/// The names of a tensor's axes, which LibTorch's newest versions do not have any more.
#pragma once

#include <ATen/core/Tensor.h>

#include <type_traits>
#include <utility>

namespace linked_neurons::detail {

template <class Tensor, class = void>
inline constexpr bool kKnowsNames = false;
template <class Tensor>
inline constexpr bool
    kKnowsNames<Tensor, std::void_t<decltype(std::declval<const Tensor&>().has_names())>> = true;

// Templates, so that what a version of LibTorch lacks is not looked up.

template <class Tensor>
bool has_names(const Tensor& tensor) {
  if constexpr (kKnowsNames<Tensor>) {
    return tensor.defined() && tensor.has_names();
  }
  return false;
}

/// A tensor without its names, which its gradient has not either.
template <class Tensor>
Tensor without_names(Tensor tensor) {
  if constexpr (kKnowsNames<Tensor>) {
    if (has_names(tensor)) {
      return tensor.rename({});
    }
  }
  return tensor;
}

/// Gives `to` the names of `from`, a tensor of as many axes.
template <class Tensor>
void set_names_of(const Tensor& to, const Tensor& from) {
  if constexpr (kKnowsNames<Tensor>) {
    if (has_names(from)) {
      to.rename_(from.names());
    }
  }
}

} // namespace linked_neurons::detail
