#pragma once

#include <cstddef>
#include <vector>

namespace bgw::engine {

/// A task as far as the time matters that a run still takes.
struct ForecastTask {
  double seconds = 0;               // still to come; 0 for one that is finished
  std::vector<std::size_t> inputs;  // indices of what has to be finished before
};

/// Seconds until all are finished, when as many go on side by side as now: the longest chain, or all work shared among
/// so many, whichever is longer. An estimate: it does not know what fits beside what.
/// @throws std::logic_error when tasks wait for each other in a circle
double seconds_left(const std::vector<ForecastTask>& tasks, std::size_t side_by_side);

}  // namespace bgw::engine
