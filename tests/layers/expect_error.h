// What a refused call says.
#pragma once

#include <c10/util/Exception.h>

#include <gtest/gtest.h>

#include <string>

namespace tests {

/// Fails unless the call throws a c10::Error whose message begins with `message`.
template <class Call>
void expect_error(const Call& call, const std::string& message) {
  try {
    call();
    ADD_FAILURE() << "accepted, in place of: " << message;
  } catch (const c10::Error& error) {
    EXPECT_EQ(std::string(error.what_without_backtrace()).substr(0, message.size()), message);
  }
}

} // namespace tests
