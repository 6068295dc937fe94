#pragma once

#include <stdexcept>

namespace examples {

/// A program was called in a way that it does not understand. The message says what it does.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace examples
