#include "runtime/engine/attached_tasks.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::engine {
namespace {

constexpr std::size_t kTries = 400;  // five times a second: two thousand tasks a second

}  // namespace

bool AttachedTasks::announce(std::size_t task) const {
  const ClaimOwner owner = claim_owner(work_of_(task));
  if (owner.gone || owner.pid == 0) return false;
  announce_(task, owner);
  return true;
}

void AttachedTasks::add(std::size_t task) { entries_.push_back({task, announce(task)}); }

std::vector<AttachedTasks::Freed> AttachedTasks::poll(std::size_t most) {
  std::vector<Freed> freed;
  for (std::size_t tries = std::min(kTries, entries_.size()); tries > 0 && freed.size() < most; --tries) {
    Entry entry = entries_.front();
    entries_.pop_front();
    try {
      if (std::optional<Claim> claim = Claim::try_take(work_of_(entry.task))) {
        freed.push_back({entry.task, std::move(claim)});
        continue;
      }
    } catch (const StoreError&) {
      freed.push_back({entry.task, std::nullopt, std::current_exception()});
      continue;
    }
    if (!entry.announced) entry.announced = announce(entry.task);
    entries_.push_back(entry);
  }
  return freed;
}

std::vector<std::size_t> AttachedTasks::withdraw_all() {
  std::vector<std::size_t> tasks;
  for (const Entry& entry : entries_) tasks.push_back(entry.task);
  entries_.clear();
  return tasks;
}

}  // namespace bgw::engine
