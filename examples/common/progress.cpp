#include "progress.h"

#include <algorithm>
#include <cstdio>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace examples {
namespace {

bool is_terminal() {
#ifdef _WIN32
  return _isatty(_fileno(stdout)) != 0;
#else
  return isatty(fileno(stdout)) != 0;
#endif
}

} // namespace

Progress::Progress() : moves_(is_terminal()), last_(Clock::now()) {}

// An error message that follows must not be written over half a line.
Progress::~Progress() {
  clear();
}

bool Progress::due() const {
  using namespace std::chrono_literals;
  return Clock::now() - last_ >= (moves_ ? 100ms : 10'000ms);
}

void Progress::show(const std::string& line) {
  if (moves_) {
    const std::size_t width = std::max(line.size(), shown_);
    std::printf("\r%-*s", static_cast<int>(width), line.c_str());
    shown_ = line.size();
  } else {
    std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);
  last_ = Clock::now();
}

void Progress::clear() {
  if (shown_ > 0) {
    std::printf("\r%*s\r", static_cast<int>(shown_), "");
    std::fflush(stdout);
    shown_ = 0;
  }
}

} // namespace examples
