#include "runtime/engine/orphan_watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "runtime/engine/child.h"
#include "runtime/store/durable_file.h"

namespace bgw::engine {
namespace {

void say(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

// As long as the controller is our parent, its number has not been given to another process: asked after the opening.
void wait_for_end(pid_t controller) {
  const store::Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, controller, 0)));
  while (::getppid() == controller) {
    pollfd end{process.get(), POLLIN, 0};  // where there are no pidfds, a nap between two looks
    ::poll(&end, 1, process.is_open() ? -1 : 200);
  }
}

void watch(pid_t controller, std::atomic<bool>& stop, std::chrono::milliseconds grace) {
  wait_for_end(controller);
  stop = true;
  say(fmt::format("the controller (pid {}) is gone: stopping at the end of this step", controller));
  std::this_thread::sleep_for(grace);
  say(fmt::format("the step did not end within {} ms: stopping here, the last checkpoint stays", grace.count()));
  ::_exit(kTaskStopped);
}

}  // namespace

void watch_controller(std::atomic<bool>& stop, std::chrono::milliseconds grace) {
  const char* text = std::getenv(kControllerVariable);
  const pid_t controller = text == nullptr ? 0 : static_cast<pid_t>(std::atoi(text));
  if (controller <= 0) return;
  // The thread must not hear the signals that are meant for the task.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread([controller, &stop, grace] { watch(controller, stop, grace); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace bgw::engine
