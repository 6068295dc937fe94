#pragma once

// Training in several processes, on this machine or on many, over LibTorch's c10d.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace article {

/// The processes of one training.
struct AlignedVector {
  int rank = 0;
  int size = 1;
  /// Puts the sum over all processes in the tensor's place. Throws std::runtime_error if one of
  /// them is gone.
  std::function<void(at::Tensor&)> sum = [](at::Tensor&) {};

  bool first() const {
    return rank == 0;
  }

  /// This process's share of `count` things: where it begins, and how many they are.
  std::pair<std::int64_t, std::int64_t> share(std::int64_t count) const {
    const std::int64_t begin = rank * count / size;
    return {begin, (rank + 1) * count / size - begin};
  }
};

/// Which of the processes this one is and how it finds the others.
struct Place {
  int rank = 0;
  int size = 1;
  std::string file; ///< Local processes meet in this file;
  std::string host; ///< others at this host and port, where the first of them listens.
  std::uint16_t port = 0;
};

/// The place that a launcher gave this process by MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE;
/// the only one if WORLD_SIZE is not set. Throws examples::UsageError if one of them is missing or
/// wrong.
Place launched_place();

/// Makes the processes meet. `timeout`: how long to wait for the others, here and at each sum.
/// Throws examples::UsageError, saying why, if this build cannot do that on the device.
AlignedVector join(const Place& place, const c10::Device& device, std::chrono::seconds timeout);

/// Runs `work` in `size` processes, copies of this one, and returns what the program is to exit
/// with: 0 if all of them returned 0. One that fails or dies ends the others. To be called before
/// LibTorch has started threads.
int run_local(int size, const std::function<int(const Place&)>& work);

} // namespace article
