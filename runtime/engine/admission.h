#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "runtime/engine/machine.h"

namespace bgw::engine {

/// What a task wants of the machine while it runs.
struct Request {
  int cpus = 0;        // 0: a share of those that are free
  double memory = 0;   // bytes; 0: not said, not counted
  int gpus = 0;
  bool alone = false;  // beside no other task

  friend bool operator<(const Request& a, const Request& b) {
    return std::tie(a.cpus, a.memory, a.gpus, a.alone) < std::tie(b.cpus, b.memory, b.gpus, b.alone);
  }
};

/// Which of the ready tasks starts next, and what of the machine it gets for itself: cpus, memory, GPUs.
///
/// The longest remaining path goes first; one that does not fit lets others pass, but not without end: after
/// kMostPassing starts the room that becomes free is kept for it. A task that does not say how many cpus it wants gets an
/// equal share of the free ones, which its numbers do not depend on. Tasks that want the same stand in one queue, so that
/// a start costs the number of different wants and not that of the waiting tasks.
class Admission {
 public:
  /// So often may others pass the task that stands first.
  static constexpr int kMostPassing = 100;

  explicit Admission(Machine machine);

  struct Start {
    std::size_t task = 0;
    int cpus = 1;
    double memory = 0;
    std::vector<std::string> gpus;
    bool alone = false;
  };

  void add(std::size_t task, const Request& request, double remaining_seconds);
  /// Takes what the task that it names needs; nullopt while nothing fits.
  std::optional<Start> next();
  /// Gives back what a task was started with.
  void release(const Start& start);
  int free_cpus() const { return free_.cpus; }
  std::size_t waiting() const { return waiting_; }
  /// Empties the queue: the tasks that will not start, in order of the plan.
  std::vector<std::size_t> withdraw_all();

 private:
  // Longest remaining path first, ties in order of the plan.
  using Rank = std::pair<double, std::size_t>;  // minus the seconds, the task
  using Queues = std::map<Request, std::set<Rank>>;

  bool fits(const Request& request) const;
  Start take(Queues::iterator queue);

  Machine free_;
  double memory_;  // of the machine
  Queues ready_;  // none of them empty
  std::size_t waiting_ = 0;
  std::size_t running_ = 0;
  bool somebody_alone_ = false;
  std::optional<Rank> passed_;  // the task that stands first and did not fit
  int times_passed_ = 0;
};

}  // namespace bgw::engine
