#pragma once

// How everything here is measured: time, memory, and the rate of a plain copy.

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace benchmarks {

/// What is timed. The tensors that it returns are freed once the clock has stopped.
using Call = std::function<std::vector<at::Tensor>()>;

/// The CUDA device, where there is one and this program has our kernels for it; else the CPU.
at::Device default_device();

/// What a reader of the figures has to know of machine and software, as names and values.
std::vector<std::pair<std::string, std::string>> describe(at::Device device);

double median(std::vector<double> values);

/// Times calls on one device: on the CPU by the wall clock; on a GPU by CUDA events on the current
/// stream. There each call stands behind a long read of other memory: its tensors have left the L2
/// cache, nothing that waits to be written back is left in it, and the host has enqueued all of the
/// call, as a rule, before the device comes to it.
class Clock {
 public:
  explicit Clock(at::Device device);

  double seconds(const Call& call);

  /// Whether in the last call the device came to it before the host had enqueued all of it: then
  /// the host's time may be in it. Never on the CPU.
  bool device_waited() const {
    return device_waited_;
  }

  /// Seconds that LibTorch's copy_() takes to read and write `bytes` in all, so half of them each:
  /// a median. Measured anew when the size is another than the last one: implementations share a
  /// figure, and it comes from the same minute as theirs.
  double copy_seconds(std::int64_t bytes);

 private:
  at::Device device_;
  at::Tensor other_memory_; ///< many times the L2; undefined on the CPU
  bool device_waited_ = false;
  std::int64_t copy_bytes_ = 0; ///< the last copy's
  double copy_seconds_ = 0;
};

/// Counts what LibTorch's allocator for one kind of device hands out to this thread, and to
/// autograd's threads that work for it, while this object lives. What libraries beneath LibTorch
/// take for themselves it does not see.
class MemoryCounter {
 public:
  explicit MemoryCounter(at::DeviceType device);

  /// Bytes handed out, whether or not they came back.
  std::int64_t allocated() const {
    return counts_->allocated;
  }
  /// Bytes handed out that have not come back.
  std::int64_t live() const {
    return counts_->live;
  }
  /// The most that live() ever was.
  std::int64_t peak() const {
    return counts_->peak;
  }

 private:
  struct Counts : c10::MemoryReportingInfoBase {
    void reportMemoryUsage(
        void* ptr,
        std::int64_t alloc_size,
        std::size_t total_allocated,
        std::size_t total_reserved,
        at::Device device) override;
    bool memoryProfilingEnabled() const override {
      return true;
    }

    at::DeviceType counted = at::kCPU;
    std::int64_t allocated = 0;
    std::int64_t live = 0;
    std::int64_t peak = 0;
  };

  std::shared_ptr<Counts> counts_;
  c10::DebugInfoGuard guard_;
};

/// Captures what `step` launches in a CUDA graph, after a few plain runs; the result replays it.
/// \throws c10::Error in a program without CUDA.
Call captured(const Call& step);

} // namespace benchmarks
