// LibTorch's threads, used from a program compiled without OpenMP flags; and the same bits however
// many they are.
#include "every_layer.h"

#include <ATen/Parallel.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#if defined(_OPENMP)
#error "compiled with OpenMP flags this test proves nothing"
#endif

namespace tests {
namespace {

/// Sets the number of LibTorch's threads for a scope.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) {
    at::set_num_threads(count);
  }
  ~Threads() {
    at::set_num_threads(before_);
  }

 private:
  int before_;
};

/// The threads that an activation was computed on.
class Witnesses {
 public:
  void note_this_thread() {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.insert(std::this_thread::get_id());
  }

  /// How many they were since the last call.
  std::size_t count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::size_t size = threads_.size();
    threads_.clear();
    return size;
  }

 private:
  std::mutex mutex_;
  std::set<std::thread::id> threads_;
};

Witnesses witnesses;

/// The identity and its negative, computed before witnesses.
struct Witnessed : ln::Activation {
  static constexpr auto name = "witnessed";

  template <class T>
  LINKED_NEURONS_FN static Pair<T> forward(const T& z) {
    witnesses.note_this_thread();
    return {z, -z};
  }

  template <class T>
  LINKED_NEURONS_FN static T backward(const T& /*z*/, const Pair<T>& grad) {
    witnesses.note_this_thread();
    return grad.pos - grad.neg;
  }
};

TEST(LibTorchThreads, AreUsedWhereTheyAreWorthIt) {
  const Tensor large = torch::randn({16, 64, 32, 32}).requires_grad_();
  const Tensor small = torch::randn({2, 3}).requires_grad_();
  const Threads threads(2);
  for (const auto& [x, expected] : {std::pair(large, 2U), std::pair(small, 1U)}) {
    const Tensor y = ln::functional::linked<Witnessed>(x);
    EXPECT_EQ(witnesses.count(), expected);
    EXPECT_TRUE(y.equal(at::cat({x, -x}, 1)));
    const Tensor arriving = torch::randn_like(y);
    const Tensor back = torch::autograd::grad({y}, {x}, {arriving})[0];
    EXPECT_EQ(witnesses.count(), expected);
    const auto halves = arriving.chunk(2, 1);
    EXPECT_TRUE(back.equal(halves[0] - halves[1]));
  }
}

TEST(LibTorchThreads, AreNoMoreThanAsked) {
  const Threads threads(1);
  ln::functional::linked<Witnessed>(torch::randn({16, 64, 32, 32}));
  EXPECT_EQ(witnesses.count(), 1U);
}

TEST(LibTorchThreads, ServeSeveralThreadsAtOnce) {
  const Tensor x = torch::randn({16, 64, 32, 32});
  std::vector<std::thread> callers;
  for (std::int64_t count = 4; count <= 16; count += 4) {
    callers.emplace_back([input = x.narrow(0, 0, count)] {
      const Tensor expected = at::cat({at::relu(input), at::relu(-input)}, 1);
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(ln::functional::lk_relu(input).equal(expected));
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
}

/// As integers, among which 0 and -0 differ.
Tensor bits(const Tensor& tensor) {
  return tensor.view(tensor.element_size() == 2 ? at::kShort : at::kInt);
}

TEST_P(EveryLayer, GivesTheSameBitsEveryTime) {
  const Layer& layer = GetParam();
  const std::vector<std::int64_t> sizes = {8, 24, 33, 37};
  const Tensor contiguous = torch::randn(sizes);
  const Tensor arriving = torch::randn({8, 48, 33, 37});
  std::vector<std::vector<std::int64_t>> weight_sizes = {{1}};
  if (layer.has_weight) {
    weight_sizes.insert(weight_sizes.end(), {{24}, {24, 33, 37}});
  }
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (const auto& weight_size : weight_sizes) {
        const auto run = [&](int threads_count) {
          const Threads threads(threads_count);
          const Tensor x = contiguous.to(type).contiguous(format).requires_grad_();
          auto parameters = layer.parameters(x, 1, at::TensorOptions().requires_grad(true));
          if (layer.has_weight) {
            parameters.weight = {
                torch::full(weight_size, 0.25).requires_grad_(),
                torch::full(weight_size, -0.5).requires_grad_()};
          }
          const Tensor y = layer.fused(x, parameters, 1);
          auto results = torch::autograd::grad(
              {y}, layer.leaves(x, parameters), {arriving.to(type).contiguous(format)});
          results.push_back(y.detach());
          return results;
        };
        const auto first = run(2);
        for (const int threads : {2, 1, 3}) {
          const auto again = run(threads);
          for (std::size_t i = 0; i < first.size(); ++i) {
            EXPECT_TRUE(bits(again[i]).equal(bits(first[i])))
                << threads << " threads, result " << i;
          }
        }
      }
    }
  }
}

} // namespace
} // namespace tests
