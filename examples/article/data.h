#pragma once

// The data sets: read once, kept on the device as bytes, turned into numbers a batch at a time.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace article {

/// Of every data set.
inline constexpr std::int64_t classes = 10;

struct Images {
  at::Tensor pixels; ///< Unsigned bytes, [count, channels, height, width].
  at::Tensor labels; ///< int64, [count], each 0 ... 9.

  std::int64_t count() const {
    return labels.size(0);
  }

  /// So many, the first ones of each class, of every class as many as of the others (or one more),
  /// in their order.
  Images some(std::int64_t count) const;
};

struct Dataset {
  std::string name;
  Images train;
  Images validation;

  /// Of one image: channels, height, width.
  std::vector<std::int64_t> image_sizes() const {
    return train.pixels.sizes().slice(1).vec();
  }

  Dataset to(const c10::Device& device) const;
};

/// "cifar10", "mnist", "fashion_mnist".
const std::vector<std::string>& dataset_names();

/// Throws examples::UsageError, which lists the names, if this is none of them.
void check_dataset_name(const std::string& name);

/// Reads a data set. `folder`, if it is not empty, holds its files: CIFAR-10's binary version
/// (data_batch_1.bin ... data_batch_5.bin, test_batch.bin, or a folder cifar-10-batches-bin of
/// them), MNIST's or Fashion-MNIST's four IDX files, gzipped or not. Empty, it is found for
/// Fashion-MNIST (common/mnist.h says where).
/// Throws examples::UsageError for another name or a folder that is needed; std::runtime_error,
/// naming the file or folder, for what cannot be read.
Dataset load_dataset(const std::string& name, const std::filesystem::path& folder);

/// Reads one file of CIFAR-10's binary version: `count` times a label and 3x32x32 pixels.
Images read_cifar10(const std::filesystem::path& file, std::int64_t count = 10000);

/// Pixels as numbers from 0 to 1, plus `offset`; channels last, which convolutions on the CPU
/// prefer.
at::Tensor to_numbers(const at::Tensor& pixels, double offset);

/// How images are moved: int64 [3, count], rows: 1 where it is flipped, else 0; pixels to the
/// right; pixels down. Shifts are uniform, up to 10 % of width and height. From the default
/// generator of the images' device.
at::Tensor draw_moves(std::int64_t count, const Images& images);

/// The images so moved; a pixel from outside is the nearest one inside, as with Keras' generator.
at::Tensor moved(const at::Tensor& pixels, const at::Tensor& moves);

} // namespace article
