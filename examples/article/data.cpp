#include "data.h"

#include "../common/device.h"
#include "../common/mnist.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <tuple>

namespace article {
namespace {

namespace fs = std::filesystem;
using examples::to_tensor;
using examples::UsageError;

Images to_images(const examples::Split& split) {
  return {
      to_tensor(split.images.values, split.images.sizes).unsqueeze(1),
      to_tensor(split.labels.values, split.labels.sizes).to(at::kLong)};
}

Dataset load_idx(const std::string& name, const fs::path& folder) {
  const examples::Mnist files = examples::load_mnist(folder);
  return {name, to_images(files.train), to_images(files.test)};
}

Dataset load_cifar10(fs::path folder) {
  const fs::path inner = folder / "cifar-10-batches-bin";
  folder = fs::is_directory(inner) ? inner : folder;
  std::vector<at::Tensor> pixels;
  std::vector<at::Tensor> labels;
  for (int i = 1; i <= 5; ++i) {
    const Images part = read_cifar10(folder / ("data_batch_" + std::to_string(i) + ".bin"));
    pixels.push_back(part.pixels);
    labels.push_back(part.labels);
  }
  return {"cifar10", {at::cat(pixels), at::cat(labels)}, read_cifar10(folder / "test_batch.bin")};
}

} // namespace

Images Images::some(std::int64_t count) const {
  // How many of its class come before an image decides, then its place.
  const at::Tensor of_class = labels.unsqueeze(1).eq(at::arange(classes, labels.options()));
  const at::Tensor earlier = of_class.cumsum(0).gather(1, labels.unsqueeze(1)).squeeze(1);
  const at::Tensor order = earlier * labels.size(0) + at::arange(labels.size(0), labels.options());
  const at::Tensor chosen = std::get<0>(order.argsort().narrow(0, 0, count).sort());
  return {pixels.index_select(0, chosen), labels.index_select(0, chosen)};
}

Dataset Dataset::to(const c10::Device& device) const {
  const auto move = [&](const Images& images) {
    return Images{images.pixels.to(device), images.labels.to(device)};
  };
  return {name, move(train), move(validation)};
}

const std::vector<std::string>& dataset_names() {
  static const std::vector<std::string> names = {"cifar10", "mnist", "fashion_mnist"};
  return names;
}

void check_dataset_name(const std::string& name) {
  const std::vector<std::string>& names = dataset_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    std::string known;
    for (const std::string& other : names) {
      known += " " + other;
    }
    throw UsageError("unknown data set '" + name + "'; there are" + known);
  }
}

Dataset load_dataset(const std::string& name, const fs::path& folder) {
  check_dataset_name(name);
  if (!folder.empty()) {
    return name == "cifar10" ? load_cifar10(folder) : load_idx(name, folder);
  }
  if (name != "fashion_mnist") {
    throw UsageError(
        name + ": name its folder with --data-dir (CIFAR-10's binary version is at "
               "https://www.cs.toronto.edu/~kriz/cifar.html), or take --dataset fashion_mnist");
  }
  return load_idx(name, examples::find_fashion_mnist());
}

Images read_cifar10(const fs::path& file, std::int64_t count) {
  const auto fail = [&](const std::string& what) {
    throw std::runtime_error(file.string() + ": " + what);
  };
  constexpr std::int64_t record = 1 + 3 * 32 * 32;
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) {
    fail("cannot be opened");
  }
  const auto size = static_cast<std::int64_t>(stream.tellg());
  if (size != count * record) {
    fail(
        "expected " + std::to_string(count * record) + " bytes, " + std::to_string(count) +
        " images of 32x32 pixels with their labels, got " + std::to_string(size) +
        (size < count * record ? " (the file is truncated)" : " (there is more after their end)"));
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), size)) {
    fail("cannot be read");
  }
  const at::Tensor records = to_tensor(bytes, {count, record});
  const at::Tensor labels = records.select(1, 0).to(at::kLong);
  const at::Tensor wrong = (labels >= classes).nonzero();
  if (wrong.numel() > 0) {
    const auto index = wrong[0][0].item<std::int64_t>();
    fail(
        "expected labels from 0 to 9, got " + std::to_string(labels[index].item<std::int64_t>()) +
        " at image " + std::to_string(index));
  }
  return {records.narrow(1, 1, record - 1).reshape({count, 3, 32, 32}), labels};
}

at::Tensor to_numbers(const at::Tensor& pixels, double offset) {
  at::Tensor numbers = pixels.to(
      pixels.options().dtype(at::kFloat),
      /*non_blocking=*/false,
      /*copy=*/true,
      at::MemoryFormat::ChannelsLast);
  numbers.div_(255);
  return offset == 0 ? numbers : numbers.add_(offset);
}

at::Tensor draw_moves(std::int64_t count, const Images& images) {
  const auto draw = [&](std::int64_t lowest, std::int64_t highest) {
    return at::randint(lowest, highest + 1, {count}, images.labels.options());
  };
  const std::int64_t right = images.pixels.size(3) / 10;
  const std::int64_t down = images.pixels.size(2) / 10;
  return at::stack({draw(0, 1), draw(-right, right), draw(-down, down)});
}

at::Tensor moved(const at::Tensor& pixels, const at::Tensor& moves) {
  // Where each pixel of the result comes from: [count, 1] against [width] or [height].
  const auto source = [&](std::int64_t move, std::int64_t size) {
    return (at::arange(size, moves.options()) - moves[move].unsqueeze(1)).clamp(0, size - 1);
  };
  const std::int64_t height = pixels.size(2);
  const std::int64_t width = pixels.size(3);
  at::Tensor columns = source(1, width);
  columns = at::where(moves[0].unsqueeze(1) != 0, width - 1 - columns, columns);
  const auto gather = [](const at::Tensor& from, std::int64_t axis, const at::Tensor& index) {
    return from.gather(axis, index.expand(from.sizes()));
  };
  const at::Tensor across = gather(pixels, 3, columns.view({-1, 1, 1, width}));
  return gather(across, 2, source(2, height).view({-1, 1, height, 1}));
}

} // namespace article
