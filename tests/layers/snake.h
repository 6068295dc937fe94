// An activation with a number that the library does not know, and the LibTorch expression for it.
#pragma once

#include "../../examples/custom_activation/snake.h"
#include "reference.h"

namespace tests {

struct Snake : ::Snake {};

inline Tensor base(Snake /*activation*/, const Tensor& z, const Tensor& /*weight*/) {
  return z + at::square(at::sin(z * kNumber<Snake>)) / kNumber<Snake>;
}

} // namespace tests
