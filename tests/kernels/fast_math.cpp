// Prints what the CPU loops make of some numbers: "layer x g(x) g(-x) gradient", a number a line.
// fast_math_test.py compiles this file with flags that change floating-point arithmetic, checks
// what the program prints, and defines ARRIVING, the gradients at the two halves, and WEIGHTS.
#include <linked_neurons/activation/all.h>
#include <linked_neurons/cpu/blocks.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

namespace ln = linked_neurons;
namespace cpu = ln::detail::cpu;

using Numbers = std::vector<float>;

template <class Activation>
void print(const Numbers& x) {
  const auto size = static_cast<std::int64_t>(x.size());
  const float weights[] = {WEIGHTS};
  const float arriving[] = {ARRIVING};
  Numbers y(2 * x.size());
  Numbers grad(x.size(), arriving[0]);
  grad.resize(y.size(), arriving[1]);
  Numbers grad_x(x.size());
  std::vector<std::uint8_t> masks(ln::detail::mask_bytes(x.size()));

  ln::detail::ForwardArguments forward = {};
  forward.input = x.data();
  forward.output = y.data();
  forward.masks = masks.data();
  forward.numel = size;
  forward.row = size;
  forward.weight.values = {&weights[0], &weights[1]};
  const cpu::ForwardBlocks<Activation, float> forward_blocks{
      forward, cpu::StoredType::as_computed, false};
  ln::detail::run_on(ln::detail::best_target(), forward_blocks, 0, cpu::block_count(size));

  ln::detail::BackwardArguments backward = {};
  backward.grad = grad.data();
  backward.input_or_output = y.data();
  backward.masks = masks.data();
  backward.grad_input = grad_x.data();
  backward.numel = size;
  backward.row = size;
  backward.weight = forward.weight;
  const cpu::BackwardBlocks<Activation, float, false> backward_blocks{
      backward, cpu::StoredType::as_computed, false};
  ln::detail::run_on(ln::detail::best_target(), backward_blocks, 0, cpu::block_count(size));

  for (std::size_t i = 0; i < x.size(); ++i) {
    std::printf(
        "%s %a %a %a %a\n", Activation::name, x[i], y[i], y[i + x.size()], double(grad_x[i]));
  }
}

} // namespace

/// The numbers are the program's arguments.
int main(int argc, char** argv) {
  Numbers x;
  for (int i = 1; i < argc; ++i) {
    x.push_back(std::strtof(argv[i], nullptr));
  }
#define TESTS_PRINT(A, function, Module) print<ln::activation::A>(x);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_PRINT)
}
