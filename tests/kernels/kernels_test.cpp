// Every kernel, CPU target or CUDA kernel executed on the host, on raw memory: any alignment, sizes
// that are not multiples of anything, guard bytes around every buffer.

#include "backends.h"
#include "reference.h"

#include <linked_neurons/cuda/int_divider.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace tests {
namespace {

/// The memory of a tensor, or null where it is undefined.
void* address(const Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr() : nullptr;
}

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

  void expect_guards_untouched(const std::string& what) const {
    const auto is_guard = [](unsigned char byte) { return byte == kGuardByte; };
    const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(first_);
    EXPECT_TRUE(std::all_of(bytes_.begin(), first, is_guard)) << what << ": written before";
    EXPECT_TRUE(std::all_of(first + static_cast<std::ptrdiff_t>(size_), bytes_.end(), is_guard))
        << what << ": written behind";
  }

  Tensor tensor;

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr unsigned char kGuardByte = 0xa5;
  std::size_t size_;
  std::vector<unsigned char> bytes_;
  std::size_t first_ = 0;
};

/// An input of shape [outer, channels, inner]; its channels are at axis 1.
struct Shape {
  int64_t outer, channels, inner;
};

const std::vector<Shape> kShapes = {
    {1, 1, 1},
    {1, 3, 1},
    {5, 1, 7},
    {3, 4, 1},
    {2, 8, 4},
    {70, 16, 1},
    {3, 5, 13},
    {7, 64, 3},
    {2, 33, 31},
    {1, 64, 64},
    {2, 3, 1024},
    {1, 1, 4099},
    {600, 12, 1},
    {9, 300, 2},
    {40, 8, 1},
    {9, 32, 1},
    {2, 5, 100},
    {3, 3, 199},
};

/// Bytes from a 64-byte boundary at which tensors of a shape start: all for a small one, where rows
/// are whole blocks (which may be written past the caches) the boundary too, else one of them.
std::vector<std::size_t> offsets(std::size_t shape, std::size_t element_size) {
  std::vector<std::size_t> result;
  if (shape == 4) {
    for (std::size_t offset = 0; offset < 16; offset += element_size) {
      result.push_back(offset);
    }
    return result;
  }
  result.push_back(shape * element_size % 16);
  if (kShapes[shape].channels * kShapes[shape].inner % 64 == 0 && result[0] != 0) {
    result.push_back(0);
  }
  return result;
}

/// Normally distributed numbers with the special ones in between.
Tensor numbers(at::IntArrayRef sizes, at::ScalarType type, bool special) {
  Tensor x = torch::randn(sizes, at::kDouble) * 3;
  if (special) {
    const double infinity = std::numeric_limits<double>::infinity();
    const std::vector<double> values = {
        0.0, -0.0, infinity, -infinity, std::nan(""), 1e-40, -1e-310, 6e-8, 60000, -1e30};
    auto flat = x.view({-1});
    for (std::size_t i = 0; i < values.size() && 3 * i < static_cast<std::size_t>(x.numel()); ++i) {
      flat[static_cast<int64_t>(3 * i)] = values[i];
    }
  }
  return x.to(type);
}

/// What a backward may be asked for besides the input's gradient, and whether it starts from the
/// output where masks are the rule.
struct Asked {
  ln::detail::Wanted sums;
  bool keep_output;

  std::string label() const {
    return keep_output ? " from the output" : "";
  }
};

template <class Activation>
std::vector<Asked> every_backward(bool biased) {
  std::vector<Asked> cases;
  for (const bool weight : {false, true}) {
    for (const bool bias : {false, true}) {
      for (const bool keep_output : {false, true}) {
        if (weight <= Activation::has_weight && bias <= biased &&
            keep_output <= Activation::output_tells_masks) {
          cases.push_back({{weight, bias}, keep_output});
        }
      }
    }
  }
  return cases;
}

/// One run of a backend on guarded memory, everything at the same byte offset.
template <class Activation>
struct Run {
  Run(const Shape& shape, at::ScalarType type, std::size_t offset, bool uniform_grad, bool biased)
      : dims{shape.outer, shape.channels, shape.inner},
        output_dims{shape.outer, 2 * shape.channels, shape.inner}, input(dims, type, offset),
        output(output_dims, type, offset),
        grad(uniform_grad ? std::vector<int64_t>{1} : output_dims, type, offset),
        grad_input(dims, type, offset),
        row(shape.channels * shape.inner), index{shape.inner, shape.channels} {
    // Saved masks and finite gradients; the special numbers are for the input.
    input.tensor.copy_(numbers(dims, type, true));
    grad.tensor.copy_(numbers(grad.tensor.sizes(), type, false));
    if (Activation::has_weight) {
      const auto compute = ln::detail::to_opmath_type(type);
      weight = {
          torch::randn({shape.channels}, compute),
          // Of every sign, and zero: the output alone could not tell where z was.
          torch::arange(-1, shape.channels - 1, compute) / 4};
    }
    if (biased) {
      bias = torch::randn({shape.channels}, ln::detail::to_opmath_type(type));
    }
  }

