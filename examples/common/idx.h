#pragma once

// IDX, the file format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist/): a magic
// number (two zero bytes, the element type, the number of dimensions), the dimensions, the values;
// every number in big-endian order.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace examples {

/// An array of unsigned bytes, the last dimension running fastest.
struct Idx {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> values;
};

/// Reads a file of unsigned bytes in `dimensions` dimensions. Throws std::runtime_error, its
/// message naming the file, what was expected and what came, if the file cannot be read, is
/// gzipped, is of another type or shape, ends too early or goes on too long.
Idx read_idx(const std::filesystem::path& path, std::size_t dimensions);

} // namespace examples
