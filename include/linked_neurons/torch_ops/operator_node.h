/// \file
/// A node of LibTorch's graph whose backward calls operators, through the dispatcher.
#pragma once

#include <linked_neurons/detail/saving_node.h>

#include <torch/csrc/dynamo/compiled_autograd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace linked_neurons::detail {

/// Flags as a part of a constant, a bit each, and back.
template <std::size_t kCount>
std::int64_t to_constant(const std::array<bool, kCount>& flags) {
  std::int64_t constant = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    constant |= std::int64_t(flags[i]) << i;
  }
  return constant;
}
template <std::size_t kCount>
std::array<bool, kCount> to_flags(std::int64_t constant) {
  std::array<bool, kCount> flags;
  for (std::size_t i = 0; i < kCount; ++i) {
    flags[i] = (constant >> i & 1) != 0;
  }
  return flags;
}

/// What tracing, export and compiled autograd need of such a node: a function of what it holds.
class OperatorNode : public SavingNode<5> {
 public:
  // For compiled autograd (torch/csrc/dynamo/compiled_autograd.h says how), which collects what a
  // node holds, puts symbols in its place, and asks for a function of these.

  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    args.collect(name());
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      args.collect(saved_[i], saves_output_ && i == 0);
    }
    args.collect(sizes_);
    args.collect(constant_);
    args.collect(this->number_);
  }

  Tensors apply_with_saved(
      const Tensors& grads, torch::dynamo::autograd::SwapSavedVariables& swap) override {
    namespace compiled = torch::dynamo::autograd;
    using Edges = std::vector<std::optional<torch::autograd::InputMetadata>>;
    for (auto& each : saved_) {
      swap.before(each);
    }
    swap.before(sizes_);
    compiled::PackedArgs packed;
    packed.pack(saved_variables());
    packed.pack(sizes_);
    packed.pack(constant_);
    packed.pack(this->number_);
    const auto& args = packed.vec();
    std::vector<at::TypePtr> types;
    types.reserve(args.size());
    for (const auto& each : args) {
      types.push_back(each.type());
    }
    const auto& compiler = compiled::getPyCompilerInterface();
    const auto function = compiler->bind_function(
        swap.get_py_compiler(),
        name(),
        [run = run_](const Tensors& inputs, const std::vector<at::IValue>& values) {
          compiled::PackedArgs unpacked(values);
          const auto saved = unpacked.unpack<Tensors>();
          const auto sizes = unpacked.unpack<std::vector<c10::SymInt>>();
          const auto constant = unpacked.unpack<std::int64_t>();
          return run(inputs, saved, sizes, constant, unpacked.unpack<double>());
        },
        types,
        /*is_custom_function=*/true,
        /*is_traceable=*/true);
    auto result = compiler->call_function(
        swap.get_py_compiler(),
        "apply_functional",
        function,
        grads,
        args,
        compiled::IValuePacker<Edges>::pack(compiled::get_input_metadata(next_edges())));
    for (auto& each : saved_) {
      swap.after(each);
    }
    swap.after(sizes_);
    return result;
  }

 protected:
  /// The gradients, in the order of the edges, of those that arrive and of what the node holds.
  using Run = Tensors (*)(
      const Tensors& grads,
      const Tensors& saved,
      c10::SymIntArrayRef sizes,
      std::int64_t constant,
      double number);

  explicit OperatorNode(Run run) : run_(run) {}

  std::vector<c10::SymInt> sizes_; ///< or other numbers that may be symbols
  std::int64_t constant_ = 0;
  bool saves_output_ = false; ///< whether the first saved tensor is the node's own output

 private:
  Run run_;
};

} // namespace linked_neurons::detail
