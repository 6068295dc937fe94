// How backward with sums of parameters is cut into blocks: every element is somebody's, the device
// is busy, and little is left for the second kernel.

#include "host_device.h"

#include <linked_neurons/activation/all.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace tests {
namespace {

namespace cuda = linked_neurons::cuda;
using linked_neurons::detail::BackwardArguments;
using linked_neurons::detail::BFloat16;
using linked_neurons::detail::ParameterIndex;

/// Blocks that an H100 runs at once, of a kernel with 48 registers a thread.
constexpr std::int64_t kResident = 660;

enum class Slopes { none, one, per_channel };

struct Case {
  const char* name;
  std::int64_t outer, channels, inner; ///< in memory
  Slopes slopes;
  bool bias;

  friend std::ostream& operator<<(std::ostream& stream, const Case& self) {
    return stream << self.name;
  }
};

const std::vector<Case> kCases = {
    {"bias_nchw_56", 256, 64, 3136, Slopes::none, true},
    {"bias_nchw_28", 256, 128, 784, Slopes::none, true},
    {"bias_nchw_14", 256, 256, 196, Slopes::none, true},
    {"bias_nchw_7", 256, 512, 49, Slopes::none, true},
    {"bias_nhwc_56", 802816, 64, 1, Slopes::none, true},
    {"bias_nhwc_14", 50176, 256, 1, Slopes::none, true},
    {"slope_nchw_56", 256, 64, 3136, Slopes::one, false},
    {"slope_nchw_7", 256, 512, 49, Slopes::one, false},
    {"slope_nhwc_56", 802816, 64, 1, Slopes::one, false},
    {"slope_and_bias_nchw_14", 256, 256, 196, Slopes::one, true},
    {"slopes_and_bias_nchw_56", 256, 64, 3136, Slopes::per_channel, true},
    {"slopes_and_bias_nchw_7", 256, 512, 49, Slopes::per_channel, true},
    {"slopes_and_bias_nhwc_14", 50176, 256, 1, Slopes::per_channel, true},
    {"slopes_linear", 128, 512, 1, Slopes::per_channel, false},
    {"bias_of_one_channel", 4096, 1, 784, Slopes::none, true},
    {"odd", 3, 5, 13, Slopes::per_channel, true},
};

class SumsPlan : public testing::TestWithParam<Case> {
 protected:
  template <class T, int N>
  cuda::SumsPlan plan() {
    const auto& [name, outer, channels, inner, slopes, bias] = GetParam();
    args_.numel = outer * channels * inner;
    args_.row = channels * inner;
    args_.bias.index = {inner, channels};
    args_.weight.index =
        slopes == Slopes::one ? ParameterIndex{args_.row, 1} : ParameterIndex{inner, channels};
    args_.grad_bias = bias ? &total_ : nullptr;
    if (slopes == Slopes::none) {
      return cuda::plan_sums<linked_neurons::activation::ReLU, T, N>(args_, kResident);
    }
    args_.grad_weight = {&total_, &total_};
    return cuda::plan_sums<linked_neurons::activation::PReLU, T, N>(args_, kResident);
  }

  template <class T, int N>
  void check() {
    const auto plan = this->plan<T, N>();
    EXPECT_EQ(plan.period * plan.repeats, args_.numel);
    EXPECT_LE(plan.width * plan.height, cuda::kThreads);
    EXPECT_GE(plan.width * plan.tiles * N, plan.period);
    EXPECT_LT(plan.width * (plan.tiles - 1) * N, plan.period);
    EXPECT_GE(plan.slices * plan.repeats_per_slice, plan.repeats);
    EXPECT_LT((plan.slices - 1) * plan.repeats_per_slice, plan.repeats);
    EXPECT_LE(plan.slices, 65535);
    std::int64_t end = 0;
    for (const auto& sums : plan.sums) {
      if (sums.total != nullptr) {
        EXPECT_GE(sums.offset, end) << "beside those before";
        EXPECT_EQ(sums.offset % N, 0) << "vectors of them are aligned";
        EXPECT_EQ(plan.width * N % sums.segment, 0) << "a block has whole segments";
        EXPECT_EQ(sums.stride % sums.count, 0);
        end = sums.offset + plan.slices * sums.stride;
      }
    }
    EXPECT_LE(end, plan.partial_numel);
  }

  /// Bytes that blocks leave, over those of the input.
  template <class T, int N>
  double left() {
    const auto plan = this->plan<T, N>();
    return static_cast<double>(plan.partial_numel * sizeof(cuda::opmath_type<T>)) /
           static_cast<double>(args_.numel * sizeof(T));
  }

  BackwardArguments args_ = {};
  float total_ = 0;
};

TEST_P(SumsPlan, HasEveryElementOnce) {
  if (GetParam().inner * GetParam().channels % 8 == 0) {
    check<float, 4>();
    check<BFloat16, 8>();
  }
  check<float, 1>();
}

/// Of inputs that take longer to read than a kernel to start.
TEST_P(SumsPlan, LeavesLittleForTheSecondKernel) {
  constexpr std::int64_t kLarge = 1 << 20;
  if (plan<float, 4>(); args_.numel < kLarge) {
    return;
  }
  EXPECT_LE((left<float, 4>()), 0.05);
  EXPECT_LE((left<BFloat16, 8>()), 0.05);
  for (const auto& plan : {plan<float, 4>(), plan<BFloat16, 8>()}) {
    EXPECT_GE(plan.tiles * plan.slices, kResident / 4) << "blocks: most multiprocessors have some";
    for (const auto& sums : plan.sums) {
      if (sums.total != nullptr) {
        const std::int64_t addends = plan.slices * (sums.stride / sums.count);
        const std::int64_t width = cuda::width_of_totals(sums.count, sums.inner, addends);
        const std::int64_t of_thread = cuda::divide_up(addends, cuda::kThreads / width);
        EXPECT_LE(cuda::divide_up(of_thread, cuda::kAddendsAtOnce), 4) << "round trips to memory";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, SumsPlan, testing::ValuesIn(kCases), [](const auto& info) {
  return std::string(info.param.name);
});

} // namespace
} // namespace tests
