// That the memory of a large block is kept for the next one, within the process's limits.
#include <linked_neurons/settle_allocator.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#if defined(__unix__)
#include <sys/mman.h>
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

#ifdef __GLIBC__

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

struct Limit {
  const char* name;
  __rlimit_resource_t resource;
  std::uint64_t bytes;
};

class SettleAllocatorDeathTest : public testing::TestWithParam<Limit> {};

/// In a process of its own, before this one has settled: what the heap leaves of a limit is half of
/// it at least. (GoogleTest runs what is called DeathTest first.)
TEST_P(SettleAllocatorDeathTest, LeavesMemoryForOthers) {
  const auto& [name, resource, bytes] = GetParam();
  const auto run = [resource = resource, bytes = bytes] {
    const rlimit limit{bytes, bytes};
    setrlimit(resource, &limit);
    const std::uint64_t before = linked_neurons::detail::memory_limit();
    linked_neurons::settle_allocator();
    const void* const block =
        mmap(nullptr, before / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::_Exit(before > 0 && before < bytes && block != MAP_FAILED ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

#ifdef __SANITIZE_ADDRESS__
const std::vector<Limit> kLimits; // the sanitizer takes 16 TiB of addresses
#else
const std::vector<Limit> kLimits = {
    {"addresses_4", RLIMIT_AS, 4 * kGiB},
    {"addresses_6", RLIMIT_AS, 6 * kGiB},
    {"data_2", RLIMIT_DATA, 2 * kGiB},
    {"data_6", RLIMIT_DATA, 6 * kGiB}};
#endif
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SettleAllocatorDeathTest);
INSTANTIATE_TEST_SUITE_P(
    , SettleAllocatorDeathTest, testing::ValuesIn(kLimits), [](const auto& info) {
      return std::string(info.param.name);
    });

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

struct Groups {
  const char* name;
  std::string groups; ///< /proc/self/cgroup
  std::map<std::string, std::string> files;
  std::uint64_t limit;
};

class ControlGroups : public testing::TestWithParam<Groups> {};

TEST_P(ControlGroups, LimitMemory) {
  const auto& [name, text, files, limit] = GetParam();
  std::istringstream groups(text);
  const auto text_of = [&files = files](const std::string& file) {
    const auto found = files.find(file);
    return found == files.end() ? std::string() : found->second;
  };
  EXPECT_EQ(linked_neurons::detail::control_group_limit(groups, text_of), limit);
}

const Groups kGroups[] = {
    {"none", "", {}, kNone},
    {"of_no_form", "memory\n\n4:memory", {{"/sys/fs/cgroup/memory.max", "1"}}, kNone},
    {"version_2", "0::/a\n", {{"/sys/fs/cgroup/a/memory.max", "4096"}}, 4096},
    {"version_2_without_limit", "0::/a\n", {{"/sys/fs/cgroup/a/memory.max", "max"}}, kNone},
    {"version_2_around",
     "0::/a/b\n",
     {{"/sys/fs/cgroup/a/b/memory.max", "max"}, {"/sys/fs/cgroup/a/memory.max", "8192"}},
     8192},
    {"version_2_the_least",
     "0::/a/b\n",
     {{"/sys/fs/cgroup/a/b/memory.max", "512"}, {"/sys/fs/cgroup/a/memory.max", "8192"}},
     512},
    {"version_2_in_a_container", "0::/\n", {{"/sys/fs/cgroup/memory.max", "4096"}}, 4096},
    {"version_2_in_a_container_of_another_path",
     "0::/host/a\n",
     {{"/sys/fs/cgroup/memory.max", "4096"}},
     4096},
    {"version_1",
     "5:cpu:/c\n4:memory:/a\n",
     {{"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096"},
      {"/sys/fs/cgroup/cpu/c/memory.limit_in_bytes", "1"}},
     4096},
    {"version_1_beside_others",
     "4:hugetlb,memory:/a\n",
     {{"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096"}},
     4096},
    {"version_1_in_a_container",
     "4:memory:/docker/1234\n0::/\n",
     {{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096"}},
     4096}};
INSTANTIATE_TEST_SUITE_P(, ControlGroups, testing::ValuesIn(kGroups), [](const auto& info) {
  return std::string(info.param.name);
});

#endif
#endif

} // namespace
} // namespace tests
