#include "tasks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/xlogy.h>
#include <torch/utils.h>

#include <cmath>

namespace article {

void draw_task(
    const Settings& settings, int seed, std::int64_t number, const Images& all, Images& task) {
  const torch::NoGradGuard guard;
  // Other numbers than the epochs' (trainer.cpp), which are far fewer.
  constexpr std::uint64_t apart = std::uint64_t{1} << 31U;
  torch::manual_seed(
      static_cast<std::uint64_t>(seed) * 1000003 + apart + static_cast<std::uint64_t>(number));
  const auto options = all.labels.options();
  const at::Tensor chosen = at::randperm(all.count(), options).narrow(0, 0, task.count());
  at::Tensor pixels = all.pixels.index_select(0, chosen).flatten(1);
  at::Tensor labels = all.labels.index_select(0, chosen);
  if (settings.stream == "random-labels") {
    labels = at::randint(10, {task.count()}, options);
  } else {
    pixels = pixels.index_select(1, at::randperm(pixels.size(1), options));
  }
  task.pixels.copy_(pixels.view_as(task.pixels));
  task.labels.copy_(labels);
}

double effective_rank(const at::Tensor& rows) {
  const torch::NoGradGuard guard;
  // The squares of the singular values: of a small matrix, which the CPU is quick with.
  const at::Tensor numbers = rows.flatten(1).to(at::kDouble);
  const at::Tensor values =
      at::linalg_eigvalsh(numbers.t().matmul(numbers).cpu()).clamp_min(0).sqrt();
  const auto sum = values.sum().item<double>();
  if (!(sum > 0)) { // 0, or a NaN
    return sum;
  }
  const at::Tensor shares = values / sum;
  return std::exp(-at::xlogy(shares, shares).sum().item<double>());
}

} // namespace article
