// The layers as a program calls them, against the composed expression: layer x type x layout x axis
// x shape, on the device that LINKED_NEURONS_TEST_DEVICE names (cpu, or cuda), and over the CUDA
// kernels executed on the host.

#include "kernels/backends.h"
#include "layout_cases.h"
#include "reference.h"

#include <cstdlib>

namespace tests {
namespace {

at::Device test_device() {
  const char* name = std::getenv("LINKED_NEURONS_TEST_DEVICE");
  return std::string(name == nullptr ? "cpu" : name);
}

/// Slopes of one kind for an input, and the sizes with which they broadcast against it.
struct SlopesCase {
  ln::Pair<Tensor> slopes;
  std::vector<int64_t> broadcast;
};

Tensor random_bias(const Tensor& x, int64_t dim) {
  return torch::randn({x.size(dim)}, x.options().dtype(at::kDouble)).to(x.scalar_type());
}

std::vector<SlopesCase> slopes_for(const Tensor& x, int64_t dim) {
  const auto random = [&](at::IntArrayRef sizes) {
    const auto options = x.options().dtype(at::kDouble);
    return ln::Pair<Tensor>{
        torch::randn(sizes, options).to(x.scalar_type()),
        torch::randn(sizes, options).to(x.scalar_type())};
  };
  dim = dim < 0 ? dim + x.dim() : dim;
  std::vector<int64_t> per_channel(x.dim() - dim, 1);
  per_channel[0] = x.size(dim);
  const auto elements = x.sizes().slice(1).vec();
  return {
      {random({1}), {1}},
      {random({x.size(dim)}), per_channel},
      {random(elements), elements},
  };
}

template <class Activation>
Results run_public(
    const Tensor& x, ln::Pair<Tensor> slopes, Tensor bias, int64_t dim, const Tensor& grad) {
  const Tensor leaf = x.detach().requires_grad_();
  std::vector<Tensor> inputs = {leaf};
  if (Activation::has_weight) {
    slopes = {slopes.pos.detach().requires_grad_(), slopes.neg.detach().requires_grad_()};
    inputs.insert(inputs.end(), {slopes.pos, slopes.neg});
  }
  if (bias.defined()) {
    bias = bias.detach().requires_grad_();
    inputs.push_back(bias);
  }
  const Tensor y = ln::detail::linked<Activation>(leaf, {slopes, bias}, dim);
  const auto grads = torch::autograd::grad({y}, inputs, {grad});
  Results results{y.detach(), grads[0], {}, {}};
  if (Activation::has_weight) {
    results.grad_weight = {grads[1], grads[2]};
  }
  if (bias.defined()) {
    results.grad_bias = grads.back();
  }
  return results;
}

/// The same steps with the CUDA kernels, executed on the host.
template <class Activation>
Results run_kernels(
    const Tensor& x,
    const ln::Pair<Tensor>& slopes,
    const Tensor& bias,
    int64_t dim,
    const Tensor& grad) {
  const Backend* backend = backends<Activation>()[0].backend;
  dim = ln::detail::check_input(Activation::name, x, dim);
  auto kind = ln::detail::ParameterShape::one;
  if constexpr (Activation::has_weight) {
    kind = ln::detail::check_weight(Activation::name, slopes, x, dim);
  }
  const ln::detail::Parameters parameters{slopes, bias};
  const auto forwarded =
      ln::detail::run_forward<Activation>(backend, x, parameters, kind, dim, true);
  const Tensor dense = ln::detail::dense(x);
  const ln::detail::SavedForBackward saved{
      forwarded.output,
      forwarded.masks,
      forwarded.mask_layout,
      parameters,
      kind,
      dim,
      {Activation::has_weight, bias.defined()}};
  auto gradients = ln::detail::run_backward<Activation>(
      *backend, grad, saved, ln::detail::layout_of(dense.sizes(), dense.strides(), dim));
  const auto& [weight, grad_bias] = gradients.parameters;
  return {forwarded.output, gradients.input, weight, grad_bias};
}

template <class Activation>
void check(
    const Results& actual,
    const Tensor& x,
    const SlopesCase& slopes,
    const Tensor& bias,
    int64_t dim,
    const Tensor& grad,
    const std::string& what) {
  const auto type = x.scalar_type();
  const auto on_cpu = [](const Tensor& tensor) { return tensor.defined() ? tensor.cpu() : tensor; };
  const ln::Pair<Tensor> weight{on_cpu(slopes.slopes.pos), on_cpu(slopes.slopes.neg)};
  const auto run_reference = [&](at::ScalarType in) {
    return reference<Activation>(
        x.cpu(), weight, slopes.broadcast, dim, grad.cpu(), in, on_cpu(bias));
  };
  const auto wide = run_reference(at::kDouble);
  EXPECT_EQ(actual.output.scalar_type(), type) << what;
  EXPECT_EQ(actual.grad_input.scalar_type(), type) << what;
  if (is_bit_exact<Activation>) {
    const auto exact = run_reference(ln::detail::to_opmath_type(type));
    // LibTorch's CUDA operators drop the sign of zero; so on a device values are compared.
    (x.is_cuda() ? expect_same_values
                 : expect_same_bits)(actual.output, exact.output.to(type), what + " output");
    if (!Activation::has_weight) {
      expect_same_values(actual.grad_input, exact.grad_input.to(type), what + " gradient");
    }
  } else {
    const double units = ln::detail::is_16_bit(type) ? 1 : 4;
    expect_output_within(actual.output, wide.output, units, what + " output");
  }
  if (x.numel() == 0) {
    return;
  }
  double largest = 1;
  // Sums accumulate in float and are rounded once to the parameters' type.
  const double sum_epsilon = 16 * epsilon(ln::detail::to_opmath_type(type));
  const auto check_sum =
      [&](const Tensor& sum, const Tensor& expected, const Tensor& term_errors, const char* name) {
        const Tensor bound = term_errors.view(sum.sizes()) + expected.abs() * epsilon(type);
        expect_within(sum, expected, bound, what + name);
      };
  const auto halves = grad.cpu().to(at::kDouble).abs().chunk(2, dim);
  if (Activation::has_weight) {
    const Tensor all = at::stack({weight.pos, weight.neg}).abs().to(at::kDouble);
    largest = std::max(1.0, all.max().item<double>());
    // With a bias z itself is rounded, in the output.
    const double term_epsilon = sum_epsilon + (bias.defined() ? epsilon(type) : 0);
    Tensor z = x.cpu().to(at::kDouble);
    if (bias.defined()) {
      z = z + broadcast_bias(bias.cpu().to(at::kDouble), z, dim);
    }
    const auto errors = [&](const Tensor& half) {
      return (z.abs() * half * term_epsilon).sum_to_size(slopes.broadcast);
    };
    check_sum(actual.grad_weight.pos, wide.grad_weight.pos, errors(halves[0]), " weight_pos");
    check_sum(actual.grad_weight.neg, wide.grad_weight.neg, errors(halves[1]), " weight_neg");
  }
  if (bias.defined()) {
    const double term_epsilon =
        sum_epsilon + (is_bit_exact<Activation> ? 0 : 4 * epsilon(type) * 1.8);
    const Tensor errors = (halves[0] + halves[1]) * (largest * term_epsilon);
    const Tensor like = broadcast_bias(bias.cpu(), errors, dim);
    check_sum(actual.grad_bias, wide.grad_bias, errors.sum_to_size(like.sizes()), " bias");
  }
  expect_gradient_within(
      actual.grad_input, wide.grad_input, grad, largest, dim, what + " gradient");
}

void expect_format_kept(const Tensor& x, const Tensor& y, const std::string& what) {
  if (x.is_non_overlapping_and_dense() && x.numel() > 0) {
    EXPECT_TRUE(y.is_non_overlapping_and_dense()) << what;
    EXPECT_EQ(y.suggest_memory_format(), x.suggest_memory_format()) << what;
    EXPECT_EQ(
        ln::detail::memory_order(x.sizes(), x.strides()),
        ln::detail::memory_order(x.sizes(), y.strides()))
        << what;
  }
}

template <class Activation>
class Layers : public testing::Test {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !torch::cuda::is_available()) {
      GTEST_SKIP() << "no CUDA device";
    }
  }

