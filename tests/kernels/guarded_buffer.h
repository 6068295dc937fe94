// Memory between guards: a write outside a tensor is seen.
#pragma once

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tests {

using at::Tensor;

/// Memory for a tensor at a given byte offset from a 64-byte boundary, full of NaNs, between
/// guards.
class GuardedBuffer {
 public:
  GuardedBuffer(at::IntArrayRef sizes, at::ScalarType type, std::size_t offset)
      : size_(c10::multiply_integers(sizes) * at::elementSize(type)),
        bytes_(size_ + 2 * kGuard + 64, kGuardByte) {
    const auto start = reinterpret_cast<std::uintptr_t>(bytes_.data()) + kGuard;
    first_ = kGuard + (64 - start % 64) % 64 + offset;
    std::memset(bytes_.data() + first_, 0xff, size_);
    tensor = at::from_blob(bytes_.data() + first_, sizes, at::TensorOptions(type));
  }

  void expect_guards_untouched(const char* name) const {
    const auto is_guard = [](unsigned char byte) { return byte == kGuardByte; };
    const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(first_);
    EXPECT_TRUE(std::all_of(bytes_.begin(), first, is_guard)) << "written before " << name;
    EXPECT_TRUE(std::all_of(first + static_cast<std::ptrdiff_t>(size_), bytes_.end(), is_guard))
        << "written behind " << name;
  }

  Tensor tensor;

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr unsigned char kGuardByte = 0xa5;
  std::size_t size_;
  std::vector<unsigned char> bytes_;
  std::size_t first_ = 0;
};

} // namespace tests
