// The library's layers and one that it does not know, as the cases of the tests that treat them
// alike.
#pragma once

#include "layer.h"
#include "snake.h"

#include <gtest/gtest.h>

#include <vector>

namespace tests {

inline const std::vector<Layer> kEveryLayer = [] {
  std::vector<Layer> all = kBuiltInLayers;
  all.push_back(layer<Snake>(false));
  all.push_back(layer<Snake>(true));
  return all;
}();

/// Instantiated once, in every_layer.cpp.
class EveryLayer : public testing::TestWithParam<Layer> {};

} // namespace tests
