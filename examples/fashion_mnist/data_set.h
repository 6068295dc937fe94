#pragma once

// Fashion-MNIST: where its four files are, and what must hold between them.

#include "idx.h"

#include <filesystem>
#include <string>

namespace fashion_mnist {

struct Split {
  Idx images; ///< [count][28][28]
  Idx labels; ///< [count], each 0 … 9
};

struct DataSet {
  std::filesystem::path folder;
  Split train;
  Split test;
};

/// Reads the data set from `folder`, or, if that is empty, from the first of these that holds it:
/// the folder of Debian's package dataset-fashion-mnist, the folder that the fetch step fills
/// (known where LINKED_NEURONS_FETCHED_DATA_DIR was defined at build time). Each of the four files
/// may be there as it is or gzipped, with the ending .gz. Throws std::runtime_error, its message
/// naming the file or folder at fault, what was expected and what came.
DataSet load_data_set(const std::string& folder);

} // namespace fashion_mnist
