#include "machine.h"

#include "translated.h"

#include <linked_neurons/activation/number.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>

namespace tests::ptx {

using linked_neurons::detail::BFloat16;
using linked_neurons::detail::Half;

Machine& Machine::instance() {
  static Machine machine;
  return machine;
}

std::vector<Entry>& entries() {
  static std::vector<Entry> all;
  return all;
}

void Machine::fault(const std::string& what) {
  ++faults.count;
  const std::string text = kernel + " " + what;
  if (std::find(faults.kinds.begin(), faults.kinds.end(), text) == faults.kinds.end()) {
    faults.kinds.push_back(text);
  }
}

Buffer* Machine::find(std::uintptr_t address, std::size_t size) {
  for (auto* of : {&buffers, &tables}) {
    for (Buffer& buffer : *of) {
      if (address >= buffer.begin && address + size <= buffer.begin + buffer.size) {
        return &buffer;
      }
    }
  }
  return nullptr;
}

bool Machine::is_aligned(std::uint64_t address, std::size_t size, const char* of) {
  if (address % size != 0) {
    fault("accesses " + std::string(of) + ", not aligned to " + std::to_string(size) + " bytes");
    return false;
  }
  return true;
}

const void* Machine::read(std::uintptr_t address, std::size_t size, std::uint32_t writer) {
  const Buffer* const buffer = find(address, size);
  if (buffer == nullptr) {
    fault("reads " + std::to_string(size) + " bytes outside of all buffers");
    return nullptr;
  }
  if (!is_aligned(address, size, buffer->name)) {
    return nullptr;
  }
  if (waits && !waited[(writer - 1) % waited.size()]) {
    fault("reads " + std::string(buffer->name) + " before the kernel before it is done");
  }
  if (buffer->is_written) {
    const auto first =
        buffer->writers.begin() + static_cast<std::ptrdiff_t>(address - buffer->begin);
    if (std::any_of(first, first + static_cast<std::ptrdiff_t>(size), [writer](std::uint32_t by) {
          return by != 0 && by != writer;
        })) {
      fault("reads " + std::string(buffer->name) + " that another thread wrote in this launch");
    }
  }
  return place(address);
}

void* Machine::write(std::uintptr_t address, std::size_t size, std::uint32_t writer) {
  Buffer* const buffer = find(address, size);
  if (buffer == nullptr) {
    fault("writes " + std::to_string(size) + " bytes outside of all buffers");
    return nullptr;
  }
  if (!is_aligned(address, size, buffer->name)) {
    return nullptr;
  }
  if (!buffer->is_written) {
    fault("writes to " + std::string(buffer->name));
    return nullptr;
  }
  if (waits && !waited[(writer - 1) % waited.size()]) {
    fault("writes " + std::string(buffer->name) + " before the kernel before it is done");
  }
  const auto first = buffer->writers.begin() + static_cast<std::ptrdiff_t>(address - buffer->begin);
  const auto last = first + static_cast<std::ptrdiff_t>(size);
  if (std::any_of(first, last, [](std::uint32_t by) { return by != 0; })) {
    fault("writes an element of " + std::string(buffer->name) + " twice");
  }
  std::fill(first, last, writer);
  return place(address);
}

bool Machine::is_shared(std::uint64_t offset, std::size_t size, const char* does) {
  if (offset + size > shared_.size() * sizeof(std::uint32_t)) {
    fault(std::string(does) + " outside of its shared memory");
    return false;
  }
  return is_aligned(offset, size, "shared memory");
}

const void* Machine::read_shared(std::uint64_t offset, std::size_t size, std::uint32_t thread) {
  if (!is_shared(offset, size, "reads")) {
    return nullptr;
  }
  const std::uint32_t now = barriers_[thread - 1];
  for (std::size_t i = offset / sizeof(std::uint32_t); 4 * i < offset + size; ++i) {
    Word& word = shared_words_[i];
    if (word.writer == 0) {
      fault("reads shared memory that nobody wrote");
    } else if (word.writer != thread && word.written_at == now) {
      fault("reads shared memory that another thread wrote since the last barrier");
    }
    word.reader =
        word.read_at == now && word.reader != thread && word.reader != 0 ? kSeveral : thread;
    word.read_at = now;
  }
  return reinterpret_cast<const char*>(shared_.data()) + offset;
}

void* Machine::write_shared(std::uint64_t offset, std::size_t size, std::uint32_t thread) {
  if (!is_shared(offset, size, "writes")) {
    return nullptr;
  }
  const std::uint32_t now = barriers_[thread - 1];
  for (std::size_t i = offset / sizeof(std::uint32_t); 4 * i < offset + size; ++i) {
    Word& word = shared_words_[i];
    const bool written = word.writer != 0 && word.writer != thread && word.written_at == now;
    const bool was_read = word.reader != 0 && word.reader != thread && word.read_at == now;
    if (written || was_read) {
      fault("writes shared memory that another thread accessed since the last barrier");
    }
    word.writer = thread;
    word.written_at = now;
  }
  return reinterpret_cast<char*>(shared_.data()) + offset;
}

const void* Machine::parameter(std::uintptr_t address, std::size_t size) {
  for (const Buffer& each : parameters) {
    if (address >= each.begin && address + size <= each.begin + each.size) {
      return place(address);
    }
  }
  fault("reads outside of its parameters");
  return nullptr;
}

void Machine::begin_block(std::size_t shared_size) {
  const std::size_t words = (shared_size + sizeof(std::uint32_t) - 1) / sizeof(std::uint32_t);
  shared_.assign(words, 0xffffffff);
  shared_words_.assign(words, {});
  barriers_.fill(0);
  waited.fill(false);
}

void Machine::synchronize(std::uint32_t thread) {
  ++barriers_[thread];
  host_device::Block::instance().synchronize();
}

namespace {

Entry* find_entry(const void* kernel) {
  static std::unordered_map<const void*, Entry*> known;
  if (known.empty()) {
    for (Entry& entry : entries()) {
      if (!entry.is_mutant && entry.kernel != nullptr) {
        known[entry.kernel] = &entry;
      }
    }
  }
  const auto found = known.find(kernel);
  return found == known.end() ? nullptr : found->second;
}

} // namespace

bool run(
    const void* kernel,
    const linked_neurons::cuda::Grid& grid,
    const Stream& stream,
    std::vector<Parameter> parameters) {
  Machine& machine = Machine::instance();
  Entry* entry = find_entry(kernel);
  if (stream.mutant != nullptr && stream.mutant->kernel == kernel) {
    entry = stream.mutant;
  }
  if (entry == nullptr) {
    return false;
  }
  ++entry->launches;
  machine.kernel = entry->name;
  machine.waits = entry->waits;
  machine.parameters.clear();
  std::vector<std::byte*> places;
  for (Parameter& each : parameters) {
    places.push_back(reinterpret_cast<std::byte*>(each.data()));
    machine.parameters.push_back(
        {"parameter",
         reinterpret_cast<std::uintptr_t>(each.data()),
         each.size() * sizeof(each[0]),
         false,
         {}});
  }
  for (Buffer& buffer : machine.buffers) {
    buffer.writers.assign(buffer.is_written ? buffer.size : 0, 0);
  }
  const auto columns = static_cast<std::uint32_t>(grid.x);
  const auto rows = static_cast<std::uint32_t>(grid.y);
  auto& block = host_device::Block::instance();
  for (std::uint32_t i = 0; i < columns * rows; ++i) {
    const std::uint32_t at = stream.descending ? columns * rows - 1 - i : i;
    machine.begin_block(entry->shared_size);
    block.run(stream.descending, [&] {
      const std::uint32_t thread = block.thread.x;
      const std::uint32_t number = at * host_device::Block::kThreads + thread + 1;
      entry->run(
          {thread, at % columns, at / columns, columns, rows, number}, nullptr, places.data());
    });
  }
  return true;
}

namespace {

float rounded(int direction, float a, float b, float c) {
  const volatile float x = a;
  const volatile float y = b;
  const volatile float z = c;
  const int before = std::fegetround();
  std::fesetround(direction);
  const volatile float result = std::fma(x, y, z);
  std::fesetround(before);
  return result;
}

} // namespace

float fma_rm(float a, float b, float c) {
  return rounded(FE_DOWNWARD, a, b, c);
}
float fma_rp(float a, float b, float c) {
  return rounded(FE_UPWARD, a, b, c);
}
float fma_rz(float a, float b, float c) {
  return rounded(FE_TOWARDZERO, a, b, c);
}

std::uint16_t to_f16(float a) {
  return linked_neurons::detail::store<Half>(a).bits;
}
std::uint16_t to_bf16(float a) {
  return linked_neurons::detail::store<BFloat16>(a).bits;
}
float from_f16(std::uint16_t a) {
  return linked_neurons::detail::load(Half{a});
}
float from_bf16(std::uint16_t a) {
  return linked_neurons::detail::load(BFloat16{a});
}

} // namespace tests::ptx
