#include "runtime/flows/edge_periods.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr double kAlike = 0.1;  // of the period: as far as neighbours move towards each other
constexpr int kTries = 60;      // ranges between two thirds and one and a half of the one that was asked for

/// The largest of three differences, each less its whole periods; infinite where there is no period to take out.
double distance(const double* a, const double* b, double period) {
  double largest = 0;
  bool wrapped = false;
  for (int d = 0; d < 3; ++d) {
    const double apart = a[d] - b[d], periods = std::round(apart / period);
    wrapped = wrapped || periods != 0;
    largest = std::max(largest, std::abs(apart - period * periods));
  }
  return wrapped ? largest : std::numeric_limits<double>::infinity();
}

/// The range near the given one on which neighbours are furthest apart.
double better_range(const AtomGraph& graph, double range) {
  double best = range, separation = least_separation(graph, 2 * range);
  for (int k = 0; k <= kTries; ++k) {
    const double tried = range * std::pow(1.5, 2.0 * k / kTries - 1.0);
    const double found = least_separation(graph, 2 * tried);
    if (found <= separation) continue;
    separation = found;
    best = tried;
  }
  return best;
}

}  // namespace

double least_separation(const AtomGraph& graph, double period) {
  const Tensor offsets = graph.of_sites.offsets.contiguous();
  const std::int64_t sites = offsets.size(0), degree = offsets.size(1);
  const double* vector = offsets.data_ptr<double>();
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < sites; ++i, vector += 3 * degree) {
    for (std::int64_t a = 0; a < degree; ++a) {
      for (std::int64_t b = 0; b < a; ++b) least = std::min(least, distance(vector + 3 * a, vector + 3 * b, period));
    }
  }
  return least / period;
}

void refuse_lookalikes(const AtomGraph& graph, double range) {
  // A complete graph has neighbours all over the box, and its images change with the moment.
  if (graph.neighbourhood != Neighbourhood::of_the_sites) return;
  const double separation = least_separation(graph, 2 * range);
  if (separation >= kAlike) return;
  const double better = better_range(graph, range);
  if (least_separation(graph, 2 * better) < kAlike) return;  // a crystal of many directions: there is no such range near by
  throw InputError(fmt::format("augmented flow: two of the {} neighbours of an atom look alike: with a range of {:.4g} angstrom their "
                               "vectors come again after {:.4g}, and two are then {:.2g} apart; take for instance {:.3g}",
                               graph.degree, range, 2 * range, separation * 2 * range, better));
}

}  // namespace bgw::flows
