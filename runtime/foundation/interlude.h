#pragma once

#include <functional>
#include <utility>

namespace bgw {

/// Hears, while it lives, of the interludes of this thread: the places where a long computation that cannot be taken up
/// in its middle may be left by an exception - between replicates of a bootstrap, parts of a histogram, micro-batches
/// of a step. So numerics need not know of tasks, stop requests and states. The innermost listener is told.
class Listening {
 public:
  explicit Listening(std::function<void()> listener) : listener_(std::move(listener)), outer_(std::exchange(innermost, this)) {}
  ~Listening() { innermost = outer_; }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  friend void interlude();
  inline static thread_local Listening* innermost = nullptr;
  std::function<void()> listener_;
  Listening* outer_;
};

/// Such a place. Nothing happens unless somebody listens.
/// @throws what the listener throws
inline void interlude() {
  if (Listening::innermost != nullptr) Listening::innermost->listener_();
}

}  // namespace bgw
