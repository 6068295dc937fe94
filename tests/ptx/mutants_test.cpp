// The machine reports what is wrong: kernels with one fault each (mutants.py), by the fault's name.

#include "translated.h"

#include <linked_neurons/activation/prelu.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tests::ptx {
namespace {

using linked_neurons::activation::PReLU;

/// [outer][channels][inner]: the last block of forward ends in its first vectors, and a block of
/// backward has several rows of threads, whose sums are added.
constexpr std::int64_t kOuter = 25;
constexpr std::int64_t kChannels = 9;
constexpr std::int64_t kInner = 20;
constexpr std::int64_t kNumel = kOuter * kChannels * kInner;

template <class T>
Buffer buffer_of(const char* name, const std::vector<T>& values, bool is_written) {
  return {
      name,
      reinterpret_cast<std::uintptr_t>(values.data()),
      values.size() * sizeof(T),
      is_written,
      {}};
}

/// LK-PReLU, forward and then backward with the sums of both weights, one mutant in its kernel's
/// place or none.
Faults run_layer(Entry* mutant) {
  Machine& machine = Machine::instance();
  machine.faults = {};
  Stream stream;
  stream.mutant = mutant;
  const std::vector<float> input(kNumel, 1);
  const std::vector<float> weight(kChannels, 0.25F);
  std::vector<float> output(2 * kNumel);
  std::vector<float> grad_input(kNumel);
  std::vector<float> sums(2 * kChannels);
  std::vector<float> partial;
  std::vector<std::uint8_t> masks(linked_neurons::detail::mask_bytes(kNumel));
  const linked_neurons::detail::Weights weights{
      {weight.data(), weight.data()}, {kInner, kChannels}};

  linked_neurons::detail::ForwardArguments forward = {};
  forward.input = input.data();
  forward.output = output.data();
  forward.masks = masks.data();
  forward.numel = kNumel;
  forward.row = kChannels * kInner;
  forward.weight = weights;
  machine.buffers = {
      buffer_of("input", input, false),
      buffer_of("weight", weight, false),
      buffer_of("output", output, true),
      buffer_of("masks", masks, true)};
  linked_neurons::cuda::forward<PReLU, float>(forward, stream);

  linked_neurons::detail::BackwardArguments backward = {};
  backward.grad = output.data();
  backward.input_or_output = output.data();
  backward.masks = masks.data();
  backward.grad_input = grad_input.data();
  backward.numel = kNumel;
  backward.row = forward.row;
  backward.weight = weights;
  backward.grad_weight = {sums.data(), sums.data() + kChannels};
  machine.buffers = {
      buffer_of("output", output, false),
      buffer_of("weight", weight, false),
      buffer_of("masks", masks, false),
      buffer_of("gradient of the input", grad_input, true),
      buffer_of("gradients of the weights", sums, true)};
  const auto workspace = [&](std::int64_t numel) {
    partial.assign(numel, 0);
    machine.buffers.push_back(buffer_of("partial sums", partial, true));
    return partial.data();
  };
  linked_neurons::cuda::backward<PReLU, float>(backward, workspace, stream);
  return machine.faults;
}

std::string text_of(const Faults& faults) {
  std::string text;
  for (const std::string& each : faults.kinds) {
    text += each + "\n";
  }
  return text;
}

TEST(Unchanged, HasNoFault) {
  const Faults faults = run_layer(nullptr);
  EXPECT_EQ(faults.count, 0) << text_of(faults);
}

struct Mutant {
  const char* name;
  const char* report;
};

class Mutants : public testing::TestWithParam<Mutant> {};

TEST_P(Mutants, IsReported) {
  bool is_launched = false;
  for (Entry& entry : entries()) {
    if (!entry.is_mutant || std::string(entry.name) != GetParam().name) {
      continue;
    }
    const Faults faults = run_layer(&entry);
    if (entry.launches > 0) { // a kernel may have variants that this layer does not take
      is_launched = true;
      EXPECT_GT(faults.count, 0);
      EXPECT_NE(text_of(faults).find(GetParam().report), std::string::npos) << text_of(faults);
    }
  }
  EXPECT_TRUE(is_launched);
}

INSTANTIATE_TEST_SUITE_P(
    ,
    Mutants,
    testing::Values(
        Mutant{"barrier_deleted", "shared memory that another thread"},
        Mutant{"access_misaligned", "accesses input, not aligned to 16 bytes"},
        Mutant{"index_off_by_one", "bytes outside of all buffers"},
        Mutant{"double_write", "writes an element of output twice"},
        Mutant{"write_to_input", "writes to input"}),
    [](const auto& info) { return std::string(info.param.name); });

} // namespace
} // namespace tests::ptx
