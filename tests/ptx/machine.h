// What PTX that is translated to C++ (ptx_to_cpp.py) runs on: a thread's memory accesses, each of
// them checked.
#pragma once

#include "instructions.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace tests::ptx {

/// Where a register points, as PTX has addresses: in a number.
inline void* place(std::uintptr_t address) {
  return reinterpret_cast<void*>(address); // NOLINT(performance-no-int-to-ptr)
}

/// Memory that a launch may access.
struct Buffer {
  const char* name;
  std::uintptr_t begin;
  std::size_t size;
  bool is_written;                    ///< by the kernel
  std::vector<std::uint32_t> writers; ///< of each byte that is written: its thread, from 1 on
};

/// What is wrong with the launches up to now.
struct Faults {
  std::vector<std::string> kinds; ///< each once, in words
  std::size_t count = 0;
};

/// All that a launch's threads share.
class Machine {
 public:
  static Machine& instance();

  void fault(const std::string& what);

  /// The place in memory, after its checks; null where it may not be accessed.
  const void* read(std::uintptr_t address, std::size_t size, std::uint32_t writer);
  void* write(std::uintptr_t address, std::size_t size, std::uint32_t writer);
  /// The same of the block's shared memory.
  const void* read_shared(std::uint64_t offset, std::size_t size, std::uint32_t thread);
  void* write_shared(std::uint64_t offset, std::size_t size, std::uint32_t thread);
  const void* parameter(std::uintptr_t address, std::size_t size);
  void begin_block(std::size_t shared_size);
  void synchronize(std::uint32_t thread);

  Faults faults;
  std::vector<Buffer> buffers;
  std::vector<Buffer> tables; ///< the constants of nvcc's functions
  std::vector<Buffer> parameters;
  std::string kernel; ///< that runs
  bool waits = false; ///< whether it has to wait for the kernel before it
  std::array<bool, 256> waited = {};

 private:
  Buffer* find(std::uintptr_t address, std::size_t size);
  bool is_aligned(std::uint64_t address, std::size_t size, const char* of);
  /// \param does what the thread does there, for the message.
  bool is_shared(std::uint64_t offset, std::size_t size, const char* does);

  /// Four bytes of shared memory: who wrote and who read them since which barrier.
  struct Word {
    std::uint32_t writer = 0, written_at = 0;
    std::uint32_t reader = 0, read_at = 0; ///< several readers: kSeveral
  };
  static constexpr std::uint32_t kSeveral = 0xffffffff;
  std::vector<Word> shared_words_;
  std::vector<std::uint32_t> shared_; ///< its contents
  std::array<std::uint32_t, 256> barriers_ = {};
};

/// Into a register, which may be wider: a signed number keeps its value.
template <class Register, class Value>
inline void set(Register& to, Value value) {
  if constexpr (std::is_integral_v<Register> && std::is_integral_v<Value>) {
    to = static_cast<Register>(value);
  } else {
    to = as<Register>(value);
  }
}

template <class Type, class... Registers>
inline void set_all(const void* from, Registers&... to) {
  Type values[sizeof...(to)];
  if (from == nullptr) {
    std::memset(values, 0xff, sizeof(values));
  } else {
    std::memcpy(values, from, sizeof(values));
  }
  std::size_t i = 0;
  (set(to, values[i++]), ...);
}

/// A thread, as its entry is given it.
struct Thread {
  std::uint32_t thread, block_x, block_y, blocks_x, blocks_y;
  std::uint32_t number; ///< in the launch, from 1 on

  template <class Type, class... Registers>
  void load_global(std::uint64_t address, Registers&... to) const {
    set_all<Type>(Machine::instance().read(address, sizeof(Type) * sizeof...(to), number), to...);
  }

  template <class Type, class... Values>
  void store_global(std::uint64_t address, Values... values) const {
    const Type all[] = {values...};
    if (void* const to = Machine::instance().write(address, sizeof(all), number)) {
      std::memcpy(to, all, sizeof(all));
    }
  }

  template <class Type, class... Registers>
  void load_shared(std::uint64_t offset, Registers&... to) const {
    const std::size_t size = sizeof(Type) * sizeof...(to);
    set_all<Type>(Machine::instance().read_shared(offset, size, thread + 1), to...);
  }

  template <class Type, class... Values>
  void store_shared(std::uint64_t offset, Values... values) const {
    const Type all[] = {values...};
    if (void* const to = Machine::instance().write_shared(offset, sizeof(all), thread + 1)) {
      std::memcpy(to, all, sizeof(all));
    }
  }

  /// \param depot the thread's own memory.
  template <class Type, class... Registers>
  void load_local(
      const std::byte* depot, std::size_t size, std::uint64_t address, Registers&... to) const {
    set_all<Type>(local(depot, size, address, sizeof(Type) * sizeof...(to)), to...);
  }

  template <class Type, class... Values>
  void store_local(
      const std::byte* depot, std::size_t size, std::uint64_t address, Values... values) const {
    const Type all[] = {values...};
    if (void* const to = local(depot, size, address, sizeof(all))) {
      std::memcpy(to, all, sizeof(all));
    }
  }

  /// A kernel's parameter whose place is computed.
  template <class Type, class... Registers>
  void load_param(std::uint64_t address, Registers&... to) const {
    set_all<Type>(Machine::instance().parameter(address, sizeof(Type) * sizeof...(to)), to...);
  }

  void synchronize() const {
    Machine::instance().synchronize(thread);
  }

  void wait() const {
    Machine::instance().waited[thread] = true;
  }

 private:
  static void* local(
      const std::byte* depot, std::size_t depot_size, std::uint64_t address, std::size_t size) {
    const auto begin = reinterpret_cast<std::uintptr_t>(depot);
    if (address < begin || address + size > begin + depot_size || address % size != 0) {
      Machine::instance().fault("accesses local memory outside its own or not aligned");
      return nullptr;
    }
    return place(address);
  }
};

/// A kernel as nvcc has translated it.
struct Entry {
  const void* kernel; ///< the same one as the host's compiler has it, or null
  void (*run)(Thread thread, std::byte* const* results, std::byte* const* parameters);
  const char* name;
  std::size_t shared_size;
  bool waits;     ///< whether it has griddepcontrol.wait
  bool is_mutant; ///< changed so that it is wrong
  std::size_t launches = 0;
};

std::vector<Entry>& entries();

inline bool add_entry(const Entry& entry) {
  entries().push_back(entry);
  return true;
}

inline bool add_table(const void* begin, std::size_t size) {
  Machine::instance().tables.push_back(
      {"table", reinterpret_cast<std::uintptr_t>(begin), size, false, {}});
  return true;
}

template <class Type, class... Registers>
inline void load_parameter(const std::byte* from, Registers&... to) {
  set_all<Type>(from, to...);
}

template <class Type, class... Values>
inline void store_parameter(std::byte* to, Values... values) {
  const Type all[] = {values...};
  std::memcpy(to, all, sizeof(all));
}

} // namespace tests::ptx
