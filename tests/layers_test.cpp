// The layers as a program calls them, against the composed expression: layer x type x layout x axis
// x shape, on the device that LINKED_NEURONS_TEST_DEVICE names (cpu, or cuda), and over the CUDA
// kernels executed on the host.

#include "backends.h"
#include "reference.h"

#include <cstdlib>

namespace tests {
namespace {

at::Device test_device() {
  const char* name = std::getenv("LINKED_NEURONS_TEST_DEVICE");
  return std::string(name == nullptr ? "cpu" : name);
}

/// How a tensor lies in memory.
struct MemoryCase {
  const char* name;
  /// `x` laid out so, or undefined where its axes do not allow it.
  Tensor (*of)(const Tensor& x);
};

const std::vector<MemoryCase> kMemory = {
    {"contiguous", [](const Tensor& x) { return x.contiguous(); }},
    {"channels last",
     [](const Tensor& x) {
       return x.dim() == 4   ? x.contiguous(at::MemoryFormat::ChannelsLast)
              : x.dim() == 5 ? x.contiguous(at::MemoryFormat::ChannelsLast3d)
                             : Tensor();
     }},
    {"axes in reverse order",
     [](const Tensor& x) {
       std::vector<int64_t> reverse(x.dim());
       for (int64_t i = 0; i < x.dim(); ++i) {
         reverse[i] = x.dim() - 1 - i;
       }
       return x.permute(reverse).contiguous().permute(reverse);
     }},
    {"at an odd offset",
     [](const Tensor& x) {
       return at::cat({x.new_zeros({1}), x.reshape({-1})}).narrow(0, 1, x.numel()).view(x.sizes());
     }},
    {"every other of a larger tensor",
     [](const Tensor& x) {
       return at::stack({x, x + 1}, -1).select(-1, 0);
     }},
    {"rows of a larger tensor",
     [](const Tensor& x) {
       return at::cat({x, x}, 0).narrow(0, x.size(0) / 2, x.size(0));
     }},
    {"expanded along the batch",
     [](const Tensor& x) { return x.narrow(0, 0, 1).expand(x.sizes()); }},
};

/// An input's sizes and its channel axis.
struct ShapeCase {
  std::vector<int64_t> sizes;
  int64_t dim;
};

const std::vector<ShapeCase> kShapes = {
    {{5}, 0},
    {{5}, -1},
    {{3, 7}, 1},
    {{3, 8}, 0},
    {{2, 3, 5}, 1},
    {{2, 8, 16}, -1},
    {{4, 3, 5}, 0},
    {{2, 16, 4, 6}, 1},
    {{2, 5, 3, 7}, 1},
    {{3, 4, 5, 6}, -1},
    {{3, 4, 5, 6}, -2},
    {{2, 3, 4, 6}, 0},
    {{2, 1, 3, 3}, 1},
    {{4, 6, 1, 1}, 1},
    {{1, 1, 1, 1}, 1},
    {{2, 4, 2, 3, 2}, 1},
    {{2, 3, 2, 2, 3}, -1},
    {{2, 3, 2, 2, 2, 2}, 1},
    {{33, 130}, 1},
    {{0, 4, 3}, 1},
    {{2, 0, 3}, 1},
};

const std::vector<at::ScalarType> kTypes = {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16};

/// Slopes of one kind for an input, and the sizes with which they broadcast against it.
struct SlopesCase {
  ln::Pair<Tensor> slopes;
  std::vector<int64_t> broadcast;
};

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
Results run_public(const Tensor& x, ln::Pair<Tensor> slopes, int64_t dim, const Tensor& grad) {
  const Tensor leaf = x.detach().requires_grad_();
  std::vector<Tensor> inputs = {leaf};
  if (Activation::has_weight) {
    slopes = {slopes.pos.detach().requires_grad_(), slopes.neg.detach().requires_grad_()};
    inputs.insert(inputs.end(), {slopes.pos, slopes.neg});
  }
  const Tensor y = ln::detail::linked<Activation>(leaf, slopes, dim);
  const auto grads = torch::autograd::grad({y}, inputs, {grad});
  Results results{y.detach(), grads[0], {}};
  if (Activation::has_weight) {
    results.grad_weight = {grads[1], grads[2]};
  }
  return results;
}

/// The same steps with the CUDA kernels, executed on the host.
template <class Activation>
Results run_kernels(const Tensor& x, ln::Pair<Tensor> slopes, int64_t dim, const Tensor& grad) {
  const Backend* backend = backends<Activation>()[0].backend;
  dim = ln::detail::check_input(Activation::name, x, dim);
  auto kind = ln::detail::Slopes::one;
  if constexpr (Activation::has_weight) {
    kind = ln::detail::check_weight(Activation::name, slopes, x, dim);
  }
  const auto forwarded = ln::detail::run_forward<Activation>(backend, x, slopes, kind, dim, true);
  const Tensor dense = ln::detail::dense(x);
  const ln::detail::Saves saves{
      forwarded.output,
      forwarded.signs,
      forwarded.sign_group,
      slopes,
      kind,
      dim,
      Activation::has_weight};
  auto gradients = ln::detail::run_backward<Activation>(
      *backend, grad, saves, ln::detail::layout_of(dense.sizes(), dense.strides(), dim));
  return {forwarded.output, gradients.input, gradients.weight};
}

template <class Activation>
void check(
    const Results& actual,
    const Tensor& x,
    const SlopesCase& slopes,
    int64_t dim,
    const Tensor& grad,
    const std::string& what) {
  const auto type = x.scalar_type();
  const auto on_cpu = [](const Tensor& tensor) { return tensor.defined() ? tensor.cpu() : tensor; };
  const ln::Pair<Tensor> weight{on_cpu(slopes.slopes.pos), on_cpu(slopes.slopes.neg)};
  const auto run_reference = [&](at::ScalarType in) {
    return reference<Activation>(x.cpu(), weight, slopes.broadcast, dim, grad.cpu(), in);
  };
  const auto wide = run_reference(at::kDouble);
  EXPECT_EQ(actual.output.scalar_type(), type) << what;
  EXPECT_EQ(actual.grad_input.scalar_type(), type) << what;
  if (is_exact<Activation>) {
    const auto exact = run_reference(ln::detail::compute_type(type));
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
  if (Activation::has_weight) {
    const Tensor all = at::stack({weight.pos, weight.neg}).abs().to(at::kDouble);
    largest = all.max().item<double>();
    // Sums accumulate in float and are rounded once to the slopes' type.
    const auto compute = ln::detail::compute_type(type);
    const auto halves = grad.cpu().to(at::kDouble).abs().chunk(2, dim);
    const Tensor magnitude = x.cpu().to(at::kDouble).abs();
    const auto check_sums = [&](const Tensor& sums, const Tensor& expected, const Tensor& half) {
      const Tensor terms = (magnitude * half).sum_to_size(slopes.broadcast).view(sums.sizes());
      const Tensor bound = terms * (16 * epsilon(compute)) + expected.abs() * epsilon(type);
      expect_within(sums, expected, bound, what + " slopes' gradient");
    };
    check_sums(actual.grad_weight.pos, wide.grad_weight.pos, halves[0]);
    check_sums(actual.grad_weight.neg, wide.grad_weight.neg, halves[1]);
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
class Layers : public testing::Test {};

TYPED_TEST_SUITE(Layers, Activations, ActivationNames);

TYPED_TEST(Layers, EqualTheComposedExpression) {
  using Activation = TypeParam;
  const at::Device device = test_device();
  if (device.is_cuda() && !torch::cuda::is_available()) {
    GTEST_SKIP() << "no CUDA device";
  }
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
          const std::string what = std::string(c10::toString(type)) + " " + memory.name + " dim " +
                                   std::to_string(shape.dim) + " of " +
                                   (std::stringstream() << at::IntArrayRef(shape.sizes)).str();
          const auto results = run_public<Activation>(x, slopes.slopes, shape.dim, grad);
          check<Activation>(results, x, slopes, shape.dim, grad, what);
          expect_format_kept(x, results.output, what);
          if (device.is_cpu() && x.numel() > 0) {
            const auto kernels = run_kernels<Activation>(x, slopes.slopes, shape.dim, grad);
            check<Activation>(kernels, x, slopes, shape.dim, grad, what + " (kernels)");
          }
        }
      }
    }
  }
}

/// First and second derivatives in double, against those of the composed expression.
TYPED_TEST(Layers, DifferentiateTwice) {
  using Activation = TypeParam;
  const at::Device device = test_device();
  if (device.is_cuda() && !torch::cuda::is_available()) {
    GTEST_SKIP() << "no CUDA device";
  }
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
        // All that there is to differentiate, of a scalar made from the gradients themselves.
        const auto differentiate = [&](const auto& layer) {
          std::vector<Tensor> leaves = {x.detach().requires_grad_()};
          if (Activation::has_weight) {
            leaves.push_back(slopes.slopes.pos.detach().requires_grad_());
            leaves.push_back(slopes.slopes.neg.detach().requires_grad_());
          }
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
              Activation::has_weight ? ln::Pair<Tensor>{in[1], in[2]} : ln::Pair<Tensor>{},
              dim);
        });
        const auto theirs = differentiate([&](const std::vector<Tensor>& in) {
          ln::Pair<Tensor> weight;
          if (Activation::has_weight) {
            weight = {in[1].view(slopes.broadcast), in[2].view(slopes.broadcast)};
          }
          return composed<Activation>(in[0], weight, dim);
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
  const Tensor y =
      ln::detail::composed::forward<Activation>(leaf, slopes, ln::detail::Slopes::one, 0);
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
  const Tensor y = ln::detail::linked<TypeParam>(at::empty({0, 3}, at::kMeta), slopes, 1);
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{0, 6}));
}

} // namespace
} // namespace tests
