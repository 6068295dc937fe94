#include "network.h"

#include <iostream>

int main() {
  const bool works = network_works();
  std::cout << (works ? "trains" : "does NOT train") << std::endl;
  return works ? 0 : 1;
}
