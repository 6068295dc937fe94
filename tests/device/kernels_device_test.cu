// The CUDA kernels on a device, with plain allocations and without LibTorch: it starts at once, and
// a sanitizer runs all of it in seconds.
//
//   kernels_device_test [TEXT]    the cases whose names contain it
//
// Results are held against the same formulas in double, an element at a time, on the host; what the
// formulas are worth, the other tests say. Then forward and backward are captured in a graph, whose
// results have to be the same bits: sums come in one order only.

#include "array.cuh"
#include "close.h"

#include <linked_neurons/activation/all.h>
#include <linked_neurons/activation/from_input.h>
#include <linked_neurons/cuda/launch_device.cuh>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#if defined(C10_API) || defined(TORCH_API)
#error "This test does without LibTorch."
#endif

namespace tests {
namespace {

namespace ln = linked_neurons;
using ln::detail::BackwardArguments;
using ln::detail::ForwardArguments;
using ln::detail::opmath_type;

/// A stream on which a launch may be made to have few elements.
struct Stream : ln::cuda::Stream {
  std::int64_t most;
};

std::int64_t most_elements(const Stream& stream) {
  return stream.most;
}

/// What a kernel is run on: an input of shape [outer, channels, inner], channels at axis 1.
struct Case {
  std::int64_t outer, channels, inner;
  std::int64_t offset;                         ///< of every array, in elements
  std::int64_t most = ln::cuda::kMostElements; ///< elements of a launch
};

const Case kCases[] = {
    {3, 4, 7, 0},    // rows of any length: an element at a time
    {2, 8, 16, 1},   // an odd address
    {2, 64, 56, 0},  // vectors; a parameter for many of them
    {70, 24, 1, 0},  // channels last
    {5, 12, 1, 0},   // the same, in half vectors
    {600, 64, 1, 0}, // several slices of sums
    {9, 5, 1003, 0},
    {10, 16, 196, 0},
    {1, 1, 4099, 0},
    {70, 24, 1, 0, 200},    // parts of 192 elements
    {10, 16, 196, 0, 7000}, // parts of two rows
    {3, 5, 13, 0, 100},     // no part is so short: 64-bit indices
    {10, 16, 196, 0, 100},
};

/// What backward starts from.
enum class From { saved, output, input };

/// What backward is asked for besides.
struct Asked {
  From from;
  bool weight, bias;
  bool grad_is_uniform;
};

std::string label(const Case& of, const Asked& asked) {
  const char* const from[] = {"", ", from the output", ", from the input"};
  return std::to_string(of.outer) + "x" + std::to_string(of.channels) + "x" +
         std::to_string(of.inner) + (of.offset != 0 ? " at an odd address" : "") +
         (of.most < ln::cuda::kMostElements ? ", launches of " + std::to_string(of.most) : "") +
         from[static_cast<int>(asked.from)] + (asked.weight ? ", weights' gradients" : "") +
         (asked.bias ? ", bias' gradient" : "") +
         (asked.grad_is_uniform ? ", uniform gradient" : "");
}

/// All that one pass forward and backward gives.
template <class T>
struct Results {
  using C = opmath_type<T>;
  std::vector<T> output, grad_input;
  std::vector<C> weight_pos, weight_neg, bias;
};

/// What they should be, and how far off they may be.
struct Exact {
  explicit Exact(std::size_t numel, std::size_t channels)
      : output(2 * numel), output_bound(2 * numel), grad_input(numel), grad_input_bound(numel),
        weight_pos(channels), weight_neg(channels), bias(channels), weight_pos_bound(channels),
        weight_neg_bound(channels), bias_bound(channels) {}

  std::vector<double> output, output_bound, grad_input, grad_input_bound;
  std::vector<long double> weight_pos, weight_neg, bias; // or double's own sums would be off
  std::vector<double> weight_pos_bound, weight_neg_bound, bias_bound;
};

/// One activation, type and case: its arguments on the host and on the device.
template <class Activation, class T>
class Step {
  using C = opmath_type<T>;
  using Input = ln::detail::FromInput<Activation>;

 public:
  Step(const Case& of, const Asked& asked, cudaStream_t stream)
      : case_(of), asked_(asked), numel_(of.outer * of.channels * of.inner),
        row_(of.channels * of.inner), stream_{{stream}, of.most}, x_(numbers<T>(numel_)),
        grad_(numbers<T>(asked.grad_is_uniform ? 1 : 2 * numel_)), pos_(numbers<C>(of.channels)),
        neg_(numbers<C>(of.channels)), b_(numbers<C>(of.channels)), input_(x_, of.offset),
        arriving_(grad_, of.offset), weight_pos_(pos_, 0), weight_neg_(neg_, 0), bias_(b_, 0),
        output_(2 * numel_, of.offset), grad_input_(numel_, of.offset),
        masks_(ln::detail::mask_bytes(numel_)), sum_pos_(of.channels), sum_neg_(of.channels),
        sum_bias_(of.channels) {}

