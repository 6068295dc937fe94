/// \file
/// A node of LibTorch's graph that saves tensors.
///
/// It is a `torch::autograd::Node` and not a `torch::autograd::Function`, which does the same in
/// more general terms: that costs its user eight seconds of compiling, and a map at each call.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>

namespace linked_neurons::detail {

/// A new node, in the pointer type by which this version of LibTorch shares nodes: `intrusive_ptr`
/// in the newer ones, `std::shared_ptr` in the older.
template <class Node>
auto make_node() {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Node>) {
    return c10::make_intrusive<Node>();
  } else {
    // LibTorch's deleter, which does not recurse along a deep graph.
    return std::shared_ptr<Node>(new Node, [](Node* node) { deleteNode(node); });
  }
}

/// Another pointer to such a node.
template <class Node>
auto pointer_to(Node* node) {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Node>) {
    return c10::intrusive_ptr<Node>::unsafe_reclaim_from_nonowning(node);
  } else {
    return node->shared_from_this();
  }
}

/// A node with room for so many tensors.
template <std::size_t kSaved>
class SavingNode : public torch::autograd::Node {
 public:
  using Tensors = torch::autograd::variable_list;

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(this->mutex_);
    for (auto& saved : saved_) {
      saved.reset_data();
    }
  }

  /// What forward saved, undefined tensors where it saved nothing.
  Tensors saved_variables() {
    const auto self = pointer_to<torch::autograd::Node>(this);
    Tensors result;
    result.reserve(saved_.size());
    for (const auto& saved : saved_) {
      result.push_back(saved.unpack(self));
    }
    return result;
  }

 protected:
  void save(std::size_t index, const at::Tensor& tensor, bool is_output = false) {
    saved_[index] = torch::autograd::SavedVariable(tensor, is_output);
  }

  std::array<torch::autograd::SavedVariable, kSaved> saved_;
  double number_ = 0; ///< that of an activation that has one
};

} // namespace linked_neurons::detail
