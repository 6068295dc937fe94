// The backends that the tables of tests/kernels/ run in ptx_kernels_test: nvcc's own translation of
// the CUDA kernels, executed on the host, each access to memory checked. Where an activation saves
// masks its kernels are held against the same ones as the host's compiler has them, bit for bit.
#include "../kernels/backends.h"
#include "../kernels/cuda_mask_layout.h"

#include "translated.h"

#include <linked_neurons/activation/from_input.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

namespace tests {
namespace {

using ln::detail::BackwardArguments;
using ln::detail::ForwardArguments;
using ptx::Buffer;
using ptx::Machine;

Buffer buffer(const char* name, const void* begin, std::size_t size, bool is_written) {
  return {
      name, reinterpret_cast<std::uintptr_t>(begin), begin == nullptr ? 0 : size, is_written, {}};
}

template <class T, class Arguments>
std::vector<Buffer> parameter_buffers(const Arguments& args) {
  constexpr std::size_t kSize = sizeof(ln::detail::opmath_type<T>);
  return {
      buffer("weight_pos", args.weight.values.pos, args.weight.index.count * kSize, false),
      buffer("weight_neg", args.weight.values.neg, args.weight.index.count * kSize, false),
      buffer("bias", args.bias.values, args.bias.index.count * kSize, false)};
}

/// Runs kernels, with what they may access, and expects no fault.
template <class Launch>
void run_checked(std::vector<Buffer> buffers, const Launch& launch) {
  Machine& machine = Machine::instance();
  machine.faults = {};
  machine.buffers = std::move(buffers);
  launch();
  machine.buffers.clear();
  EXPECT_EQ(machine.faults.count, 0);
  for (const std::string& fault : machine.faults.kinds) {
    ADD_FAILURE() << fault;
  }
}

template <class T>
std::array<std::byte, sizeof(T)> bytes_of(const T& value) {
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

/// The same bits, or two NaNs of whatever bits.
template <class T>
void expect_same(const std::vector<T>& expected, const void* actual, const char* what) {
  std::vector<T> values(expected.size());
  std::memcpy(values.data(), actual, values.size() * sizeof(T));
  const auto differ = [](const T& a, const T& b) {
    const bool are_nan = std::isnan(ln::detail::load(a)) && std::isnan(ln::detail::load(b));
    return !are_nan && bytes_of(a) != bytes_of(b);
  };
  const auto at =
      std::mismatch(expected.begin(), expected.end(), values.begin(), std::not_fn(differ));
  EXPECT_EQ(at.first, expected.end())
      << what << ": not as the host's compiler has it, from element " << at.first - expected.begin()
      << " on";
}

template <class Activation, class T>
void forward(const ForwardArguments& args, const ptx::Stream& stream) {
  const std::size_t size = args.numel * sizeof(T);
  const auto mask_size = static_cast<std::size_t>(ln::detail::mask_bytes(args.numel));
  auto buffers = parameter_buffers<T>(args);
  buffers.push_back(buffer("input", args.input, size, false));
  buffers.push_back(buffer("output", args.output, 2 * size, true));
  buffers.push_back(buffer("masks", args.masks, mask_size, true));
  run_checked(std::move(buffers), [&] { ln::cuda::forward<Activation, T>(args, stream); });
  if constexpr (Activation::saved == ln::Saved::masks) {
    std::vector<T> output(2 * args.numel);
    // The words that have an element; the rest nobody writes.
    const std::int64_t words = ln::cuda::divide_up(args.numel, ln::cuda::kVectorSize<T>);
    using Word = ln::cuda::MaskWord<T>;
    std::vector<Word> masks(args.masks == nullptr ? 0 : words);
    ForwardArguments again = args;
    again.output = output.data();
    again.masks = args.masks == nullptr ? nullptr : reinterpret_cast<std::uint8_t*>(masks.data());
    ln::cuda::forward<Activation, T>(again, host_device::Stream{});
    expect_same(output, args.output, "output");
    EXPECT_TRUE(
        masks.empty() || std::memcmp(masks.data(), args.masks, masks.size() * sizeof(Word)) == 0)
        << "masks: not as the host's compiler has them";
  }
}

template <class Activation, class T>
void backward(const BackwardArguments& args, const ptx::Stream& stream) {
  using C = ln::detail::opmath_type<T>;
  const std::size_t size = args.numel * sizeof(T);
  const bool from_input = Activation::saved == ln::Saved::input;
  const auto mask_size = static_cast<std::size_t>(ln::detail::mask_bytes(args.numel));
  auto buffers = parameter_buffers<T>(args);
  buffers.push_back(buffer("grad", args.grad, args.grad_is_uniform ? sizeof(T) : 2 * size, false));
  buffers.push_back(buffer(
      from_input ? "input" : "output", args.input_or_output, from_input ? size : 2 * size, false));
  buffers.push_back(buffer("masks", args.masks, mask_size, false));
  buffers.push_back(buffer("grad_input", args.grad_input, size, true));
  const std::size_t weights = args.weight.index.count * sizeof(C);
  buffers.push_back(buffer("gradient of weight_pos", args.grad_weight.pos, weights, true));
  buffers.push_back(buffer("gradient of weight_neg", args.grad_weight.neg, weights, true));
  buffers.push_back(
      buffer("gradient of the bias", args.grad_bias, args.bias.index.count * sizeof(C), true));
  // NaNs to start with, so that a sum that nobody wrote is seen.
  std::vector<C> partial;
  const auto workspace = [&](std::int64_t numel) {
    partial.assign(numel, std::numeric_limits<C>::quiet_NaN());
    Machine::instance().buffers.push_back(
        buffer("partial sums", partial.data(), numel * sizeof(C), true));
    return partial.data();
  };
  run_checked(
      std::move(buffers), [&] { ln::cuda::backward<Activation, T>(args, workspace, stream); });
  if constexpr (Activation::saved == ln::Saved::masks) {
    std::vector<T> grad_input(args.numel);
    BackwardArguments again = args;
    again.grad_input = grad_input.data();
    again.grad_weight = {};
    again.grad_bias = nullptr;
    if (args.grad_weight.pos == nullptr) { // else there may be no masks, and no output
      ln::cuda::backward<Activation, T>(again, workspace, host_device::Stream{});
      expect_same(grad_input, args.grad_input, "gradient of the input");
    }
  }
}

template <class Activation, bool kDescending, std::int64_t kMost>
void ptx_backward(const BackwardArguments& args, at::ScalarType type, at::Device /*device*/) {
  ln::detail::dispatch(type, [&](auto element) {
    backward<Activation, decltype(element)>(args, {kDescending, kMost});
  });
}

template <class Activation, bool kDescending, std::int64_t kMost = ln::cuda::kMostElements>
inline constexpr Backend ptx_kernels = {
    [](const ForwardArguments& args, at::ScalarType type, at::Device /*device*/) {
      ln::detail::dispatch(type, [&](auto element) {
        forward<Activation, decltype(element)>(args, {kDescending, kMost});
      });
    },
    ptx_backward<Activation, kDescending, kMost>,
    ptx_backward<ln::detail::FromInput<Activation>, kDescending, kMost>,
    cuda_mask_layout};

} // namespace

template <class Activation>
std::vector<NamedBackend> host_kernels() {
  return {
      {"ptx", &ptx_kernels<Activation, false>, &ptx_kernels<Activation, true>},
      {"ptx_in_parts",
       &ptx_kernels<Activation, true, kFewElements>,
       &ptx_kernels<Activation, false, kFewElements>,
       true}};
}

/// The loops are for the other programs.
template <class Activation>
std::vector<NamedBackend> cpu_backends() {
  return {};
}

#define TESTS_DEFINE(A, function, Module)                               \
  template std::vector<NamedBackend> host_kernels<ln::activation::A>(); \
  template std::vector<NamedBackend> cpu_backends<ln::activation::A>();
TESTS_FOR_EVERY_ACTIVATION(TESTS_DEFINE)

} // namespace tests
