#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// A folder of one test's own.
class Folder {
 public:
  Folder() : path_((fs::temp_directory_path() / "article-test-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error("no temporary folder");
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    // Not remove_all(): libtorch.so of the wheels brings one of its own, which crashes.
    std::vector<fs::path> all = {path_};
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      all.push_back(entry.path());
    }
    std::error_code ignored;
    for (auto path = all.rbegin(); path != all.rend(); ++path) {
      fs::remove(*path, ignored);
    }
  }

  fs::path operator/(const std::string& name) const {
    return fs::path(path_) / name;
  }

  const std::string& path() const {
    return path_;
  }

 private:
  std::string path_;
};

inline void write(const fs::path& file, const Bytes& bytes) {
  std::ofstream(file, std::ios::binary)
      .write(
          reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// An IDX file: magic number, sizes, values.
inline Bytes idx(
    std::uint32_t magic, const std::vector<std::uint32_t>& sizes, const Bytes& values) {
  Bytes bytes;
  const auto put = [&](std::uint32_t number) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<std::uint8_t>(number >> shift));
    }
  };
  put(magic);
  for (const std::uint32_t size : sizes) {
    put(size);
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

constexpr std::uint32_t images_magic = 0x803;
constexpr std::uint32_t labels_magic = 0x801;

/// One of two squares of a data set of our own: brighter pixels for higher labels.
inline void write_mnist(const fs::path& folder, std::uint32_t train, std::uint32_t test) {
  for (const auto& [name, count] :
       {std::pair<const char*, std::uint32_t>{"train", train}, {"t10k", test}}) {
    Bytes pixels;
    Bytes labels;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t label = i * 7 % 10;
      labels.push_back(static_cast<std::uint8_t>(label));
      for (std::uint32_t p = 0; p < 28 * 28; ++p) {
        pixels.push_back(static_cast<std::uint8_t>(label * 20 + (p * (i + 3)) % 50));
      }
    }
    write(
        folder / (std::string(name) + "-images-idx3-ubyte"),
        idx(images_magic, {count, 28, 28}, pixels));
    write(folder / (std::string(name) + "-labels-idx1-ubyte"), idx(labels_magic, {count}, labels));
  }
}

/// What `work` throws says all of `parts`.
template <class Error, class Work>
void expect_error(Work&& work, const std::vector<std::string>& parts) {
  try {
    work();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << error.what() << "' does not say '" << part << "'";
    }
  }
}

} // namespace tests
