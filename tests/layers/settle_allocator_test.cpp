// That the memory of a large block is kept for the next one.
#include <linked_neurons/settle_allocator.h>

#include <gtest/gtest.h>

#include <cstdlib>

#if defined(__unix__)
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace tests {
namespace {

#if defined(__unix__)

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(SettleAllocator, KeepsLargeBlocks) {
  if (!linked_neurons::settle_allocator()) {
    GTEST_SKIP() << "no allocator that this function knows";
  }
  // What glibc of any version takes from its heap then.
  constexpr long kSize = 24L << 20;
  const long page = sysconf(_SC_PAGESIZE);
  const auto use = [page] {
    const long before = page_faults();
    void* const block = std::malloc(kSize);
    auto* const bytes = static_cast<volatile char*>(block);
    for (long i = 0; i < kSize; i += page) {
      bytes[i] = 1;
    }
    std::free(block);
    return page_faults() - before;
  };
  EXPECT_GT(use(), 0);
  EXPECT_LT(use(), kSize / page / 100);
}

#endif

} // namespace
} // namespace tests