  void forward(const Backend& backend, const std::string& what) {
    GuardedBuffer masks({ln::detail::mask_bytes(input.tensor.numel())}, at::kByte, 0);
    auto args = arguments<ln::detail::ForwardArguments>();
    args.input = address(input.tensor);
    args.output = address(output.tensor);
    if (Activation::saved == ln::Saved::masks) {
      args.masks = masks.tensor.data_ptr<std::uint8_t>();
    }
    backend.forward(args, input.tensor.scalar_type(), at::kCPU);
    input.expect_guards_untouched(what + " input");
    output.expect_guards_untouched(what + " output");
    masks.expect_guards_untouched(what + " masks");
    saved_masks = masks.tensor.clone();
  }

  void backward(
      const Backend& backend, bool uniform_grad, const Asked& asked, const std::string& what) {
    const auto& wanted = asked.sums;
    const auto compute = ln::detail::to_opmath_type(input.tensor.scalar_type());
    GuardedBuffer sums({2, index.count}, compute, 0);
    GuardedBuffer bias_sums({index.count}, compute, 0);
    auto args = arguments<ln::detail::BackwardArguments>();
    args.grad = address(grad.tensor);
    args.grad_is_uniform = uniform_grad;
    if (Activation::saved == ln::Saved::output || wanted.weight || asked.keep_output) {
      args.input_or_output = address(output.tensor);
    }
    if (!asked.keep_output) {
      args.masks = saved_masks.data_ptr<std::uint8_t>();
    }
    args.grad_input = address(grad_input.tensor);
    if (wanted.weight) {
      args.grad_weight = {address(sums.tensor[0]), address(sums.tensor[1])};
    }
    if (wanted.bias) {
      args.grad_bias = address(bias_sums.tensor);
    }
    backend.backward(args, input.tensor.scalar_type(), at::kCPU);
    grad_input.expect_guards_untouched(what + " grad_input");
    grad.expect_guards_untouched(what + " grad");
    sums.expect_guards_untouched(what + " sums");
    bias_sums.expect_guards_untouched(what + " bias sums");
    grad_weight = sums.tensor.clone();
    grad_bias = bias_sums.tensor.clone();
  }

  /// What both passes are given.
  template <class Arguments>
  Arguments arguments() const {
    Arguments args = {};
    args.numel = input.tensor.numel();
    args.row = row;
    args.weight = {{address(weight.pos), address(weight.neg)}, index};
    args.bias = {address(bias), index};
    return args;
  }

  std::vector<int64_t> dims, output_dims;
  GuardedBuffer input, output, grad, grad_input;
  int64_t row;
  ln::Pair<Tensor> weight;
  ln::detail::ParameterIndex index;
  Tensor bias; ///< undefined without
  Tensor saved_masks, grad_weight, grad_bias;
};

template <class Activation>
class Kernels : public testing::Test {};

TYPED_TEST_SUITE(Kernels, Activations, ActivationNames);

TYPED_TEST(Kernels, EqualComposedOnAnyMemory) {
  using Activation = TypeParam;
  torch::manual_seed(7);
  for (const auto& [name, backend] : backends<Activation>()) {
    for (const auto type : kTypes) {
      for (std::size_t s = 0; s < kShapes.size(); ++s) {
        for (const std::size_t offset : offsets(s, at::elementSize(type))) {
          const bool uniform = s % 3 == 2;
          const bool biased = (s + offset / at::elementSize(type)) % 2 == 0;
          const std::string what = name + " " + c10::toString(type) + " shape " +
                                   std::to_string(s) + " offset " + std::to_string(offset) +
                                   (biased ? " with bias" : "");
          Run<Activation> run(kShapes[s], type, offset, uniform, biased);
          run.forward(*backend, what);
          const Tensor& x = run.input.tensor;
          const Tensor grad = run.grad.tensor.expand(run.output_dims);
          // 16-bit types compute in float and round once.
          const auto compute = ln::detail::to_opmath_type(type);
          const std::vector<int64_t> broadcast = {-1, 1};
          const auto exact =
              reference<Activation>(x, run.weight, broadcast, 1, grad, compute, run.bias);
          const auto wide =
              reference<Activation>(x, run.weight, broadcast, 1, grad, at::kDouble, run.bias);
          if (is_bit_exact<Activation>) {
            expect_same_bits(run.output.tensor, exact.output.to(type), what + " output");
          } else {
            const double units = ln::detail::is_16_bit(type) ? 1 : 4;
            expect_output_within(run.output.tensor, wide.output, units, what + " output");
          }

          for (const auto& asked : every_backward<Activation>(biased)) {
            run.backward(*backend, uniform, asked, what + asked.label());
            const Tensor& actual = run.grad_input.tensor;
            if (is_bit_exact<Activation> && !Activation::has_weight) {
              expect_same_values(
                  actual, exact.grad_input.to(type), what + asked.label() + " gradient");
            } else {
              const double slope = Activation::has_weight
                                       ? std::max(
                                             run.weight.pos.abs().max().template item<double>(),
                                             run.weight.neg.abs().max().template item<double>())
                                       : 1;
              // Outside the numbers LibTorch's own derivatives may be NaN.
              const Tensor finite = x.to(at::kDouble).isfinite();
              expect_gradient_within(
                  at::where(finite, actual, at::zeros_like(actual)),
                  at::where(finite, wide.grad_input, at::zeros_like(wide.grad_input)),
                  grad,
                  slope,
                  1,
                  what + asked.label() + " gradient");
            }
          }
        }
      }
    }
  }
}

