#pragma once

// MNIST and its relatives of the same form: the four files, and what must hold between them.

#include "idx.h"

#include <filesystem>

namespace examples {

struct Split {
  Idx images; ///< [count][28][28]
  Idx labels; ///< [count], each 0 … 9
};

struct Mnist {
  std::filesystem::path folder;
  Split train;
  Split test;
};

/// Reads the data set of four files from `folder`. Throws std::runtime_error, its message naming
/// the file or folder at fault, what was expected and what came.
Mnist load_mnist(const std::filesystem::path& folder);

/// The folder of Fashion-MNIST that the build's target `fashion_mnist_images` fills. Throws
/// std::runtime_error if it does not hold it.
std::filesystem::path find_fashion_mnist();

} // namespace examples
