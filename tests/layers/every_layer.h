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

class EveryLayer : public testing::TestWithParam<Layer> {};

#define TESTS_FOR_EVERY_LAYER(fixture)                                                       \
  INSTANTIATE_TEST_SUITE_P(, fixture, testing::ValuesIn(kEveryLayer), [](const auto& info) { \
    return info.param.label();                                                               \
  })

} // namespace tests
