// The processes of one machine: this one's children.

#include "exit_status.h"
#include "interrupt.h"
#include "processes.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace article {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// An empty file that is gone in the end.
class TemporaryFile {
 public:
  TemporaryFile() : path_((fs::temp_directory_path() / "article-XXXXXX").string()) {
    const int descriptor = ::mkstemp(path_.data());
    if (descriptor < 0) {
      fail(path_.c_str());
    }
    ::close(descriptor);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    ::unlink(path_.c_str());
  }

  const std::string& path() const {
    return path_;
  }

 private:
  std::string path_;
};

std::string describe(int status) {
  return WIFSIGNALED(status) ? "was killed by signal " + std::to_string(WTERMSIG(status))
                             : "failed (exit status " + std::to_string(WEXITSTATUS(status)) + ")";
}

/// \param sent the last signal that was sent to the children.
/// \param is_first whether none had failed before.
bool is_worth_telling(int status, int sent, bool is_first) {
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) != sent; // perhaps it ended after one that missed it
  }
  const int result = WEXITSTATUS(status);
  return is_first && result != 0 && result != interrupted_status && result != usage_status;
}

/// One of the children if one has ended, else 0.
pid_t ended_child(int& status) {
  const pid_t ended = ::waitpid(-1, &status, WNOHANG);
  if (ended < 0 && errno != EINTR) {
    fail("waitpid");
  }
  return std::max(ended, 0);
}

class Children {
 public:
  void add(pid_t child) {
    running_.push_back(child);
    all_.push_back(child);
  }

  /// Waits for all of them; the first that does not return 0 ends the others, as an interrupt does.
  int wait() {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::seconds grace(10); // a checkpoint may be on its way
    int result = 0;
    int sent = 0;            // the last signal, if any
    Clock::time_point asked; // to end, then
    while (!running_.empty()) {
      int status = 0;
      const pid_t ended = ended_child(status);
      if (ended > 0) {
        running_.erase(std::find(running_.begin(), running_.end(), ended));
        if (is_worth_telling(status, sent, result == 0)) {
          tell(ended, status);
        }
        if (result == 0) {
          result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        }
      }
      if ((result != 0 || interrupted()) && sent == 0) {
        asked = Clock::now();
        signal(sent = SIGTERM);
      } else if (sent != 0 && Clock::now() - asked > grace) {
        signal(sent = SIGKILL);
      }
      if (ended == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    return result;
  }

 private:
  void tell(pid_t ended, int status) const {
    const auto rank = std::find(all_.begin(), all_.end(), ended) - all_.begin();
    std::fprintf(
        stderr,
        "article: process %d of %zu %s; the others were ended\n",
        static_cast<int>(rank),
        all_.size(),
        describe(status).c_str());
  }

  void signal(int number) const {
    for (const pid_t child : running_) {
      ::kill(child, number);
    }
  }

  std::vector<pid_t> running_;
  std::vector<pid_t> all_; // by rank
};

} // namespace

int run_local(int size, const std::function<int(const Place&)>& work) {
  const TemporaryFile meeting;
  Children children;
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  for (int rank = 0; rank < size; ++rank) {
    const pid_t child = ::fork();
    if (child < 0) {
      fail("fork");
    }
    if (child == 0) {
#ifdef __linux__
      // Nobody would end it if its parent were killed.
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
      if (::getppid() != parent) {
        std::_Exit(1);
      }
      Place place;
      place.rank = rank;
      place.size = size;
      place.file = meeting.path();
      const int result = work(place);
      std::fflush(nullptr);
      std::_Exit(result); // the parent's objects are the parent's to destroy
    }
    children.add(child);
  }
  return children.wait();
}

} // namespace article
