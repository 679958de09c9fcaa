#include "runtime/flows/mean_exchange.h"

namespace bgw::flows {
namespace {

Tensor rows_of(const Tensor& state, const StatePart& part) { return state.narrow(1, part.begin, part.length); }

Tensor without_mean_of(const Tensor& state, const StatePart& part) {
  return state - rows_of(state, part).mean(1, true);
}

/// The transpose of `without_mean_of`.
Tensor transposed(const Tensor& bar, const StatePart& part) {
  Tensor result = bar.clone();
  rows_of(result, part).sub_(bar.sum(1, true) / static_cast<double>(part.length));
  return result;
}

}  // namespace

Tensor MeanExchange::forward(const Tensor& x, const Tensor&, Tensor&) const { return without_mean_of(x, cleared_); }

// The other rows had no mean, so what they have now is what was taken.
Tensor MeanExchange::inverse(const Tensor& y, const Tensor&, Tensor&) const { return without_mean_of(y, other_); }

Tensor MeanExchange::pull_back(const Tensor&, const Tensor&, const Tensor& y_bar, double, Tensor*) const {
  return transposed(y_bar, cleared_);
}

Tensor MeanExchange::carry_score(const Tensor&, const Tensor&, const Tensor& score, Tensor*) const {
  return transposed(score, other_);
}

}  // namespace bgw::flows
