#pragma once

// TensorBoard's event files: records framed as in TFRecord (length and content, each with a masked
// CRC-32C), every record an Event message (tensorboard/compat/proto/event.proto).

#include "files.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace article::output {

/// The CRC-32 with Castagnoli's polynomial (RFC 3720, appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

/// One event file, events.out.tfevents.<seconds>.<host>. TensorBoard reads those of a folder in the
/// order of their names. Errors are std::system_error and name the file.
class EventFile {
 public:
  using Scalars = std::vector<std::pair<std::string_view, double>>;

  /// A new file in `folder`. Where `first_step` is above 1, TensorBoard forgets what files before
  /// it say of that step and later ones.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step);

  /// Adds one event with all the scalars, which are kept in single precision.
  void add(std::int64_t step, const Scalars& scalars);

 private:
  std::unique_ptr<AppendedFile> file_;
};

} // namespace article::output
