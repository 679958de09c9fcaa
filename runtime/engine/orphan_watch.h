#pragma once

#include <atomic>
#include <chrono>

namespace bgw::engine {

/// The environment variable in which a controller tells a task process its own number.
inline constexpr const char* kControllerVariable = "BGW_CONTROLLER";

/// How long a task process may live on without its controller. Another run that waits for the task takes over within five
/// seconds, so it must have let go of the claim by then.
inline constexpr std::chrono::milliseconds kOrphanGrace{3500};

/// Watches, on a thread of its own, the controller that started this process; does nothing without one.
///
/// When it has died, `stop` is set: the task saves its state at the end of the step and stops. A step may be long, and a
/// process without a controller still holds the claim; so after the grace the process is ended, wherever it is. That costs
/// what was done since the last checkpoint. A checkpoint or an object that is being written at that moment stays unseen,
/// as it would after a crash.
void watch_controller(std::atomic<bool>& stop, std::chrono::milliseconds grace = kOrphanGrace);

}  // namespace bgw::engine
