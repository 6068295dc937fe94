#pragma once

// Ctrl-C (and SIGTERM): the run stops between two steps. Its last checkpoint is that of the last
// finished epoch, written at its end.

#include <stdexcept>

namespace article {

struct Interrupted : std::runtime_error {
  Interrupted()
      : std::runtime_error("interrupted; --resume goes on after the last finished epoch") {}
};

/// From now on the first signal sets a flag; the second ends the program at once.
void catch_interrupts();

bool interrupted();

} // namespace article
