// After all tests: every kernel that was translated has been launched, or a table would say nothing
// about it.

#include "machine.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tests::ptx {
namespace {

class EveryEntry : public testing::Environment {
 public:
  void TearDown() override {
    const auto& tests = *testing::UnitTest::GetInstance();
    if (tests.test_to_run_count() != tests.total_test_count()) {
      return; // only some were asked for
    }
    EXPECT_FALSE(entries().empty());
    std::map<std::string, std::size_t> launches; // a kernel may have been translated several times
    for (const Entry& entry : entries()) {
      launches[entry.name] += entry.launches;
    }
    for (const auto& [name, count] : launches) {
      EXPECT_GT(count, 0) << name << " was never launched";
    }
  }
};

const testing::Environment* const kEveryEntry =
    testing::AddGlobalTestEnvironment(new EveryEntry); // which GoogleTest deletes

} // namespace
} // namespace tests::ptx
