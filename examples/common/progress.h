#pragma once

// One line that moves on a terminal; in a file or a pipe, a plain line now and then.

#include <chrono>
#include <cstddef>
#include <string>

namespace examples {

class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// Whether it is time for another line: ten times a second on a terminal, else every 10 seconds.
  bool due() const;

  /// Shows the line in place of the one before it.
  void show(const std::string& line);

  /// Takes the line away, where it moves, so that other output can follow.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool moves_;
  std::size_t shown_ = 0; // characters that stand in the moving line now
  Clock::time_point last_;
};

} // namespace examples
