#include "every_layer.h"

namespace tests {

INSTANTIATE_TEST_SUITE_P(, EveryLayer, testing::ValuesIn(kEveryLayer), [](const auto& info) {
  return info.param.label();
});

} // namespace tests
