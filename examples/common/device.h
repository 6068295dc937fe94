#pragma once

// Which device a program runs on, and how bytes get there.

#include "usage_error.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <vector>

namespace examples {

/// `wanted` is cpu, cuda or cuda:N; empty means CUDA if there is a device, else the CPU. Throws
/// UsageError if there is no such device.
c10::Device choose_device(const std::string& wanted);

/// The machine's, as Linux names it: "Intel(R) Xeon(R) ... @ 2.80GHz"; else the kind: "aarch64".
std::string processor_name();

/// A tensor of these bytes, a copy, on the CPU.
at::Tensor to_tensor(const std::vector<std::uint8_t>& bytes, at::IntArrayRef sizes);

} // namespace examples
