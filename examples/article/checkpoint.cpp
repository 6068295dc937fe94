#include "checkpoint.h"

#include "output/files.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <type_traits>
#include <variant>

namespace article {
namespace {

/// What is recorded of epochs, then what else is recorded of tasks: columns are only added at the
/// end, so that older files can be read.
std::vector<EpochColumn> all_columns() {
  std::vector<EpochColumn> all = epoch_columns;
  for (const EpochColumn& column : task_columns) {
    if (std::none_of(all.begin(), all.end(), [&](const EpochColumn& other) {
          return other.member == column.member;
        })) {
      all.push_back(column);
    }
  }
  return all;
}

at::Tensor to_tensor(const std::vector<Epoch>& epochs) {
  const std::vector<EpochColumn> columns = all_columns();
  at::Tensor table = at::empty(
      {static_cast<std::int64_t>(epochs.size()), static_cast<std::int64_t>(columns.size())},
      at::kDouble);
  auto* cell = table.data_ptr<double>();
  for (const Epoch& epoch : epochs) {
    for (const EpochColumn& column : columns) {
      *cell++ = std::visit(
          [&](auto member) { return static_cast<double>(epoch.*member); }, column.member);
    }
  }
  return table;
}

std::vector<Epoch> to_epochs(const at::Tensor& table) {
  const std::vector<EpochColumn> columns = all_columns();
  TORCH_CHECK(
      table.dim() == 2 && table.size(1) <= static_cast<std::int64_t>(columns.size()),
      "its epochs are damaged");
  std::vector<Epoch> epochs(static_cast<std::size_t>(table.size(0)));
  const auto cells = table.accessor<double, 2>();
  for (std::int64_t row = 0; row < table.size(0); ++row) {
    for (std::int64_t i = 0; i < table.size(1); ++i) {
      std::visit(
          [&](auto member) {
            auto& value = epochs[static_cast<std::size_t>(row)].*member;
            value = static_cast<std::decay_t<decltype(value)>>(cells[row][i]);
          },
          columns[static_cast<std::size_t>(i)].member);
    }
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