  bool passes() {
    launch();
    const Results<T> direct = results();
    bool good = is_right(direct);
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    check(cudaStreamBeginCapture(stream_.handle, cudaStreamCaptureModeGlobal), "begin capture");
    launch();
    check(cudaStreamEndCapture(stream_.handle, &graph), "end capture");
    check(cudaGraphInstantiate(&executable, graph, 0), "instantiate");
    output_.forget();
    grad_input_.forget();
    sum_pos_.forget();
    sum_neg_.forget();
    sum_bias_.forget();
    check(cudaGraphLaunch(executable, stream_.handle), "graph launch");
    const Results<T> replayed = results();
    check(cudaGraphExecDestroy(executable), "destroy");
    check(cudaGraphDestroy(graph), "destroy");
    good = is_same(replayed.output, direct.output, "output") && good;
    good = is_same(replayed.grad_input, direct.grad_input, "gradient of the input") && good;
    good = is_same(replayed.weight_pos, direct.weight_pos, "gradient of weight_pos") && good;
    good = is_same(replayed.weight_neg, direct.weight_neg, "gradient of weight_neg") && good;
    return is_same(replayed.bias, direct.bias, "gradient of the bias") && good;
  }

 private:
  /// Normally distributed, some of them 0 and -0.
  template <class N>
  std::vector<N> numbers(std::int64_t count) {
    std::normal_distribution<float> normal(0, 2);
    std::vector<N> result(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < result.size(); ++i) {
      const float value = i % 13 == 5 ? 0.0F : i % 13 == 9 ? -0.0F : normal(random_);
      result[i] = ln::detail::store<N>(value);
    }
    return result;
  }

  void launch() {
    const ln::detail::ParameterIndex index{case_.inner, case_.channels};
    const bool has_bias = asked_.bias;
    ForwardArguments forward = {};
    forward.input = input_.data();
    forward.output = output_.data();
    forward.masks = Activation::saved == ln::Saved::masks ? masks_.data() : nullptr;
    forward.numel = numel_;
    forward.row = row_;
    forward.weight = {{nullptr, nullptr}, index};
    if (Activation::has_weight) {
      forward.weight.values = {weight_pos_.data(), weight_neg_.data()};
    }
    forward.bias = {has_bias ? bias_.data() : nullptr, index};
    ln::cuda::forward<Activation, T>(forward, stream_);
    check(cudaGetLastError(), "forward");

    BackwardArguments backward = {};
    backward.grad = arriving_.data();
    backward.grad_is_uniform = asked_.grad_is_uniform;
    if (asked_.from == From::input || Activation::saved == ln::Saved::input) {
      backward.input_or_output = input_.data();
    } else if (asked_.from == From::output || ln::detail::saves_output<Activation>(asked_.weight)) {
      backward.input_or_output = output_.data();
    }
    backward.masks = asked_.from == From::saved ? forward.masks : nullptr;
    backward.grad_input = grad_input_.data();
    backward.numel = numel_;
    backward.row = row_;
    backward.weight = forward.weight;
    backward.bias = forward.bias;
    if (asked_.weight) {
      backward.grad_weight = {sum_pos_.data(), sum_neg_.data()};
    }
    backward.grad_bias = asked_.bias ? sum_bias_.data() : nullptr;
    // Allocated at the first call: nothing can be while a graph is captured.
    const auto workspace = [this](std::int64_t numel) {
      if (partial_ == nullptr) {
        partial_ = std::make_unique<Array<C>>(numel);
      }
      return partial_->data();
    };
    if (asked_.from == From::input) {
      ln::cuda::backward<Input, T>(backward, workspace, stream_);
    } else {
      ln::cuda::backward<Activation, T>(backward, workspace, stream_);
    }
    check(cudaGetLastError(), "backward");
  }

  Results<T> results() const {
    check(cudaStreamSynchronize(stream_.handle), "synchronize");
    return {
        output_.values(),
        grad_input_.values(),
        sum_pos_.values(),
        sum_neg_.values(),
        sum_bias_.values()};
  }

