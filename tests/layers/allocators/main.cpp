// Says whether the library knows this program's allocator.
#include <linked_neurons/settle_allocator.h>

#include <cstdio>

int main() {
  std::puts(linked_neurons::settle_allocator() ? "settled" : "unknown");
  return 0;
}
