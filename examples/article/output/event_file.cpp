#include "event_file.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include <unistd.h>

namespace article::output {
namespace {

using Checksums = std::array<std::uint32_t, 256>;

constexpr Checksums crc32c_table() {
  constexpr std::uint32_t reversed_polynomial = 0x82f63b78;
  Checksums table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (crc & 1) * reversed_polynomial;
    }
    table[byte] = crc;
  }
  return table;
}

template <typename Unsigned>
std::string little_endian(Unsigned number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    bytes += static_cast<char>(number >> 8 * i & 0xff);
  }
  return bytes;
}

// The four wire types of Protocol Buffers (protobuf.dev/programming-guides/encoding) that an Event
// has. A field is its key, the number and the wire type, and its value.

std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) {
    bytes += static_cast<char>((number & 0x7f) | 0x80);
  }
  return bytes + static_cast<char>(number);
}

std::string key(unsigned field, unsigned wire_type) {
  return varint(field << 3 | wire_type);
}

std::string integer_field(unsigned field, std::int64_t value) {
  return key(field, 0) + varint(static_cast<std::uint64_t>(value));
}

std::string double_field(unsigned field, double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return key(field, 1) + little_endian(bits);
}

std::string bytes_field(unsigned field, std::string_view value) {
  return key(field, 2) + varint(value.size()) + std::string(value);
}

std::string float_field(unsigned field, float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return key(field, 5) + little_endian(bits);
}

// Event.wall_time = 1, step = 2, and the content.
std::string event(std::int64_t step, const std::string& content) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return double_field(1, now.count()) + integer_field(2, step) + content;
}

std::string masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return little_endian((crc >> 15 | crc << 17) + 0xa282ead8U);
}

std::string record(const std::string& content) {
  const std::string length = little_endian(std::uint64_t{content.size()});
  return length + masked_crc(length) + content + masked_crc(content);
}

std::unique_ptr<AppendedFile> new_file(const std::filesystem::path& folder) {
  char host[256] = "localhost";
  static_cast<void>(::gethostname(host, sizeof host - 1));
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
  for (;; ++seconds) { // a run that is resumed within the second needs another name
    char name[320];
    std::snprintf(
        name, sizeof name, "events.out.tfevents.%010lld.%s", static_cast<long long>(seconds), host);
    try {
      return std::make_unique<AppendedFile>(folder / name, AppendedFile::Opening::kNew);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::file_exists) {
        throw;
      }
    }
  }
}

} // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr Checksums table = crc32c_table();
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) {
    crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder, std::int64_t first_step)
    : file_(new_file(folder)) {
  std::string start = record(event(0, bytes_field(3, "brain.Event:2"))); // Event.file_version
  if (first_step > 1) {
    const std::string started = integer_field(1, 1);             // SessionLog.status = START
    start += record(event(first_step, bytes_field(7, started))); // Event.session_log
  }
  file_->append(start);
}

void EventFile::add(std::int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    // Summary.Value.tag = 1, simple_value = 2
    const std::string entry = bytes_field(1, tag) + float_field(2, static_cast<float>(value));
    summary += bytes_field(1, entry); // Summary.value
  }
  file_->append(record(event(step, bytes_field(5, summary)))); // Event.summary
}

} // namespace article::output
