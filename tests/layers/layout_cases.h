// Shapes, axes and memory layouts, as the table of layers_test.cpp runs through them.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace tests {

using at::Tensor;

/// How a tensor lies in memory.
struct MemoryCase {
  const char* name;
  /// `x` laid out so, or undefined where its axes do not allow it.
  Tensor (*of)(const Tensor& x);
};

inline const std::vector<MemoryCase> kMemory = {
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

inline const std::vector<ShapeCase> kShapes = {
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

} // namespace tests