// Sums of products, so without the special numbers; the same bits in any order of the threads.
TYPED_TEST(Kernels, ParametersGradientsAreExactSums) {
  using Activation = TypeParam;
  torch::manual_seed(8);
  for (const auto type : kTypes) {
    const double sum_epsilon = 16 * epsilon(ln::detail::to_opmath_type(type));
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      Run<Activation> run(kShapes[s], type, 0, false, true);
      run.input.tensor.copy_(numbers(run.dims, type, false));
      const Tensor& x = run.input.tensor;
      const Tensor& grad = run.grad.tensor;
      const auto wide =
          reference<Activation>(x, run.weight, {-1, 1}, 1, grad, at::kDouble, run.bias);
      const auto halves = grad.to(at::kDouble).abs().chunk(2, 1);
      const auto sum = [](const Tensor& each) { return each.sum(at::IntArrayRef{0, 2}); };
      const Tensor magnitude = (x.to(at::kDouble) + run.bias.view({-1, 1})).abs();
      for (const auto& asked : every_backward<Activation>(true)) {
        const auto& wanted = asked.sums;
        Tensor weight_of_kernels;
        Tensor bias_of_kernels;
        for (const auto& [name, backend] : backends<Activation>()) {
          const std::string what =
              name + " " + c10::toString(type) + " shape " + std::to_string(s) + asked.label();
          run.forward(*backend, what);
          run.backward(*backend, false, asked, what);
          if (wanted.weight) {
            // z comes back from an output that was rounded.
            const Tensor terms =
                at::stack({sum(magnitude * halves[0]), sum(magnitude * halves[1])});
            expect_within(
                run.grad_weight,
                at::stack({wide.grad_weight.pos, wide.grad_weight.neg}),
                terms * (sum_epsilon + epsilon(type)),
                what + " slopes");
          }
          if (wanted.bias) {
            double largest = 1;
            if (Activation::has_weight) {
              const Tensor all = at::stack({run.weight.pos, run.weight.neg});
              largest = std::max(1.0, all.abs().max().template item<double>());
            }
            const double rounded = is_bit_exact<Activation> ? 0 : 4 * epsilon(type) * 1.8;
            expect_within(
                run.grad_bias,
                wide.grad_bias,
                sum(halves[0] + halves[1]) * (largest * (sum_epsilon + rounded)),
                what + " bias");
          }
          if (name == "host-executed kernels") {
            weight_of_kernels = run.grad_weight;
            bias_of_kernels = run.grad_bias;
          } else if (name == "host-executed kernels, descending") {
            expect_same_bits(run.grad_weight, weight_of_kernels, what + " slopes");
            expect_same_bits(run.grad_bias, bias_of_kernels, what + " bias");
          }
        }
      }
    }
  }
}

TEST(IntDivider, DividesLikeTheProcessor) {
  const auto check = [](auto zero) {
    using Index = decltype(zero);
    const Index largest = std::numeric_limits<Index>::max() / 2;
    for (const Index divisor :
         {Index{1},
          Index{2},
          Index{3},
          Index{7},
          Index{64},
          Index{641},
          Index{50176},
          largest / 3,
          largest - 1,
          largest}) {
      const auto divider = ln::cuda::IntDivider<Index>::of(divisor);
      for (const Index near : {Index{0}, divisor, Index(divisor * 2), largest / 2, largest}) {
        for (int step = -2; step <= 2; ++step) {
          const Index n = near + static_cast<Index>(step);
          if (n <= largest) {
            EXPECT_EQ(divider.divide(n), n / divisor) << n << " / " << divisor;
          }
        }
      }
    }
  };
  check(std::uint32_t{});
  check(std::uint64_t{});
}

} // namespace
} // namespace tests
