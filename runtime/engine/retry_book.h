#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "runtime/engine/observer.h"
#include "runtime/engine/policy.h"

namespace bgw::engine {

/// The failures of a run's tasks, and what follows from each. Pure: it is told the time.
///
/// A task is tried again for the causes its policy names, `attempts` times in all. What the machine took from it
/// (node_lost, preempted, or a timeout after which it can go on from a newer checkpoint) uses up no attempt. Between two
/// attempts it waits for the backoff, twice as long after each failure that brought nothing, fifteen minutes at most; one
/// that was stopped and has saved its state goes on at once. A task that fails for the same cause three times within a
/// minute and gets nowhere will fail again: it is given up, because more attempts would only hide why.
class RetryBook {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Seconds = std::chrono::duration<double>;

  /// What comes next of a task that failed.
  struct Next {
    Seconds wait{0};
    int attempt = 2;  // of those that count
  };

  /// @param moved_on  the attempt left a newer checkpoint than it found
  /// @return          nullopt when the task is given up
  std::optional<Next> failed(std::size_t task, const Policy& policy, const TaskFailed& failure, bool moved_on, TimePoint now);
  /// The first failure of the kind that ended it: the one whose log tells most. With the number of attempts made.
  TaskFailed told(std::size_t task) const;

 private:
  struct Failure {
    TaskFailed what;
    TimePoint when;
    bool moved_on;
  };
  struct Page {
    std::vector<Failure> failures;
    int used_up = 0;   // attempts
    int in_vain = 0;   // failures since the last one that moved on
  };
  static bool fails_quickly(const Page& page);

  std::map<std::size_t, Page> pages_;
};

}  // namespace bgw::engine
