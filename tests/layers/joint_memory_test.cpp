// The memory of a joint layer: bytes that LibTorch's allocator hands out.
#include "joint_layer.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

namespace tests {
namespace {

/// Counts bytes while it lives.
class Counter {
 public:
  std::int64_t live() const {
    return counts_->live;
  }
  std::int64_t allocated() const {
    return counts_->allocated;
  }

 private:
  struct Counts : c10::MemoryReportingInfoBase {
    void reportMemoryUsage(
        void* /*ptr*/,
        std::int64_t size,
        std::size_t /*total_allocated*/,
        std::size_t /*total_reserved*/,
        c10::Device /*device*/) override {
      live += size;
      allocated += std::max<std::int64_t>(size, 0);
    }
    bool memoryProfilingEnabled() const override {
      return true;
    }

    std::int64_t live = 0;
    std::int64_t allocated = 0;
  };

  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  c10::DebugInfoGuard guard_{c10::DebugInfoKind::PROFILER_STATE, counts_};
};

std::int64_t bytes(const Tensor& tensor) {
  return tensor.defined() ? static_cast<std::int64_t>(tensor.nbytes()) : 0;
}

TEST(JointMemory, HoldsTheOutputAlone) {
  for (const auto& activation : kJointActivations) {
    for (const auto& kind : kJointKinds) {
      SCOPED_TRACE(std::string(activation.name) + " " + kind.name);
      const JointInputs in = joint_inputs(activation, kind, at::kFloat, true);
      kind.joint(activation, in); // what LibTorch makes once
      const Counter counter;
      const Tensor y = kind.joint(activation, in);
      EXPECT_EQ(counter.live(), bytes(y));
    }
  }
}

const JointKind& linear() {
  return *std::find_if(kJointKinds.begin(), kJointKinds.end(), [](const JointKind& kind) {
    return std::string(kind.name) == "linear";
  });
}

TEST(JointMemory, BackwardMakesWhatItIsAskedFor) {
  for (const auto& activation : kJointActivations) {
    SCOPED_TRACE(activation.name);
    JointInputs in = joint_inputs(activation, linear(), at::kFloat, true);
    const Tensor y = linear().joint(activation, in);
    const Tensor gradient = torch::ones_like(y);
    const auto made = [&](const Tensor& of) {
      const Counter counter;
      torch::autograd::grad({y}, {of}, {gradient}, /*retain_graph=*/true);
      return counter.allocated();
    };
    // The pair and the gradient of the weight: no gradient of the pair, nor of z.
    EXPECT_EQ(made(in.weight), 2 * bytes(in.z) + bytes(in.weight));
    // No pair.
    EXPECT_EQ(made(in.bias), bytes(in.bias));
    // The gradient of the pair and that of z: no pair, no gradient of the weight.
    EXPECT_EQ(made(in.z), 3 * bytes(in.z));
  }
}

} // namespace
} // namespace tests
