#include "files.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace article::output {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), path.string() + ": " + what);
}

int open_file(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    fail(path, "cannot be opened for writing");
  }
  return descriptor;
}

void write_all(int descriptor, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written >= 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      fail(path, "cannot be written");
    }
  }
  if (::fsync(descriptor) != 0) {
    fail(path, "cannot be written");
  }
}

} // namespace

AppendedFile::AppendedFile(const std::filesystem::path& path, Opening opening)
    : path_(path), descriptor_(open_file(path, opening == Opening::kNew ? O_CREAT | O_EXCL : 0)) {}

AppendedFile::~AppendedFile() {
  ::close(descriptor_);
}

void AppendedFile::append(std::string_view content) {
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);
  try {
    write_all(descriptor_, content, path_);
  } catch (const std::system_error&) {
    // The error that is reported is the first one; readers take half a line at the end in any case.
    static_cast<void>(::ftruncate(descriptor_, end) == 0);
    throw;
  }
}

void replace_file(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path part = path.string() + ".part";
  std::filesystem::remove(part);
  try {
    AppendedFile(part, AppendedFile::Opening::kNew).append(content);
  } catch (const std::system_error&) {
    std::error_code ignored; // the first error is the one to report
    std::filesystem::remove(part, ignored);
    throw;
  }
  std::filesystem::rename(part, path);
  // The new name has to last too. Not every file system can promise that, so errors do not count.
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

} // namespace article::output
