#pragma once

#include <csignal>
#include <optional>
#include <vector>

#include "runtime/store/durable_file.h"

namespace bgw::engine {

/// The one place where the dispatcher sleeps: epoll over children (pidfds), signals (signalfd), a bell that other threads
/// ring (eventfd) and a clock that ticks five times a second (timerfd).
class Wakeups {
 public:
  /// Hears the signals of stop_signals(), which must be blocked in all threads.
  /// @throws StoreError when the system refuses
  Wakeups();

  enum class Kind { bell, signal, tick, child };
  struct Event {
    Kind kind;
    int descriptor;  // of a child
  };
  /// Sleeps until something happens.
  std::vector<Event> wait();

  void watch(int child);
  void forget(int child);
  /// From any thread.
  void ring();
  /// The next signal that came; nullopt when all have been read.
  std::optional<int> next_signal();

 private:
  Event event_of(int descriptor);

  store::Descriptor epoll_;
  store::Descriptor signals_;
  store::Descriptor bell_;
  store::Descriptor clock_;
};

/// The signals that end a run: SIGINT, SIGTERM and SIGHUP, but for those that this process was started to ignore, as by
/// nohup. (A signal that is blocked would be heard even then.)
sigset_t stop_signals();

}  // namespace bgw::engine
