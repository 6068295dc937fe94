// The activations in long double, from which results in double can be judged.
#pragma once

#include "reference.h"

#include <cmath>

namespace tests {

/// g, of the activations that have such a formula here.
struct NoFormula {};
constexpr NoFormula exact(ln::Activation /*activation*/, long double /*z*/) {
  return {};
}
inline long double exact(ln::activation::ReLU /*activation*/, long double z) {
  return z > 0 ? z : 0;
}
inline long double exact(ln::activation::SELU /*activation*/, long double z) {
  const long double lambda = ln::activation::SELU::kLambda;
  const long double alpha = ln::activation::SELU::kAlpha;
  return z > 0 ? lambda * z : lambda * alpha * std::expm1(z);
}
inline long double exact(ln::activation::Swish /*activation*/, long double z) {
  // z / (1 + e^-z) without an overflow, and with its limit at -infinity.
  if (z < -20000) {
    return 0;
  }
  return z > 0 ? z / (1 + std::exp(-z)) : z * std::exp(z) / (1 + std::exp(z));
}
inline long double exact(ln::activation::ELU /*activation*/, long double z) {
  return z > 0 ? z : kNumber<ln::activation::ELU> * std::expm1(z);
}
inline long double exact(ln::activation::GELU /*activation*/, long double z) {
  const long double y = z / 2 * std::erfc(-z / std::sqrt(2.0L));
  return std::isnan(y) && !std::isnan(z) ? 0 : y; // at -infinity
}
inline long double exact(ln::activation::GELUTanh /*activation*/, long double z) {
  const long double slope = std::sqrt(8 / std::acos(-1.0L));
  const long double y = z / (1 + std::exp(-slope * (z + 0.044715 * z * z * z)));
  return std::isnan(y) && !std::isnan(z) ? 0 : y; // at -infinity
}
inline long double exact(ln::activation::Hardswish /*activation*/, long double z) {
  return z >= 3 ? z : z > -3 ? z * (z + 3) / 6 : 0;
}
inline long double exact(ln::activation::LeakyReLU /*activation*/, long double z) {
  return z > 0 ? z : kNumber<ln::activation::LeakyReLU> * z;
}
inline long double exact(ln::activation::Mish /*activation*/, long double z) {
  return z < -20000 ? 0 : z * std::tanh(std::log1p(std::exp(z)));
}
inline long double exact(ln::activation::Softplus /*activation*/, long double z) {
  return (z > 0 ? z : 0) + std::log1p(std::exp(-std::fabs(z)));
}

/// Both halves of the layer.
template <class Activation>
auto exact_halves(Activation activation, long double z) {
  const auto pos = exact(activation, z);
  return ln::Pair<decltype(pos)>{pos, exact(activation, -z)};
}
inline ln::Pair<long double> exact_halves(ln::activation::SinCos /*activation*/, long double z) {
  return {std::sin(z), std::cos(z)};
}

} // namespace tests
