#include "mnist.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t side = 28;
constexpr std::uint8_t classes = 10;
constexpr const char* train_images = "train-images-idx3-ubyte";
constexpr const char* train_labels = "train-labels-idx1-ubyte";
constexpr const char* test_images = "t10k-images-idx3-ubyte";
constexpr const char* test_labels = "t10k-labels-idx1-ubyte";

/// Why the data set cannot be read from this folder; empty if all four files are there. What is
/// inside them is another matter.
std::string obstacle(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return folder.string() + ": no such folder";
  }
  for (const char* name : {train_images, train_labels, test_images, test_labels}) {
    if (!fs::is_regular_file(folder / name, ignored)) {
      const std::string gzipped = std::string(name) + ".gz";
      return folder.string() + ": does not hold " + name +
             (fs::exists(folder / gzipped, ignored) ? ", but " + gzipped + "; unpack it (gunzip)"
                                                    : "");
    }
  }
  return {};
}

void check(bool holds, const fs::path& path, const std::string& expected, const std::string& got) {
  if (!holds) {
    throw std::runtime_error(path.string() + ": expected " + expected + ", got " + got);
  }
}

Split load_split(const fs::path& folder, const char* images_name, const char* labels_name) {
  const fs::path images_path = folder / images_name;
  const fs::path labels_path = folder / labels_name;
  Split split{read_idx(images_path, 3), read_idx(labels_path, 1)};

  const std::int64_t count = split.images.sizes[0];
  const std::int64_t height = split.images.sizes[1];
  const std::int64_t width = split.images.sizes[2];
  check(count > 0, images_path, "images", "none");
  check(
      height == side && width == side,
      images_path,
      "images of 28x28 pixels",
      std::to_string(height) + "x" + std::to_string(width));
  check(
      split.labels.sizes[0] == count,
      labels_path,
      std::to_string(count) + " labels, one for each image of " + images_path.filename().string(),
      std::to_string(split.labels.sizes[0]));
  const std::vector<std::uint8_t>& labels = split.labels.values;
  const auto wrong = std::find_if(
      labels.begin(), labels.end(), [](std::uint8_t label) { return label >= classes; });
  if (wrong != labels.end()) {
    check(
        false,
        labels_path,
        "labels from 0 to 9",
        std::to_string(*wrong) + " at index " + std::to_string(wrong - labels.begin()));
  }
  return split;
}

} // namespace

Mnist load_mnist(const fs::path& folder) {
  const std::string problem = obstacle(folder);
  if (!problem.empty()) {
    throw std::runtime_error(problem);
  }
  return {
      folder,
      load_split(folder, train_images, train_labels),
      load_split(folder, test_images, test_labels)};
}

fs::path find_fashion_mnist() {
  fs::path folder = LINKED_NEURONS_FETCHED_DATA_DIR;
  const std::string problem = obstacle(folder);
  if (!problem.empty()) {
    throw std::runtime_error(
        "Fashion-MNIST was not found: " + problem +
        "\nBuild the target 'fashion_mnist_images', which fetches it, or name its folder with "
        "--data-dir or LINKED_NEURONS_DATA_DIR.");
  }
  return folder;
}

} // namespace examples