  Exact exact() const {
    Exact result(x_.size(), pos_.size());
    for (std::int64_t i = 0; i < numel_; ++i) {
      const auto element = static_cast<std::size_t>(i);
      const auto pos = static_cast<std::size_t>(i + row_ * (i / row_));
      const auto neg = pos + static_cast<std::size_t>(row_);
      const auto channel = static_cast<std::size_t>(i / case_.inner % case_.channels);
      // Rounded as in the kernel, or what cancels would be further off.
      C rounded = ln::detail::load(x_[element]);
      rounded += asked_.bias ? b_[channel] : C(-0.0);
      const auto z = static_cast<double>(rounded);
      const ln::Pair<double> weight = {pos_[channel], neg_[channel]};
      const ln::Pair<double> grad = {
          ln::detail::load(grad_[asked_.grad_is_uniform ? 0 : pos]),
          ln::detail::load(grad_[asked_.grad_is_uniform ? 0 : neg])};
      const auto y = ln::detail::forward<Activation>(z, weight, 0.0);
      const ln::detail::SavedValues<double, int> saved{z, {}, {}};
      const double back = ln::detail::backward<Input>(saved, grad, weight, 0.0);
      result.output[pos] = y.pos;
      result.output[neg] = y.neg;
      const double largest_weight =
          Activation::has_weight
              ? std::max(1.0, std::max(std::abs(weight.pos), std::abs(weight.neg)))
              : 1.0;
      const double arriving = (std::abs(grad.pos) + std::abs(grad.neg)) * largest_weight;
      constexpr double kTiny = 4 * kPrecision<T>.smallest;
      result.output_bound[pos] = 16 * kPrecision<T>.epsilon * std::abs(y.pos) + kTiny;
      result.output_bound[neg] = 16 * kPrecision<T>.epsilon * std::abs(y.neg) + kTiny;
      result.grad_input[element] = back;
      result.grad_input_bound[element] = 16 * kPrecision<T>.epsilon * arriving + kTiny;
      result.bias[channel] += back;
      result.bias_bound[channel] +=
          (64 * kPrecision<C>.epsilon + 16 * kPrecision<T>.epsilon) * arriving + kTiny;
      if constexpr (Activation::has_weight) {
        const auto terms = ln::detail::weight_gradient<Input>(saved, grad, weight);
        const double off = (64 * kPrecision<C>.epsilon + 4 * kPrecision<T>.epsilon) * std::abs(z);
        result.weight_pos[channel] += terms.pos;
        result.weight_neg[channel] += terms.neg;
        result.weight_pos_bound[channel] += off * std::abs(grad.pos) + kTiny;
        result.weight_neg_bound[channel] += off * std::abs(grad.neg) + kTiny;
      }
    }
    return result;
  }

  bool is_right(const Results<T>& actual) const {
    const Exact expected = exact();
    bool good = is_close(actual.output, expected.output, expected.output_bound, "output");
    good = is_close(
               actual.grad_input,
               expected.grad_input,
               expected.grad_input_bound,
               "gradient of the input") &&
           good;
    if (asked_.weight) {
      good = is_close(
                 actual.weight_pos,
                 expected.weight_pos,
                 expected.weight_pos_bound,
                 "gradient of weight_pos") &&
             good;
      good = is_close(
                 actual.weight_neg,
                 expected.weight_neg,
                 expected.weight_neg_bound,
                 "gradient of weight_neg") &&
             good;
    }
    if (asked_.bias) {
      good =
          is_close(actual.bias, expected.bias, expected.bias_bound, "gradient of the bias") && good;
    }
    return good;
  }

  Case case_;
  Asked asked_;
  std::int64_t numel_, row_;
  Stream stream_;
  std::mt19937 random_{17};
  std::vector<T> x_, grad_;
  std::vector<C> pos_, neg_, b_;
  Array<T> input_, arriving_;
  Array<C> weight_pos_, weight_neg_, bias_;
  Array<T> output_, grad_input_;
  Array<std::uint8_t> masks_;
  Array<C> sum_pos_, sum_neg_, sum_bias_;
  std::unique_ptr<Array<C>> partial_;
};

struct Counts {
  int run = 0;
  int failed = 0;
};

template <class Activation, class T>
void run(const std::string& text, cudaStream_t stream, Counts& counts) {
  for (const Case& of : kCases) {
    for (const From from : {From::saved, From::output, From::input}) {
      for (const bool weight : {false, true}) {
        for (const bool bias : {false, true}) {
          const Asked asked{from, weight, bias, (counts.run % 5) == 4};
          if ((from == From::output && !Activation::output_tells_masks) ||
              (weight && !Activation::has_weight)) {
            continue;
          }
          const std::string name =
              std::string(Activation::name) + " " + kPrecision<T>.name + " " + label(of, asked);
          if (name.find(text) == std::string::npos) {
            continue;
          }
          ++counts.run;
          if (!Step<Activation, T>(of, asked, stream).passes()) {
            ++counts.failed;
            std::printf("FAILED %s\n", name.c_str());
          }
        }
      }
    }
  }
}

/// All activations, each in a type of 32 and one of 16 bits; the other two types in one of them.
void run_all(const std::string& text, cudaStream_t stream, Counts& counts) {
#define TESTS_RUN(A, function, Module)                 \
  run<ln::activation::A, float>(text, stream, counts); \
  run<ln::activation::A, BFloat16>(text, stream, counts);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_RUN)
#undef TESTS_RUN
  run<ln::activation::PReLU, double>(text, stream, counts);
  run<ln::activation::PReLU, Half>(text, stream, counts);
}

} // namespace
} // namespace tests

int main(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no CUDA device");
    return 1;
  }
  const std::string text = argc > 1 ? argv[1] : "";
  cudaStream_t stream = nullptr;
  tests::check(cudaStreamCreate(&stream), "cudaStreamCreate");
  tests::Counts counts;
  tests::run_all(text, stream, counts);
  tests::check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  std::printf("%d cases, %d failed\n", counts.run, counts.failed);
  return counts.run > 0 && counts.failed == 0 ? 0 : 1;
}
