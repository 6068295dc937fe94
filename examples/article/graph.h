#pragma once

// The same work on a device again and again, at the cost of one launch.

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace article {

/// A CUDA graph. In a build without the CUDA runtime's headers there are none.
class Graph {
 public:
  /// Whether work on this device can be captured.
  static bool possible(const c10::Device& device);

  /// Captures what `work` launches, after calling it a few times, which lets libraries choose
  /// their algorithms. What the graph reads and writes has to stay where it is.
  Graph(const c10::Device& device, const std::function<void()>& work);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  void replay();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Moves this thread's work on a CUDA device to a stream that can be captured; nothing elsewhere.
void use_capturable_stream(const c10::Device& device);

} // namespace article
