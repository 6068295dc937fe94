// Executes device code on the host: the names of the CUDA language that our kernels use, and a
// launch that runs the threads of a block as fibres, from barrier to barrier.
//
// Include it before any header under linked_neurons/cuda.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __shared__ static // blocks run one after another, so one copy serves them all
#define __launch_bounds__(threads)

namespace host_device {

struct Dim {
  unsigned x, y;
};

/// One thread of a block: a stack of its own, and the place where it waits.
class Fibre {
 public:
  void start(ucontext_t* scheduler, void (*entry)()) {
    if (stack_ == nullptr) {
      stack_ = std::make_unique<char[]>(kStackSize);
    }
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = kStackSize;
    context_.uc_link = scheduler;
    makecontext(&context_, entry, 0);
    finished = false;
  }

  ucontext_t* context() {
    return &context_;
  }
  const char* stack() const {
    return stack_.get();
  }

  static constexpr std::size_t kStackSize = std::size_t{256} << 10;
  bool finished = true;

 private:
  ucontext_t context_ = {};
  std::unique_ptr<char[]> stack_;
};

/// The block that runs: its threads, and the switches between them and the scheduler. Nothing
/// throws inside a fibre.
class Block {
 public:
  static Block& instance() {
    static Block block;
    return block;
  }

  /// Runs `body` as each of `threads` threads, in ascending or descending order between barriers:
  /// a result that depends on the order has a race.
  void run(unsigned threads, bool descending, const std::function<void()>& body) {
    body_ = &body;
    fibres_.resize(threads);
    for (auto& fibre : fibres_) {
      fibre.start(&scheduler_, &Block::enter);
    }
    for (unsigned left = threads; left > 0;) {
      for (unsigned i = 0; i < threads; ++i) {
        thread.x = descending ? threads - 1 - i : i;
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
    leave(fibres_[self.x], false);
    thread = self;
  }

  Dim thread = {0, 0};
  Dim block = {0, 0};

 private:
  static void enter() {
    Block& self = instance();
    self.arrived(nullptr);
    (*self.body_)();
    self.fibres_[self.thread.x].finished = true;
    self.leave(self.fibres_[self.thread.x], true);
  }

  // The address sanitizer must be told which stack is in use.
  void resume(Fibre& fibre) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fibre.stack(), Fibre::kStackSize);
#endif
    swapcontext(&scheduler_, fibre.context());
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  void leave([[maybe_unused]] Fibre& fibre, [[maybe_unused]] bool for_good) {
    void* fake_stack = nullptr;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(
        for_good ? nullptr : &fake_stack, scheduler_stack_, scheduler_stack_size_);
#endif
    swapcontext(fibre.context(), &scheduler_);
    arrived(fake_stack);
  }

  void arrived([[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_stack_, &scheduler_stack_size_);
#endif
  }

  ucontext_t scheduler_ = {};
  std::vector<Fibre> fibres_;
  const std::function<void()>* body_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_size_ = 0;
#endif
};

/// In place of a CUDA stream.
struct Stream {
  bool descending = false; ///< order of blocks and threads; elements are then counted in 64 bits
};

} // namespace host_device

#define threadIdx (::host_device::Block::instance().thread)
#define blockIdx (::host_device::Block::instance().block)

inline void __syncthreads() {
  ::host_device::Block::instance().synchronize();
}

namespace linked_neurons::cuda {

inline bool wants_wide_index(const host_device::Stream& stream) {
  return stream.descending;
}

template <class Kernel, class Grid, class... Arguments>
void launch(
    Kernel kernel,
    const Grid& grid,
    const host_device::Stream& stream,
    const Arguments&... arguments) {
  constexpr unsigned kThreadsOfABlock = 256;
  const auto blocks = static_cast<unsigned>(grid.x * grid.y);
  for (unsigned i = 0; i < blocks; ++i) {
    const unsigned block = stream.descending ? blocks - 1 - i : i;
    blockIdx = {block % static_cast<unsigned>(grid.x), block / static_cast<unsigned>(grid.x)};
    host_device::Block::instance().run(
        kThreadsOfABlock, stream.descending, [&] { kernel(arguments...); });
  }
}

} // namespace linked_neurons::cuda

#include <linked_neurons/cuda/launch.cuh>

static_assert(linked_neurons::cuda::kThreads == 256, "launch() above runs blocks of 256 threads");
