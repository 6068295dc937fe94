/// \file
/// The elements of a block beyond an activation's `near_bound`: their results are computed once
/// more, one element at a time, behind the loop that is not for them.
#pragma once

#include <linked_neurons/cpu/block_masks.h>
#include <linked_neurons/cpu/stored_type.h>
#include <linked_neurons/kernel/arguments.h>

#include <cstdint>

namespace linked_neurons::detail::cpu {

template <class Activation, class C>
LINKED_NEURONS_FN bool is_far(C z) {
  return math::abs(z) > static_cast<C>(Activation::near_bound);
}

/// \param z what the activation is applied to, of type `C`, by index.
template <class Activation, class C, class Z>
LINKED_NEURONS_FN bool has_far(const Z& z) {
  MaskInt<C> any = 0;
  for (std::int64_t i = 0; i < kBlock; ++i) {
    any |= static_cast<MaskInt<C>>(is_far<Activation, C>(z[i]));
  }
  return any != 0;
}

template <class Activation, class C, class Z>
LINKED_NEURONS_NOINLINE void compute_far(const Z& z, const Pair<C*>& output) {
  for (std::int64_t i = 0; i < kBlock; ++i) {
    if (is_far<Activation, C>(z[i])) {
      const auto y = detail::forward<Activation>(z[i], Pair<C>{}, {});
      output.pos[i] = y.pos;
      output.neg[i] = y.neg;
    }
  }
}

template <class Activation, class C, class Z>
LINKED_NEURONS_NOINLINE void compute_far_backward(
    const Z& z, const Pair<const C*>& grad, C* grad_z) {
  for (std::int64_t i = 0; i < kBlock; ++i) {
    if (is_far<Activation, C>(z[i])) {
      grad_z[i] = Activation::backward(z[i], Pair<C>{grad.pos[i], grad.neg[i]});
    }
  }
}

} // namespace linked_neurons::detail::cpu
