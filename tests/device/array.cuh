// Memory of a device, by plain allocations.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace tests {

inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) {
    std::printf("%s: %s\n", what, cudaGetErrorString(error));
    std::exit(1);
  }
}

/// Memory of a device that ends with its last element, so that a sanitizer sees what goes beyond.
template <class T>
class Array {
 public:
  /// \param offset elements in front of the first.
  explicit Array(std::int64_t numel, std::int64_t offset = 0) : numel_(numel), offset_(offset) {
    check(cudaMalloc(&memory_, bytes()), "cudaMalloc");
    forget();
  }
  Array(const std::vector<T>& values, std::int64_t offset)
      : Array(static_cast<std::int64_t>(values.size()), offset) {
    check(
        cudaMemcpy(data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
        "cudaMemcpy");
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
    cudaFree(memory_);
  }

  T* data() const {
    return static_cast<T*>(memory_) + offset_;
  }

  /// Makes NaNs of all of it.
  void forget() {
    check(cudaMemset(memory_, 0xff, bytes()), "cudaMemset");
  }

  /// Fails where the elements in front of the first were written to.
  std::vector<T> values() const {
    std::vector<T> all(static_cast<std::size_t>(offset_ + numel_));
    check(cudaMemcpy(all.data(), memory_, bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    for (std::int64_t i = 0; i < offset_; ++i) {
      std::uint8_t byte = 0;
      std::memcpy(&byte, &all[static_cast<std::size_t>(i)], 1);
      check(byte == 0xff ? cudaSuccess : cudaErrorUnknown, "written to in front of an array");
    }
    return {all.begin() + offset_, all.end()};
  }

 private:
  std::size_t bytes() const {
    return static_cast<std::size_t>(offset_ + numel_) * sizeof(T);
  }

  std::int64_t numel_;
  std::int64_t offset_;
  void* memory_ = nullptr;
};

} // namespace tests
