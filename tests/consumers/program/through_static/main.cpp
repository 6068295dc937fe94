#include "network.h"

#include <iostream>

int main() {
  const bool works = network_works();
  std::cout << (works ? "trains" : "does NOT train") << std::endl;
  const bool has_kernels = has_own_kernels();
  if (!has_kernels) {
    std::cout << "LACKS the kernels of its own activation" << std::endl;
  }
  return works && has_kernels ? 0 : 1;
}
