#include "runtime/engine/forecast.h"

#include <algorithm>
#include <stdexcept>

namespace bgw::engine {

double seconds_left(const std::vector<ForecastTask>& tasks, std::size_t side_by_side) {
  std::vector<std::vector<std::size_t>> dependents(tasks.size());
  std::vector<std::size_t> missing(tasks.size());
  std::vector<std::size_t> ready;
  for (std::size_t task = 0; task < tasks.size(); ++task) {
    missing[task] = tasks[task].inputs.size();
    if (missing[task] == 0) ready.push_back(task);
    for (const std::size_t input : tasks[task].inputs) dependents.at(input).push_back(task);
  }
  std::vector<double> begin(tasks.size());
  double longest = 0;
  double work = 0;
  std::size_t seen = 0;
  for (; seen < ready.size(); ++seen) {
    const std::size_t task = ready[seen];
    const double end = begin[task] + tasks[task].seconds;
    longest = std::max(longest, end);
    work += tasks[task].seconds;
    for (const std::size_t dependent : dependents[task]) {
      begin[dependent] = std::max(begin[dependent], end);
      if (--missing[dependent] == 0) ready.push_back(dependent);
    }
  }
  if (seen != tasks.size()) throw std::logic_error("tasks wait for each other in a circle");
  return std::max(longest, work / static_cast<double>(std::max<std::size_t>(1, side_by_side)));
}

}  // namespace bgw::engine
