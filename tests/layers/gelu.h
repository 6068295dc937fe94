// GELU, an activation that the library does not know, and the LibTorch expression for it.
#pragma once

#include "reference.h"

namespace tests {

struct Gelu : ln::Activation {
  static constexpr auto name = "gelu";

  template <class T>
  LINKED_NEURONS_FN static T value(const T& z) {
    return z * distribution(z);
  }

  template <class T>
  LINKED_NEURONS_FN static T derivative(const T& z) {
    const T density = constant<T>(0.39894228040143267794) * exp(constant<T>(-0.5) * z * z);
    return distribution(z) + z * density;
  }

 private:
  template <class T>
  LINKED_NEURONS_FN static T distribution(const T& z) {
    return constant<T>(0.5) * (1 + erf(z * constant<T>(0.70710678118654752440)));
  }
};

/// The linked one; it keeps its input.
using LKGelu = ln::FromDerivative<Gelu>;

inline Tensor base(LKGelu /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  return at::gelu(z);
}

} // namespace tests
