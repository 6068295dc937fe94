/// \file
/// The element types of tensors.
#pragma once

#include <linked_neurons/activation/number.h>

#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

namespace linked_neurons::detail {

inline bool is_16_bit(at::ScalarType type) {
  return type == at::kHalf || type == at::kBFloat16;
}

/// The type in which tensors of `type` are computed.
inline at::ScalarType to_opmath_type(at::ScalarType type) {
  return is_16_bit(type) ? at::kFloat : type;
}

/// Calls `body` with a value of the type in which elements of `type` lie in memory: the one list of
/// the types that the kernels take.
template <class Body>
void dispatch(at::ScalarType type, const Body& body) {
  switch (type) {
  case at::kDouble:
    return body(double{});
  case at::kFloat:
    return body(float{});
  case at::kHalf:
    return body(Half{});
  case at::kBFloat16:
    return body(BFloat16{});
  default:
    TORCH_INTERNAL_ASSERT(false, "no kernel for type ", type);
  }
}

} // namespace linked_neurons::detail
