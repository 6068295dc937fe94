// Autocast, whatever LibTorch calls it.
#pragma once

#include <ATen/autocast_mode.h>
#include <torch/version.h>

namespace tests {

/// Autocast to bfloat16 on the CPU, as a program turns it on.
class Autocast {
 public:
  Autocast() {
    set(true);
  }
  ~Autocast() {
    at::autocast::clear_cache();
    set(false);
  }

 private:
  static void set(bool enabled) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCPU, enabled);
#else
    at::autocast::set_cpu_enabled(enabled);
#endif
  }
};

} // namespace tests
