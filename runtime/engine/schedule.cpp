#include "runtime/engine/schedule.h"

#include <algorithm>
#include <set>

namespace bgw::engine {
namespace {

void collect_predecessors(const plan::Plan& plan, std::size_t task, const std::vector<bool>& to_run, bool behind_cached,
                          std::set<std::size_t>& seen, std::vector<std::size_t>& found) {
  for (const plan::TaskInput& input : plan.tasks[task].inputs) {
    if (!seen.insert(input.task).second) continue;
    if (to_run[input.task]) {
      found.push_back(input.task);
    } else if (behind_cached) {
      collect_predecessors(plan, input.task, to_run, behind_cached, seen, found);
    }
  }
}

}  // namespace

WorkList make_work_list(const plan::Plan& plan, const std::vector<std::size_t>& wanted, const std::vector<bool>& cached) {
  const std::size_t count = plan.tasks.size();
  WorkList list{std::vector<bool>(count), std::vector<bool>(count)};
  std::vector<bool> behind_a_child(count);  // some child to run reads it, perhaps through others
  for (const std::size_t task : wanted) list.needed.at(task) = true;
  for (std::size_t task = count; task-- > 0;) {
    if (!list.needed[task]) continue;
    const plan::TaskSpec& spec = plan.tasks[task];
    list.to_run[task] = !cached.at(task);
    const bool child_runs = list.to_run[task] && spec.placement == plan::Placement::child;
    if (!list.to_run[task] && !behind_a_child[task]) continue;
    for (const plan::TaskInput& input : spec.inputs) {
      list.needed[input.task] = true;
      if (child_runs || behind_a_child[task]) behind_a_child[input.task] = true;
    }
  }
  return list;
}

std::vector<std::size_t> predecessors(const plan::Plan& plan, std::size_t task, const std::vector<bool>& to_run) {
  std::set<std::size_t> seen;
  std::vector<std::size_t> found;
  collect_predecessors(plan, task, to_run, plan.tasks.at(task).placement == plan::Placement::child, seen, found);
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<double> remaining_path(const plan::Plan& plan, const std::vector<bool>& to_run, const std::vector<double>& seconds) {
  std::vector<double> remaining(plan.tasks.size());
  for (std::size_t task = plan.tasks.size(); task-- > 0;) {
    if (!to_run[task]) continue;
    remaining[task] += seconds[task];
    for (const std::size_t earlier : predecessors(plan, task, to_run)) {
      remaining[earlier] = std::max(remaining[earlier], remaining[task]);
    }
  }
  return remaining;
}

}  // namespace bgw::engine