  const at::Device device = test_device();
};

TYPED_TEST_SUITE(Layers, Activations, ActivationNames);

TYPED_TEST(Layers, EqualTheComposedExpression) {
  using Activation = TypeParam;
  const at::Device device = this->device;
  torch::manual_seed(11);
  for (const auto& shape : kShapes) {
    const Tensor values = torch::randn(shape.sizes, at::kDouble) * 2;
    std::vector<int64_t> output_sizes = shape.sizes;
    output_sizes[at::maybe_wrap_dim(shape.dim, values.dim())] *= 2;
    const Tensor grads = torch::randn(output_sizes, at::kDouble);
    for (const auto& memory : kMemory) {
      if (values.numel() == 0 && std::string(memory.name) != "contiguous") {
        continue;
      }
      for (const auto type : kTypes) {
        const Tensor x = memory.of(values.to(type).to(device));
        if (!x.defined()) {
          continue;
        }
        const Tensor grad = memory.of(grads.to(type).to(device));
        const auto cases =
            Activation::has_weight ? slopes_for(x, shape.dim) : std::vector<SlopesCase>{{{}, {}}};
        for (const auto& slopes : cases) {
          for (const Tensor& bias : {Tensor(), random_bias(x, shape.dim)}) {
            std::ostringstream text;
            text << type << " " << memory.name << " dim " << shape.dim << " of "
                 << at::IntArrayRef(shape.sizes) << (bias.defined() ? " with bias" : "");
            const std::string what = text.str();
            const auto results = run_public<Activation>(x, slopes.slopes, bias, shape.dim, grad);
            check<Activation>(results, x, slopes, bias, shape.dim, grad, what);
            expect_format_kept(x, results.output, what);
            if (device.is_cpu() && x.numel() > 0) {
              const auto kernels = run_kernels<Activation>(x, slopes.slopes, bias, shape.dim, grad);
              check<Activation>(kernels, x, slopes, bias, shape.dim, grad, what + " (kernels)");
            }
          }
        }
      }
    }
  }
}

