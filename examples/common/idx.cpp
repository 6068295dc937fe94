#include "idx.h"

#include <cstdio>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#ifdef LINKED_NEURONS_HAVE_ZLIB
#include <zlib.h>
#endif

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

#ifdef LINKED_NEURONS_HAVE_ZLIB

Bytes gunzip(const std::filesystem::path& path, Bytes packed) {
  z_stream stream{};
  constexpr int gzip_only = 16; // zlib.h: added to windowBits, takes a gzip header and no other
  if (packed.size() > std::numeric_limits<uInt>::max() ||
      inflateInit2(&stream, MAX_WBITS + gzip_only) != Z_OK) {
    fail(path, "zlib cannot unpack it");
  }
  stream.next_in = packed.data();
  stream.avail_in = static_cast<uInt>(packed.size());
  Bytes bytes;
  Bytes piece(std::size_t{1} << 20);
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    bytes.insert(bytes.end(), piece.data(), stream.next_out);
  }
  const uInt left = stream.avail_in;
  const std::string message = stream.msg != nullptr ? stream.msg : "no message";
  inflateEnd(&stream);
  if (state == Z_BUF_ERROR) { // no progress possible: the input is used up, the stream is not over
    fail(path, "the gzipped data end too early, after " + std::to_string(packed.size()) + " bytes");
  }
  if (state != Z_STREAM_END) {
    fail(path, "the gzipped data are damaged (zlib: " + message + ")");
  }
  if (left != 0) {
    fail(
        path,
        "expected the file to end with its gzipped data, got " + std::to_string(left) +
            " more bytes");
  }
  return bytes;
}

#else

Bytes gunzip(const std::filesystem::path& path, const Bytes&) {
  fail(
      path,
      "is gzipped, and this program was built without zlib. Unpack it (gunzip), or "
      "install zlib's headers (Debian: zlib1g-dev), configure again and build");
}

#endif

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

bool reads_gzip() {
#ifdef LINKED_NEURONS_HAVE_ZLIB
  return true;
#else
  return false;
#endif
}

Idx read_idx(const std::filesystem::path& path, std::size_t dimensions) {
  Bytes bytes = read_file(path);
  if (is_gzip(bytes)) {
    bytes = gunzip(path, std::move(bytes));
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
