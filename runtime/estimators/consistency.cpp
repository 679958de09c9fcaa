#include "runtime/estimators/consistency.h"

#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

constexpr double kRounding = 1e-9;

double sigmas_between(const Replicated& a, const Replicated& b, double few_blocks) {
  if (a.replicates.size() != b.replicates.size()) throw ShapeError("consistency: the estimates differ in their replicates");
  std::vector<double> difference;
  for (std::size_t r = 0; r < a.replicates.size(); ++r) difference.push_back(a.replicates[r] - b.replicates[r]);
  return std::abs(a.value - b.value) / std::hypot(spread(difference) * few_blocks, kRounding);
}

}  // namespace

Consistency consistency(const std::vector<Replicated>& estimates, std::int64_t blocks) {
  if (estimates.size() < 2) throw ShapeError("consistency: there is nothing to compare");
  const double few_blocks = few_blocks_factor(blocks);
  Consistency worst{-1.0, ""};
  for (std::size_t i = 0; i < estimates.size(); ++i) {
    for (std::size_t j = i + 1; j < estimates.size(); ++j) {
      const double sigmas = sigmas_between(estimates[i], estimates[j], few_blocks);
      if (worst.pair.empty() || std::isnan(worst.sigmas) || sigmas > worst.sigmas) worst = {sigmas, estimates[i].name + " and " + estimates[j].name};
    }
  }
  return worst;
}

}  // namespace bgw::estimators
