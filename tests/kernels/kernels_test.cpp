// Every kernel, CPU target or CUDA kernel executed on the host, on raw memory: any alignment, sizes
// that are not multiples of anything, guard bytes around every buffer.

#include "backends.h"
#include "contract.h"
#include "guarded_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace tests {
namespace {

/// An input of shape [outer, channels, inner]; its channels are at axis 1.
struct InputShape {
  std::int64_t outer, channels, inner;
};

const std::vector<InputShape> kInputShapes = {
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

/// As large as a layer of a network, for the CUDA kernels' sums of some: so that blocks are full,
/// and partial sums many.
const std::vector<InputShape> kLargeInputShapes = {{3136, 128, 1}, {2, 64, 3136}};

bool has_large_cases(const std::string& activation, at::ScalarType type) {
  return (activation == "lk_prelu" && (type == at::kFloat || type == at::kBFloat16)) ||
         (activation == "lk_swish" && type == at::kBFloat16);
}

/// An activation as its kernels know it.
struct Activation {
  const char* name;
  Contract contract;
  ln::Saved saved;
  bool output_tells_masks;
  double number;
  std::vector<NamedBackend> (*backends)();
};

const std::vector<Activation> kActivations = {
#define TESTS_ACTIVATION(A, function, Module) \
  {ln::activation::A::name,                   \
   contract_of<ln::activation::A>(),          \
   ln::activation::A::saved,                  \
   ln::activation::A::output_tells_masks,     \
   kNumber<ln::activation::A>,                \
   &backends<ln::activation::A>},
    TESTS_FOR_EVERY_ACTIVATION(TESTS_ACTIVATION)
#undef TESTS_ACTIVATION
};

/// What a backend is run on.
struct Case {
  Activation activation;
  NamedBackend backend;
  at::ScalarType type;
  InputShape shape;
  std::size_t offset; ///< of each tensor, in bytes from a 64-byte boundary
  bool has_bias;
  bool grad_is_uniform;

  std::string name() const {
    const auto& [outer, channels, inner] = shape;
    return std::string(activation.name) + "_" + backend.name + "_" + label(type) + "_" +
           std::to_string(outer) + "x" + std::to_string(channels) + "x" + std::to_string(inner) +
           "_at_byte_" + std::to_string(offset) + (has_bias ? "_with_bias" : "") +
           (grad_is_uniform ? "_uniform_gradient" : "");
  }

  friend std::ostream& operator<<(std::ostream& stream, const Case& self) {
    return stream << self.name();
  }
};

/// The offsets for a shape: all for a small one; where rows are whole blocks (which may be written
/// past the caches) the boundary too; else one of them.
std::vector<std::size_t> offsets(std::size_t shape, std::size_t element_size) {
  std::vector<std::size_t> result;
  if (shape == 4) {
    for (std::size_t offset = 0; offset < 16; offset += element_size) {
      result.push_back(offset);
    }
    return result;
  }
  result.push_back(shape * element_size % 16);
  if (kInputShapes[shape].channels * kInputShapes[shape].inner % 64 == 0 && result[0] != 0) {
    result.push_back(0);
  }
  return result;
}

/// Calls `use(activation, backend, type)` for each of them.
template <class Use>
void for_every_kernel(const Use& use) {
  for (const Activation& activation : kActivations) {
    for (const NamedBackend& backend : activation.backends()) {
      for (const auto type : kTypes) {
        use(activation, backend, type);
      }
    }
  }
}

/// Every kernel on every shape at some offsets, half of the cases with a bias and a third of them
/// with a gradient that is one number: among both are those that read whole vectors.
std::vector<Case> cases_on_any_memory() {
  std::vector<Case> cases;
  for_every_kernel([&](const Activation& activation, const NamedBackend& backend, auto type) {
    const std::size_t element_size = at::elementSize(type);
    for (std::size_t s = 0; s < kInputShapes.size(); ++s) {
      for (const std::size_t offset : offsets(s, element_size)) {
        const std::size_t number = s + offset / element_size;
        cases.push_back(
            {activation, backend, type, kInputShapes[s], offset, number % 2 == 0, number % 3 == 1});
      }
    }
  });
  return cases;
}

/// Every kernel on every shape, with a bias, on a third of them with a gradient that is one number:
/// either the CUDA kernels, or the CPU targets. Of the CUDA kernels one case runs both orders of
/// threads.
std::vector<Case> cases_with_sums(bool of_cuda) {
  std::vector<Case> cases;
  for_every_kernel([&](const Activation& activation, const NamedBackend& backend, auto type) {
    if (backend.is_cuda() != of_cuda) {
      return;
    }
    for (std::size_t s = 0; s < kInputShapes.size(); ++s) {
      cases.push_back({activation, backend, type, kInputShapes[s], 0, true, s % 3 == 1});
    }
    if (of_cuda && !backend.is_in_parts && has_large_cases(activation.name, type)) {
      for (const InputShape& shape : kLargeInputShapes) {
        cases.push_back({activation, backend, type, shape, 0, true, false});
      }
    }
  });
  return cases;
}

/// Normally distributed numbers, with the special ones in between if asked.
Tensor numbers(at::IntArrayRef sizes, at::ScalarType type, bool special) {
  Tensor x = torch::randn(sizes, at::kDouble) * 3;
  if (special) {
    const double infinity = std::numeric_limits<double>::infinity();
    const std::vector<double> values = {
        0.0, -0.0, infinity, -infinity, std::nan(""), 1e-40, -1e-310, 6e-8, 60000, -1e30};
    auto flat = x.view({-1});
    for (std::size_t i = 0; i < values.size() && 3 * i < static_cast<std::size_t>(x.numel()); ++i) {
      flat[static_cast<std::int64_t>(3 * i)] = values[i];
    }
  }
  return x.to(type);
}

/// What a backward starts from: what the activation saves, or the output where masks are the rule,
/// or the input.
enum class From { saved, output, input };

/// What a backward may be asked for besides the input's gradient, and what it starts from.
struct Asked {
  ln::detail::Wanted sums;
  From from;

  std::string label() const {
    return std::string("backward") + (sums.weight ? ", weights" : "") +
           (sums.bias ? ", bias" : "") + (from == From::output ? ", from the output" : "") +
           (from == From::input ? ", from the input" : "");
  }
};

/// \param wants_sums whether only those that ask for a sum.
std::vector<Asked> every_backward(
    const Activation& activation, bool has_bias, bool wants_sums = false) {
  std::vector<Asked> cases;
  for (const bool weight : {false, true}) {
    for (const bool bias : {false, true}) {
      for (const From from : {From::saved, From::output, From::input}) {
        if (weight <= activation.contract.has_weight && bias <= has_bias &&
            (from != From::output || activation.output_tells_masks) &&
            wants_sums <= (weight || bias)) {
          cases.push_back({{weight, bias}, from});
        }
      }
    }
  }
  return cases;
}

/// Runs of backends on guarded memory.
class GuardedRun {
 public:
  /// \param special whether the input has special numbers. The gradient has none.
  GuardedRun(const Case& of, bool special)
      : case_(of), sizes_{of.shape.outer, of.shape.channels, of.shape.inner},
        output_sizes_{sizes_[0], 2 * sizes_[1], sizes_[2]}, input_(sizes_, of.type, of.offset),
        output_(output_sizes_, of.type, of.offset),
        grad_(
            of.grad_is_uniform ? std::vector<std::int64_t>{1} : output_sizes_, of.type, of.offset),
        grad_input_(sizes_, of.type, of.offset) {
    torch::manual_seed(7);
    const auto& [outer, channels, inner] = of.shape;
    const auto computing = computing_type(of.type);
    input_.tensor.copy_(numbers(sizes_, of.type, special));
    grad_.tensor.copy_(numbers(grad_.tensor.sizes(), of.type, false));
    if (of.activation.contract.has_weight) {
      weight_ = {
          torch::randn({channels}, computing),
          // Of every sign, and zero: the output alone could not tell where z was.
          torch::arange(-1, channels - 1, computing) / 4};
    }
    if (of.has_bias) {
      bias_ = torch::randn({channels}, computing);
    }
  }

  Arguments arguments() const {
    return {
        input_.tensor,
        grad_.tensor.expand(output_sizes_),
        1,
        {weight_, bias_},
        {case_.shape.channels, 1}};
  }

  void forward(const Backend& backend) {
    GuardedBuffer masks({ln::detail::mask_bytes(input_.tensor.numel())}, at::kByte, 0);
    ln::detail::ForwardArguments args = {};
    fill(args);
    args.input = input_.tensor.data_ptr();
    args.output = output_.tensor.data_ptr();
    if (case_.activation.saved == ln::Saved::masks) {
      args.masks = masks.tensor.data_ptr<std::uint8_t>();
    }
    backend.forward(args, case_.type, at::kCPU);
    input_.expect_guards_untouched("input");
    output_.expect_guards_untouched("output");
    masks.expect_guards_untouched("masks");
    masks_ = masks.tensor.clone();
  }

  const Tensor& output() const {
    return output_.tensor;
  }

  Results backward(const Backend& backend, const Asked& asked) {
    const auto& wanted = asked.sums;
    const std::int64_t channels = case_.shape.channels;
    const auto computing = computing_type(case_.type);
    GuardedBuffer weight_sums({2, channels}, computing, 0);
    GuardedBuffer bias_sums({channels}, computing, 0);
    ln::detail::BackwardArguments args = {};
    fill(args);
    args.grad = grad_.tensor.data_ptr();
    args.grad_is_uniform = case_.grad_is_uniform;
    const bool from_input = asked.from == From::input;
    if (from_input || case_.activation.saved == ln::Saved::input) {
      args.input_or_output = input_.tensor.data_ptr();
    } else if (
        case_.activation.saved == ln::Saved::output || wanted.weight ||
        asked.from == From::output) {
      args.input_or_output = output_.tensor.data_ptr();
    }
    if (asked.from == From::saved) {
      args.masks = masks_.data_ptr<std::uint8_t>();
    }
    args.grad_input = grad_input_.tensor.data_ptr();
    if (wanted.weight) {
      args.grad_weight = {weight_sums.tensor[0].data_ptr(), weight_sums.tensor[1].data_ptr()};
    }
    if (wanted.bias) {
      args.grad_bias = bias_sums.tensor.data_ptr();
    }
    (from_input ? backend.backward_from_input : backend.backward)(args, case_.type, at::kCPU);
    grad_input_.expect_guards_untouched("gradient of the input");
    grad_.expect_guards_untouched("gradient");
    weight_sums.expect_guards_untouched("gradients of the weights");
    bias_sums.expect_guards_untouched("gradient of the bias");
    Results results{output_.tensor, grad_input_.tensor};
    if (wanted.weight) {
      const Tensor sums = weight_sums.tensor.clone();
      results.grad_weight = {sums[0], sums[1]};
    }
    if (wanted.bias) {
      results.grad_bias = bias_sums.tensor.clone();
    }
    return results;
  }

 private:
  /// What both passes are given.
  template <class KernelArguments>
  void fill(KernelArguments& args) const {
    const auto address = [](const Tensor& tensor) {
      return tensor.defined() ? tensor.data_ptr() : nullptr;
    };
    const ln::detail::ParameterIndex index{case_.shape.inner, case_.shape.channels};
    args.numel = input_.tensor.numel();
    args.row = case_.shape.channels * case_.shape.inner;
    args.weight = {{address(weight_.pos), address(weight_.neg)}, index};
    args.bias = {address(bias_), index};
    args.number = case_.activation.number;
  }

  Case case_;
  std::vector<std::int64_t> sizes_, output_sizes_;
  GuardedBuffer input_, output_, grad_, grad_input_;
  ln::Pair<Tensor> weight_; ///< undefined without weights
  Tensor bias_;             ///< undefined without a bias
  Tensor masks_;
};

class KernelsOnAnyMemory : public testing::TestWithParam<Case> {};

TEST_P(KernelsOnAnyMemory, EqualTheComposedExpression) {
  const Case& of = GetParam();
  GuardedRun run(of, /*special=*/true);
  const Expected expected(of.activation.contract, run.arguments());
  run.forward(*of.backend.backend);
  expected.check_output(run.output());
  for (const Asked& asked : every_backward(of.activation, of.has_bias)) {
    SCOPED_TRACE(asked.label());
    // Not the sums: of special numbers they say nothing. CpuSums and CudaSums compare them.
    expected.check_grad_input(run.backward(*of.backend.backend, asked).grad_input);
  }
}

constexpr auto kName = [](const auto& info) { return info.param.name(); };
INSTANTIATE_TEST_SUITE_P(, KernelsOnAnyMemory, testing::ValuesIn(cases_on_any_memory()), kName);

class CpuSums : public testing::TestWithParam<Case> {};

TEST_P(CpuSums, AreTheParametersGradients) {
  const Case& of = GetParam();
  GuardedRun run(of, /*special=*/false);
  const Expected expected(of.activation.contract, run.arguments());
  run.forward(*of.backend.backend);
  for (const Asked& asked : every_backward(of.activation, of.has_bias, /*wants_sums=*/true)) {
    SCOPED_TRACE(asked.label());
    expected.check_sums(run.backward(*of.backend.backend, asked));
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CpuSums); // not every program has CPU targets
INSTANTIATE_TEST_SUITE_P(, CpuSums, testing::ValuesIn(cases_with_sums(false)), kName);

class CudaSums : public testing::TestWithParam<Case> {};

TEST_P(CudaSums, AreTheParametersGradientsInAnyOrderOfThreads) {
  const Case& of = GetParam();
  GuardedRun run(of, /*special=*/false);
  const Expected expected(of.activation.contract, run.arguments());
  run.forward(*of.backend.backend);
  for (const Asked& asked : every_backward(of.activation, of.has_bias, /*wants_sums=*/true)) {
    SCOPED_TRACE(asked.label());
    const Results sums = run.backward(*of.backend.backend, asked);
    expected.check_sums(sums);
    const Results again = run.backward(*of.backend.reversed, asked);
    if (asked.sums.weight) {
      expect_same_bits(again.grad_weight.pos, sums.grad_weight.pos, "reversed: weight_pos");
      expect_same_bits(again.grad_weight.neg, sums.grad_weight.neg, "reversed: weight_neg");
    }
    if (asked.sums.bias) {
      expect_same_bits(again.grad_bias, sums.grad_bias, "reversed: bias");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, CudaSums, testing::ValuesIn(cases_with_sums(true)), kName);

} // namespace
} // namespace tests
