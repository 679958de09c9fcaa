#include "runtime/sampling/kick_plan.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace bgw::sampling {
namespace {

constexpr std::int64_t kPanel = 4;  // beyond that the longest rotations, in the middle, undo what the order gains

/// Legendre polynomials P_(n-1) and P_(n-2) at x.
std::pair<double, double> legendre(std::int64_t n, double x) {
  double previous = 1.0, current = x;
  for (std::int64_t k = 2; k < n; ++k) {
    const auto order = static_cast<double>(k);
    const double next = ((2 * order - 1) * x * current - (order - 1) * previous) / order;
    previous = current;
    current = next;
  }
  return {current, previous};
}

/// Gauss-Lobatto quadrature on [0, 1] with `turns` + 1 nodes, both ends among them.
KickPlan lobatto(std::int64_t turns) {
  const std::int64_t n = turns + 1;
  const auto nodes = static_cast<double>(n);
  KickPlan plan;
  double last = 0.0;
  for (std::int64_t k = 0; k < n; ++k) {
    double x = -std::cos(std::numbers::pi * static_cast<double>(k) / static_cast<double>(turns));
    for (int newton = 0; newton < 50; ++newton) {
      const auto [current, previous] = legendre(n, x);
      x -= (x * current - previous) / (nodes * current);
    }
    const double top = legendre(n, x).first;
    plan.kicks.push_back(1.0 / (nodes * (nodes - 1) * top * top));
    const double place = 0.5 * (x + 1.0);
    if (k > 0) plan.turns.push_back(place - last);
    last = place;
  }
  return plan;
}

/// Rotations of each panel, the same from both ends: an odd number of them needs an odd number of panels, one fewer where
/// those hold no more than five. What is left over goes to the middle panel, and then in pairs to both sides of it.
std::vector<std::int64_t> panels(std::int64_t rotations) {
  std::int64_t count = (rotations + kPanel - 1) / kPanel;
  if (rotations % 2 != 0 && count % 2 == 0) count += rotations <= (kPanel + 1) * (count - 1) ? -1 : 1;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(count), rotations / count);
  std::int64_t rest = rotations % count;
  if (rest % 2 != 0) {
    ++sizes[static_cast<std::size_t>(count / 2)];
    --rest;
  }
  for (std::int64_t p = 0; p < rest / 2; ++p) {
    ++sizes[static_cast<std::size_t>(p)];
    ++sizes[static_cast<std::size_t>(count - 1 - p)];
  }
  return sizes;
}

}  // namespace

KickPlan kick_plan(std::int64_t rotations) {
  KickPlan whole;
  whole.kicks = {0.0};
  for (const std::int64_t size : panels(rotations)) {
    const KickPlan part = lobatto(size);
    const double share = static_cast<double>(size) / static_cast<double>(rotations);
    for (const double turn : part.turns) whole.turns.push_back(share * turn);
    whole.kicks.back() += share * part.kicks.front();
    for (std::size_t k = 1; k < part.kicks.size(); ++k) whole.kicks.push_back(share * part.kicks[k]);
  }
  return whole;
}

}  // namespace bgw::sampling
