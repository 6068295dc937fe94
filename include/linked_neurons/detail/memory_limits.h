/// \file
/// How much memory a process on Linux may take: what the machine has, and what limits leave of it.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <istream>
#include <limits>
#include <sstream>
#include <string>

namespace linked_neurons::detail {

/// The least of the limits of a process's control groups, in bytes: of both versions, and of the
/// groups around them. (A container is one; from inside, the files of those around it may be
/// missing.)
/// \param groups the text of /proc/self/cgroup.
/// \param text_of what is in a file, nothing where there is none.
template <class TextOf>
std::uint64_t control_group_limit(std::istream& groups, const TextOf& text_of) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (std::string line; std::getline(groups, line);) { // number:controllers:path
    const auto controllers = line.find(':') + 1;
    const auto path = line.find(':', controllers) + 1;
    if (controllers == 0 || path == 0) {
      continue;
    }
    // Not by operator+, of which g++ 12 warns in C++20 (GCC's bug 105651).
    std::string between = ",";
    between.append(line, controllers, path - 1 - controllers).append(",");
    const bool is_version_2 = between == ",,";
    if (!is_version_2 && between.find(",memory,") == std::string::npos) {
      continue;
    }
    const std::string root = is_version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* const file = is_version_2 ? "/memory.max" : "/memory.limit_in_bytes";
    for (std::string group = line.substr(path);; group.resize(group.rfind('/'))) {
      std::uint64_t limit = 0;
      if (std::istringstream(text_of(root + group + file)) >> limit) { // the word "max" is none
        least = std::min(least, limit);
      }
      if (group.find('/') == std::string::npos) {
        break;
      }
    }
  }
  return least;
}

/// What is left of a limit of setrlimit(2) when so much is used; all there is without a limit.
inline std::uint64_t left_of(__rlimit_resource_t resource, std::uint64_t used) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

inline std::string first_word_of(const std::string& file) {
  std::string word;
  std::ifstream(file) >> word;
  return word;
}

/// Bytes that this process may have, or may still take where the limit is on its addresses.
inline std::uint64_t memory_limit() {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  // proc(5): size, resident, shared, text, lib, data; in pages.
  std::uint64_t used[6] = {};
  std::ifstream statm("/proc/self/statm");
  for (std::uint64_t& each : used) {
    statm >> each;
  }
  std::ifstream groups("/proc/self/cgroup");
  return std::min(
      {pages * page,
       left_of(RLIMIT_AS, used[0] * page),
       left_of(RLIMIT_DATA, used[5] * page),
       control_group_limit(groups, first_word_of)});
}

} // namespace linked_neurons::detail
