#pragma once

// Files whose content is on the disk when a call returns. Every error is a std::system_error that
// names the file.

#include <filesystem>
#include <string_view>

namespace article::output {

/// Puts `content` in the place of the file: whoever reads it finds the old content or the new one,
/// never a part, also after a crash.
void replace_file(const std::filesystem::path& path, std::string_view content);

/// A file that grows.
class AppendedFile {
 public:
  enum class Opening {
    kExisting,
    kNew, ///< std::errc::file_exists if there is one.
  };

  AppendedFile(const std::filesystem::path& path, Opening opening);
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;
  ~AppendedFile();

  /// Appends all of `content` or, where that fails, nothing.
  void append(std::string_view content);

 private:
  std::filesystem::path path_;
  int descriptor_;
};

} // namespace article::output
