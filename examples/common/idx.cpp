#include "idx.h"

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace examples {
namespace {

using Bytes = std::vector<std::uint8_t>;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw std::runtime_error(path.string() + ": " + what);
}

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0) {
    fail(path, "cannot be opened");
  }
  Bytes bytes(static_cast<std::size_t>(size));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), size)) {
    fail(path, "cannot be read");
  }
  return bytes;
}

bool is_gzip(const Bytes& bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

std::uint32_t big_endian(const std::uint8_t* byte) {
  return std::uint32_t{byte[0]} << 24 | std::uint32_t{byte[1]} << 16 | std::uint32_t{byte[2]} << 8 |
         std::uint32_t{byte[3]};
}

std::string hex(std::uint32_t number) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%08x", static_cast<unsigned>(number));
  return text;
}

} // namespace

Idx read_idx(const std::filesystem::path& path, std::size_t dimensions) {
  Bytes bytes = read_file(path);
  if (is_gzip(bytes)) {
    fail(path, "is gzipped; unpack it (gunzip)");
  }
  const std::size_t header = 4 * (1 + dimensions);
  if (bytes.size() < header) {
    fail(
        path,
        "expected a header of " + std::to_string(header) + " bytes, got " +
            std::to_string(bytes.size()) + " bytes in all");
  }
  constexpr std::uint32_t unsigned_bytes = 0x08;
  const auto expected_magic = static_cast<std::uint32_t>(unsigned_bytes << 8 | dimensions);
  const std::uint32_t magic = big_endian(bytes.data());
  if (magic != expected_magic) {
    fail(
        path,
        "expected the magic number " + hex(expected_magic) + " (IDX, unsigned bytes, " +
            std::to_string(dimensions) + " dimensions), got " + hex(magic));
  }

  Idx idx;
  std::string shape;
  double values = 1; // the product of what a damaged header says may overflow any integer
  for (std::size_t d = 0; d < dimensions; ++d) {
    const std::uint32_t size = big_endian(bytes.data() + 4 * (1 + d));
    idx.sizes.push_back(size);
    shape += d == 0 ? "" : "x";
    shape += std::to_string(size);
    values *= size;
  }
  const std::size_t present = bytes.size() - header;
  if (static_cast<double>(present) != values) {
    fail(
        path,
        "expected the " + shape + " bytes that its header names, got " + std::to_string(present) +
            (static_cast<double>(present) < values ? " (the file is truncated)"
                                                   : " (there is more after their end)"));
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
  idx.values = std::move(bytes);
  return idx;
}

} // namespace examples
