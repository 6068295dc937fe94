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

/// Reads the data set of four files from `folder`. Each may be there as it is or gzipped, with the
/// ending .gz. Throws std::runtime_error, its message naming the file or folder at fault, what was
/// expected and what came.
Mnist load_mnist(const std::filesystem::path& folder);

/// The first of these folders that holds Fashion-MNIST: that of Debian's package
/// dataset-fashion-mnist, the one that the fetch step fills (known where
/// LINKED_NEURONS_FETCHED_DATA_DIR was defined at build time). Throws std::runtime_error if none
/// does.
std::filesystem::path find_fashion_mnist();

} // namespace examples
