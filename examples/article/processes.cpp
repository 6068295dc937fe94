#include "processes.h"

#include "../common/usage_error.h"

#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <vector>

namespace article {
namespace {

using examples::UsageError;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    throw UsageError(
        std::string("WORLD_SIZE is set, ") + name +
        " is not; a launcher sets MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE");
  }
  return value;
}

int number(const char* name, int least, int most) {
  const std::string text = environment(name);
  int value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size() || value < least || value > most) {
    throw UsageError(
        std::string(name) + ": expected a whole number from " + std::to_string(least) + " to " +
        std::to_string(most) + ", got '" + text + "'");
  }
  return value;
}

#ifdef USE_C10D_GLOO

c10::intrusive_ptr<c10d::Store> make_store(const Place& place, std::chrono::milliseconds timeout) {
  if (!place.file.empty()) {
    auto store = c10::make_intrusive<c10d::FileStore>(place.file, place.size);
    store->setTimeout(timeout);
    return store;
  }
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = place.rank == 0;
  options.numWorkers = place.size;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::TCPStore>(place.host, options);
}

c10::intrusive_ptr<c10d::Backend> make_backend(
    const Place& place, const c10::Device& device, std::chrono::milliseconds timeout) {
  const auto store = make_store(place, timeout);
  if (device.is_cuda()) {
#ifdef USE_C10D_NCCL
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, place.rank, place.size, options);
#else
    throw UsageError(
        "this build cannot train in several processes on a CUDA device: NCCL's headers (nccl.h) "
        "were not found beside LibTorch when it was configured");
#endif
  }
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(
      place.file.empty() ? c10d::ProcessGroupGloo::createDefaultDevice()
                         : c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options);
}

#endif

} // namespace

Place launched_place() {
  Place place;
  if (std::getenv("WORLD_SIZE") == nullptr) {
    return place;
  }
  constexpr int most = 65535;
  place.size = number("WORLD_SIZE", 1, most);
  if (place.size > 1) {
    place.rank = number("RANK", 0, place.size - 1);
    place.host = environment("MASTER_ADDR");
    place.port = static_cast<std::uint16_t>(number("MASTER_PORT", 1, most));
  }
  return place;
}

AlignedVector join(const Place& place, const c10::Device& device, std::chrono::seconds timeout) {
  AlignedVector group;
  group.rank = place.rank;
  group.size = place.size;
  if (place.size == 1) {
    return group;
  }
#ifdef USE_C10D_GLOO
  const auto who = "process " + std::to_string(place.rank) + " of " + std::to_string(place.size);
  const auto explained = [who](const std::function<void()>& work) {
    try {
      work();
    } catch (const UsageError&) {
      throw;
    } catch (const std::exception& error) {
      const std::string text = error.what();
      throw std::runtime_error(
          who +
          ": another process is gone, or does not answer: " + text.substr(0, text.find('\n')));
    }
  };
  c10::intrusive_ptr<c10d::Backend> backend;
  explained([&] { backend = make_backend(place, device, timeout); });
  group.sum = [backend, explained](at::Tensor& tensor) {
    std::vector<at::Tensor> tensors = {tensor};
    explained([&] { backend->allreduce(tensors)->wait(); });
  };
  return group;
#else
  static_cast<void>(device);
  static_cast<void>(timeout);
  throw UsageError("this build cannot train in several processes: its LibTorch has no Gloo");
#endif
}

} // namespace article
