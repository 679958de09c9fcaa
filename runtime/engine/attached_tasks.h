#pragma once

#include <exception>
#include <filesystem>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "runtime/engine/claim.h"

namespace bgw::engine {

/// The tasks that other runs work on while this one waits for them. Their claims are tried in turn, a few each time, so
/// that thousands cost no more than some; all of them are tried within a few seconds.
class AttachedTasks {
 public:
  using WorkOf = std::function<std::filesystem::path(std::size_t task)>;
  /// Hears who works on a task. A task that nobody alive works on is not told: its process is about to stop.
  using Announce = std::function<void(std::size_t task, const ClaimOwner& owner)>;

  AttachedTasks(WorkOf work_of, Announce announce) : work_of_(std::move(work_of)), announce_(std::move(announce)) {}

  void add(std::size_t task);
  struct Freed {
    std::size_t task;
    std::optional<Claim> claim;
    std::exception_ptr problem = {};  // why there is no claim: its place in the cache cannot be written
  };
  /// Takes claims that have become free, at most `most`.
  std::vector<Freed> poll(std::size_t most);
  /// The tasks; none are left.
  std::vector<std::size_t> withdraw_all();

 private:
  struct Entry {
    std::size_t task;
    bool announced;
  };
  bool announce(std::size_t task) const;

  WorkOf work_of_;
  Announce announce_;
  std::list<Entry> entries_;  // the one to be tried next first
};

}  // namespace bgw::engine
