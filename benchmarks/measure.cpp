#include "measure.h"

#include <linked_neurons/version.h>

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <torch/cuda.h>
#include <torch/version.h>

#ifdef LINKED_NEURONS_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

#include <algorithm>
#include <chrono>
#include <fstream>

namespace benchmarks {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

} // namespace

at::Device default_device() {
#ifdef LINKED_NEURONS_WITH_CUDA
  if (torch::cuda::is_available()) {
    return {at::kCUDA, 0};
  }
#endif
  return at::kCPU;
}

std::vector<std::pair<std::string, std::string>> describe(at::Device device) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"device", device.is_cuda() ? "cuda" : "cpu"},
      {"cpu", processor()},
      {"threads", std::to_string(at::get_num_threads())},
      {"libtorch", TORCH_VERSION},
      {"cpu_capability", at::get_cpu_capability()},
#ifdef __clang__
      {"compiler", "clang " __clang_version__},
#else
      {"compiler", "g++ " __VERSION__},
#endif
      {"linked_neurons",
       std::to_string(LINKED_NEURONS_VERSION_MAJOR) + "." +
           std::to_string(LINKED_NEURONS_VERSION_MINOR) + "." +
           std::to_string(LINKED_NEURONS_VERSION_PATCH)},
  };
#ifdef LINKED_NEURONS_WITH_CUDA
  if (device.is_cuda()) {
    cudaDeviceProp properties{};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, device.index()));
    int version = 0;
    C10_CUDA_CHECK(cudaRuntimeGetVersion(&version));
    facts.emplace_back("gpu", properties.name);
    facts.emplace_back(
        "cuda", std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10));
  }
#endif
  return facts;
}

double median(std::vector<double> values) {
  TORCH_CHECK(!values.empty(), "median: expected values, got none");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) {
    return *middle;
  }
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

Clock::Clock(at::Device device) : device_(device) {
#ifdef LINKED_NEURONS_WITH_CUDA
  if (device.is_cuda()) {
    // Reading so much takes about 250 µs where the L2 has 50 MB and memory gives 3 TB/s; the host
    // enqueues a layer forward and backward in less.
    constexpr std::int64_t kCaches = 16;
    int cache = 0;
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device.index()));
    const auto count = kCaches * cache / static_cast<std::int64_t>(sizeof(float));
    other_memory_ = at::ones({count}, at::TensorOptions(at::kFloat).device(device));
  }
#endif
}

double Clock::seconds(const Call& call) {
#ifdef LINKED_NEURONS_WITH_CUDA
  if (device_.is_cuda()) {
    c10::Event start(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT);
    c10::Event stop(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT);
    const auto stream = c10::cuda::getCurrentCUDAStream(device_.index());
    other_memory_.sum(); // which writes one number
    start.record(stream);
    const auto results = call();
    stop.record(stream);
    device_waited_ = start.query();
    stop.synchronize();
    return 1e-3 * start.elapsedTime(stop);
  }
#endif
  const auto start = std::chrono::steady_clock::now();
  const auto results = call();
  const auto stop = std::chrono::steady_clock::now();
  return std::chrono::duration<double>(stop - start).count();
}

double Clock::copy_seconds(std::int64_t bytes) {
  if (bytes == copy_bytes_) {
    return copy_seconds_;
  }
  const auto count =
      std::max<std::int64_t>(bytes / 2 / static_cast<std::int64_t>(sizeof(float)), 1);
  const at::Tensor from = at::empty({count}, at::TensorOptions(at::kFloat).device(device_)).zero_();
  const at::Tensor to = at::empty_like(from).zero_();
  const Call copy = [&] { return std::vector<at::Tensor>{to.copy_(from)}; };
  seconds(copy);
  // On a GPU what is read in between takes far longer than a small copy, and samples differ less.
  const std::size_t most = device_.is_cuda() ? 100 : 10000;
  std::vector<double> samples;
  double total = 0;
  while (samples.size() < 10 || (total < 0.05 && samples.size() < most)) {
    samples.push_back(seconds(copy));
    total += samples.back();
  }
  copy_bytes_ = bytes;
  copy_seconds_ = median(samples);
  return copy_seconds_;
}

void MemoryCounter::Counts::reportMemoryUsage(
    void* /*ptr*/,
    std::int64_t alloc_size,
    std::size_t /*total_allocated*/,
    std::size_t /*total_reserved*/,
    at::Device device) {
  if (device.type() == counted) {
    allocated += std::max<std::int64_t>(alloc_size, 0);
    live += alloc_size;
    peak = std::max(peak, live);
  }
}

MemoryCounter::MemoryCounter(at::DeviceType device)
    : counts_(std::make_shared<Counts>()), guard_(c10::DebugInfoKind::PROFILER_STATE, counts_) {
  counts_->counted = device;
}

#ifdef LINKED_NEURONS_WITH_CUDA
Call captured(const Call& step) {
  const auto graph = std::make_shared<at::cuda::CUDAGraph>();
  const auto stream = c10::cuda::getStreamFromPool();
  c10::cuda::getCurrentCUDAStream().synchronize();
  std::vector<at::Tensor> results;
  {
    const c10::cuda::CUDAStreamGuard guard(stream);
    for (int i = 0; i < 3; ++i) { // libraries choose algorithms and take their workspaces
      step();
    }
    stream.synchronize();
    graph->capture_begin();
    results = step();
    graph->capture_end();
    stream.synchronize();
  }
  return [graph, results] {
    graph->replay();
    return results;
  };
}
#else
Call captured(const Call& /*step*/) {
  TORCH_CHECK(false, "captured: this program was built without CUDA");
}
#endif

} // namespace benchmarks
