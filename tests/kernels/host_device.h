// Executes device code on the host: the names of the CUDA language that our kernels use, and a
// launch that runs the threads of a block as fibres, from barrier to barrier.
//
// Include it before any header under linked_neurons/cuda.
#pragma once

#include <ucontext.h>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __shared__ static // blocks run one after another, so one copy serves them all
#define __launch_bounds__(threads)

#include <linked_neurons/cuda/parts.cuh>

namespace host_device {

struct Dim {
  unsigned x, y;
};

/// One thread of a block: a stack of its own, and the place where it waits. It runs the body of one
/// block after another, as a loop that never ends: a new context costs three calls of the system.
class Fibre {
 public:
  explicit Fibre(void (*loop)()) : stack_(std::make_unique<char[]>(kStackSize)) {
    getcontext(&start_);
    start_.uc_stack.ss_sp = stack_.get();
    start_.uc_stack.ss_size = kStackSize;
    makecontext(&start_, loop, 0);
  }

  /// Goes on in this fibre, and returns once it jumps to `here`.
  void resume(std::jmp_buf& here) {
    if (_setjmp(here) == 0) {
      if (started_) {
        _longjmp(place_, 1);
      }
      started_ = true;
      setcontext(&start_);
    }
  }

  /// Goes on at `there`, and returns once somebody resumes this fibre.
  void wait(std::jmp_buf& there) {
    if (_setjmp(place_) == 0) {
      _longjmp(there, 1);
    }
  }

  const char* stack() const {
    return stack_.get();
  }

  static constexpr std::size_t kStackSize = std::size_t{256} << 10;
  bool finished = true;

 private:
  std::unique_ptr<char[]> stack_;
  ucontext_t start_ = {};
  std::jmp_buf place_ = {};
  bool started_ = false;
};

/// The block that runs: its threads, and the switches between them and the scheduler. Nothing
/// throws inside a fibre.
class Block {
 public:
  static constexpr unsigned kThreads = 256;

  static Block& instance() {
    static Block block;
    return block;
  }

  /// Runs `body` as each of the threads, in ascending or descending order between barriers: a
  /// result that depends on the order has a race.
  void run(bool descending, const std::function<void()>& body) {
    body_ = &body;
    for (Fibre& fibre : fibres_) {
      fibre.finished = false;
    }
    for (unsigned left = kThreads; left > 0;) {
      for (unsigned i = 0; i < kThreads; ++i) {
        thread.x = descending ? kThreads - 1 - i : i;
        Fibre& fibre = fibres_[thread.x];
        if (!fibre.finished) {
          resume(fibre);
          left -= fibre.finished ? 1 : 0;
        }
      }
    }
  }

  /// Waits until all threads have come here, or returned.
  void synchronize() {
    const Dim self = thread;
    leave(fibres_[self.x]);
    thread = self;
  }

  Dim thread = {0, 0};
  Dim block = {0, 0};

 private:
  Block() {
    for (unsigned i = 0; i < kThreads; ++i) {
      fibres_.emplace_back(&Block::loop);
    }
  }

  static void loop() {
    Block& self = instance();
    Fibre& fibre = self.fibres_[self.thread.x];
    for (self.arrived(nullptr);;) {
      (*self.body_)();
      fibre.finished = true;
      self.leave(fibre);
    }
  }

  // The address sanitizer must be told which stack is in use.
  void resume(Fibre& fibre) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fibre.stack(), Fibre::kStackSize);
#endif
    fibre.resume(scheduler_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  void leave(Fibre& fibre) {
    void* fake_stack = nullptr;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fake_stack, scheduler_stack_, scheduler_stack_size_);
#endif
    fibre.wait(scheduler_);
    arrived(fake_stack);
  }

  void arrived([[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_stack_, &scheduler_stack_size_);
#endif
  }

  std::jmp_buf scheduler_ = {};
  std::deque<Fibre> fibres_; // a context may not move
  const std::function<void()>* body_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_size_ = 0;
#endif
};

/// In place of a CUDA stream.
struct Stream {
  bool descending = false; ///< order of elements and threads
  std::int64_t most_elements = linked_neurons::cuda::kMostElements; ///< of a launch
};

} // namespace host_device

#define threadIdx (::host_device::Block::instance().thread)
#define blockIdx (::host_device::Block::instance().block)

inline void __syncthreads() {
  ::host_device::Block::instance().synchronize();
}

namespace linked_neurons::cuda {

inline bool wants_descending_blocks(const host_device::Stream& stream) {
  return stream.descending;
}

inline std::int64_t most_elements(const host_device::Stream& stream) {
  return stream.most_elements;
}

/// As of a device of a few multiprocessors.
template <class Kernel>
std::int64_t resident_blocks(Kernel /*kernel*/, const host_device::Stream& /*stream*/) {
  return 6;
}

template <class Kernel, class Grid, class... Arguments>
void launch(
    Kernel kernel,
    const Grid& grid,
    const host_device::Stream& stream,
    const Arguments&... arguments) {
  const auto blocks = static_cast<unsigned>(grid.x * grid.y);
  for (unsigned i = 0; i < blocks; ++i) {
    const unsigned block = stream.descending ? blocks - 1 - i : i;
    blockIdx = {block % static_cast<unsigned>(grid.x), block / static_cast<unsigned>(grid.x)};
    host_device::Block::instance().run(stream.descending, [&] { kernel(arguments...); });
  }
}

/// Kernels run one after another.
template <class Kernel, class Grid, class... Arguments>
void launch_next(
    Kernel kernel,
    const Grid& grid,
    const host_device::Stream& stream,
    const Arguments&... arguments) {
  launch(kernel, grid, stream, arguments...);
}

} // namespace linked_neurons::cuda

#include <linked_neurons/cuda/launch.cuh>

static_assert(linked_neurons::cuda::kThreads == host_device::Block::kThreads);
