#include "checkpoint.h"

#include "output/files.h"

#include <ATen/ops/empty.h>

#include <sstream>
#include <stdexcept>

namespace article {
namespace {

constexpr std::int64_t columns = 7;

at::Tensor to_tensor(const std::vector<Epoch>& epochs) {
  at::Tensor table = at::empty({static_cast<std::int64_t>(epochs.size()), columns}, at::kDouble);
  auto row = table.accessor<double, 2>();
  std::int64_t i = 0;
  for (const Epoch& epoch : epochs) {
    row[i][0] = epoch.number;
    row[i][1] = epoch.loss;
    row[i][2] = epoch.accuracy;
    row[i][3] = epoch.val_loss;
    row[i][4] = epoch.val_accuracy;
    row[i][5] = epoch.seconds;
    row[i][6] = static_cast<double>(epoch.dead_units);
    ++i;
  }
  return table;
}

std::vector<Epoch> to_epochs(const at::Tensor& table) {
  TORCH_CHECK(table.dim() == 2 && table.size(1) == columns, "its epochs are damaged");
  std::vector<Epoch> epochs;
  const auto row = table.accessor<double, 2>();
  for (std::int64_t i = 0; i < table.size(0); ++i) {
    Epoch epoch;
    epoch.number = static_cast<int>(row[i][0]);
    epoch.loss = row[i][1];
    epoch.accuracy = row[i][2];
    epoch.val_loss = row[i][3];
    epoch.val_accuracy = row[i][4];
    epoch.seconds = row[i][5];
    epoch.dead_units = static_cast<std::int64_t>(row[i][6]);
    epochs.push_back(epoch);
  }
  return epochs;
}

} // namespace

void save_checkpoint(
    const std::filesystem::path& file,
    const Trainer& trainer,
    const Identity& identity,
    const std::vector<Epoch>& epochs) {
  torch::serialize::OutputArchive archive;
  c10::Dict<std::string, std::string> settings;
  for (const auto& [name, value] : identity) {
    settings.insert(name, value);
  }
  archive.write("settings", c10::IValue(settings));
  archive.write("epochs", to_tensor(epochs), /*is_buffer=*/true);
  torch::serialize::OutputArchive state(archive.compilation_unit());
  trainer.save(state);
  archive.write("state", state);
  std::string bytes;
  archive.save_to([&bytes](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return size;
  });
  output::replace_file(file, bytes);
}

std::vector<Epoch> load_checkpoint(
    const std::filesystem::path& file, Trainer& trainer, const Identity& identity) {
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(file.string(), c10::Device(c10::kCPU));
    c10::IValue settings;
    archive.read("settings", settings);
    for (const auto& entry : settings.toGenericDict()) {
      const std::string name = entry.key().toStringRef();
      const auto now = identity.find(name);
      const std::string then = entry.value().toStringRef();
      TORCH_CHECK(
          now != identity.end() && now->second == then,
          "was trained with ",
          name,
          " ",
          then,
          ", not ",
          now == identity.end() ? "without it" : now->second);
    }
    torch::serialize::InputArchive state;
    archive.read("state", state);
    trainer.load(state);
    at::Tensor epochs;
    archive.read("epochs", epochs, /*is_buffer=*/true);
    return to_epochs(epochs);
  } catch (const c10::Error& error) {
    throw std::runtime_error(file.string() + ": " + error.what_without_backtrace());
  }
}

} // namespace article