/// First and second derivatives in double, against those of the composed expression.
TYPED_TEST(Layers, DifferentiateTwice) {
  using Activation = TypeParam;
  const at::Device device = this->device;
  torch::manual_seed(12);
  const auto options = at::TensorOptions(at::kDouble).device(device);
  for (const std::vector<int64_t>& sizes :
       std::vector<std::vector<int64_t>>{{5, 6}, {2, 3, 4, 5}, {2, 70, 3}}) {
    for (int64_t dim = -static_cast<int64_t>(sizes.size());
         dim < static_cast<int64_t>(sizes.size());
         ++dim) {
      const Tensor x = torch::randn(sizes, options);
      const auto cases =
          Activation::has_weight ? slopes_for(x, dim) : std::vector<SlopesCase>{{{}, {}}};
      for (const auto& slopes : cases) {
        const Tensor bias = random_bias(x, dim);
        // All that there is to differentiate, of a scalar made from the gradients themselves.
        const auto differentiate = [&](const auto& layer) {
          std::vector<Tensor> leaves = {x.detach().requires_grad_()};
          if (Activation::has_weight) {
            leaves.push_back(slopes.slopes.pos.detach().requires_grad_());
            leaves.push_back(slopes.slopes.neg.detach().requires_grad_());
          }
          leaves.push_back(bias.detach().requires_grad_());
          const Tensor y = layer(leaves);
          torch::manual_seed(13);
          const Tensor grad = torch::randn(y.sizes(), options).requires_grad_();
          auto first = torch::autograd::grad({y}, leaves, {grad}, true, true);
          Tensor scalar = torch::zeros({}, options);
          for (const auto& each : first) {
            scalar =
                scalar + (each * torch::randn(each.sizes(), options)).sum() + each.pow(2).sum();
          }
          auto inputs = leaves;
          inputs.push_back(grad);
          auto second = torch::autograd::grad({scalar}, inputs, {}, true, false, true);
          first.insert(first.end(), second.begin(), second.end());
          return first;
        };
        const auto ours = differentiate([&](const std::vector<Tensor>& in) {
          return ln::detail::linked<Activation>(
              in[0],
              {Activation::has_weight ? ln::Pair<Tensor>{in[1], in[2]} : ln::Pair<Tensor>{},
               in.back()},
              dim);
        });
        const auto theirs = differentiate([&](const std::vector<Tensor>& in) {
          ln::Pair<Tensor> weight;
          if (Activation::has_weight) {
            weight = {in[1].view(slopes.broadcast), in[2].view(slopes.broadcast)};
          }
          return composed<Activation>(in[0], weight, dim, in.back());
        });
        ASSERT_EQ(ours.size(), theirs.size());
        for (std::size_t i = 0; i < ours.size(); ++i) {
          // A derivative that is zero everywhere may be undefined on either side.
          const Tensor& like = ours[i].defined() ? ours[i] : theirs[i];
          if (!like.defined()) {
            continue;
          }
          const auto or_zero = [&](const Tensor& t) {
            return t.defined() ? t : at::zeros_like(like);
          };
          EXPECT_TRUE(at::allclose(or_zero(ours[i]), or_zero(theirs[i]), 1e-9, 1e-10))
              << "derivative " << i << " at dim " << dim << " of " << at::IntArrayRef(sizes);
        }
      }
    }
  }
}

/// Where LibTorch differentiates the composed path itself (under its transforms), at 0 too.
TYPED_TEST(Layers, ComposedPathHasTheirDerivatives) {
  using Activation = TypeParam;
  const Tensor x = at::tensor({-2.0, -0.5, -0.0, 0.0, 0.5, 2.0}, at::kDouble);
  const Tensor grad = at::arange(1, 13, at::kDouble);
  const Tensor slope = at::full({1}, 0.25, at::kDouble);
  const ln::Pair<Tensor> slopes =
      Activation::has_weight ? ln::Pair<Tensor>{slope, slope} : ln::Pair<Tensor>{};
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor y = ln::detail::composed::forward<Activation>(
      leaf, {slopes, {}}, ln::detail::ParameterShape::one, 0);
  const auto expected = reference<Activation>(x, slopes, {1}, 0, grad, at::kDouble);
  expect_within(y, expected.output, expected.output.abs() * 1e-15, "output");
  expect_within(
      torch::autograd::grad({y}, {leaf}, {grad})[0],
      expected.grad_input,
      expected.grad_input.abs() * 1e-14,
      "gradient");
}

/// A shape is all that a meta tensor has, and an empty one has that too.
TYPED_TEST(Layers, TakeEmptyMetaTensors) {
  const Tensor slope = at::empty({1}, at::kMeta);
  const ln::Pair<Tensor> slopes =
      TypeParam::has_weight ? ln::Pair<Tensor>{slope, slope} : ln::Pair<Tensor>{};
  const Tensor y = ln::detail::linked<TypeParam>(at::empty({0, 3}, at::kMeta), {slopes, {}}, 1);
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{0, 6}));
}

} // namespace
} // namespace tests
