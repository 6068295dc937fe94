#include "device.h"

#include <ATen/ops/from_blob.h>
#include <torch/cuda.h>

#include <fstream>

#include <sys/utsname.h>

namespace examples {

c10::Device choose_device(const std::string& wanted) {
  if (wanted.empty()) {
    return torch::cuda::is_available() ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
  }
  c10::Device device(wanted);
  if (device.is_cuda()) {
    if (!device.has_index()) {
      device.set_index(0);
    }
    const auto present = static_cast<c10::DeviceIndex>(torch::cuda::device_count());
    if (device.index() >= present) {
      throw UsageError(
          "--device " + wanted + ": LibTorch sees " +
          (present == 0 ? "no CUDA device" : "CUDA devices 0 to " + std::to_string(present - 1)));
    }
  }
  return device;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  utsname system{};
  return ::uname(&system) == 0 ? system.machine : "unknown";
}

at::Tensor to_tensor(const std::vector<std::uint8_t>& bytes, at::IntArrayRef sizes) {
  // from_blob() takes a mutable pointer for a tensor that is only read, and copied at once.
  return at::from_blob(const_cast<std::uint8_t*>(bytes.data()), sizes, at::kByte).clone();
}

} // namespace examples
