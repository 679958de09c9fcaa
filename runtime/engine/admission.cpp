#include "runtime/engine/admission.h"

#include <algorithm>

namespace bgw::engine {

Admission::Admission(Machine machine) : free_(std::move(machine)), memory_(free_.memory) {}

void Admission::add(std::size_t task, const Request& request, double remaining_seconds) {
  ready_[request].emplace(-remaining_seconds, task);
  ++waiting_;
}

bool Admission::fits(const Request& request) const {
  if (somebody_alone_ || (request.alone && running_ > 0)) return false;
  if (free_.cpus < std::max(1, request.cpus) || free_.gpus.size() < static_cast<std::size_t>(request.gpus)) return false;
  return memory_ <= 0 || request.memory <= free_.memory;
}

std::optional<Admission::Start> Admission::next() {
  auto first = ready_.end();
  auto best = ready_.end();
  for (auto queue = ready_.begin(); queue != ready_.end(); ++queue) {
    const Rank& head = *queue->second.begin();
    if (first == ready_.end() || head < *first->second.begin()) first = queue;
    if (fits(queue->first) && (best == ready_.end() || head < *best->second.begin())) best = queue;
  }
  if (best == ready_.end()) return std::nullopt;
  if (best != first) {
    const Rank& head = *first->second.begin();
    if (passed_ != head) times_passed_ = 0;
    passed_ = head;
    if (running_ > 0 && times_passed_ >= kMostPassing) return std::nullopt;
    ++times_passed_;
  }
  return take(best);
}

Admission::Start Admission::take(Queues::iterator queue) {
  const Request& request = queue->first;
  const int share = std::max(1, free_.cpus / static_cast<int>(std::max<std::size_t>(1, waiting_)));
  Start start{queue->second.begin()->second, request.cpus > 0 ? request.cpus : share, request.memory, {}, request.alone};
  start.gpus.assign(free_.gpus.begin(), free_.gpus.begin() + request.gpus);
  free_.gpus.erase(free_.gpus.begin(), free_.gpus.begin() + request.gpus);
  free_.cpus -= start.cpus;
  free_.memory -= start.memory;
  somebody_alone_ = start.alone;
  ++running_;
  --waiting_;
  queue->second.erase(queue->second.begin());
  if (queue->second.empty()) ready_.erase(queue);
  return start;
}

void Admission::release(const Start& start) {
  free_.cpus += start.cpus;
  free_.memory += start.memory;
  free_.gpus.insert(free_.gpus.end(), start.gpus.begin(), start.gpus.end());
  if (start.alone) somebody_alone_ = false;
  --running_;
  // Sums of fractions of a byte are not exact: without this a task that wants all there is might wait for ever.
  if (running_ == 0) free_.memory = memory_;
}

std::vector<std::size_t> Admission::withdraw_all() {
  std::vector<std::size_t> tasks;
  for (const auto& [request, queue] : ready_) {
    for (const Rank& rank : queue) tasks.push_back(rank.second);
  }
  std::sort(tasks.begin(), tasks.end());
  ready_.clear();
  waiting_ = 0;
  return tasks;
}

}  // namespace bgw::engine
