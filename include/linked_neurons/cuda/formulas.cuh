/// \file
/// An activation's functions at one element, in the type that the result asks for.
#pragma once

#include <linked_neurons/kernel/arguments.h>

#include <type_traits>

namespace linked_neurons::cuda {

/// What an activation computes a result of type `T` in.
template <class Activation, class T>
using FormulaType = std::conditional_t<
    Activation::takes_approximate_float && sizeof(T) == 2,
    math::ApproximateFloat,
    detail::opmath_type<T>>;

template <class To, class From>
LINKED_NEURONS_FN Pair<To> pair_of(const Pair<From>& pair) {
  return {static_cast<To>(pair.pos), static_cast<To>(pair.neg)};
}

/// `detail::forward`, for a result that is rounded to `T`.
template <class Activation, class T, class C>
LINKED_NEURONS_FN Pair<C> forward_element(const C& z, const Pair<C>& weight, double number) {
  using F = FormulaType<Activation, T>;
  return pair_of<C>(detail::forward<Activation>(
      static_cast<F>(z), pair_of<F>(weight), static_cast<F>(static_cast<C>(number))));
}

/// `detail::backward`, for a result that is rounded to `T`.
template <class Activation, class T, class C>
LINKED_NEURONS_FN C backward_element(
    const detail::SavedValues<C, int>& saved,
    const Pair<C>& grad,
    const Pair<C>& weight,
    double number) {
  using F = FormulaType<Activation, T>;
  return static_cast<C>(detail::backward<Activation>(
      detail::SavedValues<F, int>{
          static_cast<F>(saved.input), pair_of<F>(saved.output), saved.masks},
      pair_of<F>(grad),
      pair_of<F>(weight),
      static_cast<F>(static_cast<C>(number))));
}

} // namespace linked_neurons::cuda
