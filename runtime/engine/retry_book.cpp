#include "runtime/engine/retry_book.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace bgw::engine {
namespace {

constexpr double kLongestWait = 900;  // seconds
constexpr std::size_t kTooMany = 3;
constexpr std::chrono::minutes kQuickly{1};

bool taken_by_the_machine(std::string_view cause, bool moved_on) {
  return cause == "node_lost" || cause == "preempted" || (cause == "timeout" && moved_on);
}

bool stopped_with_its_state(std::string_view cause, bool moved_on) { return moved_on && (cause == "preempted" || cause == "timeout"); }

}  // namespace

bool RetryBook::fails_quickly(const Page& page) {
  std::size_t same = 0;
  for (auto failure = page.failures.rbegin(); failure != page.failures.rend(); ++failure) {
    if (failure->moved_on || failure->what.cause != page.failures.back().what.cause) break;
    if (page.failures.back().when - failure->when >= kQuickly) break;
    if (++same == kTooMany) return true;
  }
  return false;
}

std::optional<RetryBook::Next> RetryBook::failed(std::size_t task, const Policy& policy, const TaskFailed& failure, bool moved_on,
                                                 TimePoint now) {
  Page& page = pages_[task];
  page.failures.push_back({failure, now, moved_on});
  if (!taken_by_the_machine(failure.cause, moved_on)) ++page.used_up;
  page.in_vain = moved_on ? 0 : page.in_vain + 1;
  if (policy.retry_on.count(failure.cause) == 0 || page.used_up >= std::max(1, policy.attempts) || fails_quickly(page)) return std::nullopt;
  Next next{Seconds(0), page.used_up + 1};
  if (stopped_with_its_state(failure.cause, moved_on)) return next;
  const double doubled = policy.backoff * std::pow(2.0, std::max(0, page.in_vain - 1));
  next.wait = Seconds(std::min(doubled, std::max(kLongestWait, policy.backoff)));
  return next;
}

TaskFailed RetryBook::told(std::size_t task) const {
  const std::vector<Failure>& failures = pages_.at(task).failures;
  const auto first = std::find_if(failures.begin(), failures.end(),
                                  [&](const Failure& failure) { return failure.what.cause == failures.back().what.cause; });
  TaskFailed told = first->what;
  told.attempts = static_cast<int>(failures.size());
  return told;
}

}  // namespace bgw::engine
