#include "interrupt.h"

#include <csignal>

namespace article {
namespace {

volatile std::sig_atomic_t flag = 0;

void raise_flag(int) {
  flag = 1;
}

} // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = raise_flag;
  // Files are written whole: no call is cut short.
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) {
    sigaction(signal, &action, nullptr);
  }
}

bool interrupted() {
  return flag != 0;
}

} // namespace article
