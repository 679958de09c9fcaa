#include "runtime/estimators/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/estimators/numbers.h"

namespace bgw::estimators {
namespace {

using Numbers = std::vector<double>;

constexpr std::size_t kLeastTail = 5;

std::size_t tail_length(std::size_t n) {
  const double number = static_cast<double>(n);
  return static_cast<std::size_t>(std::ceil(std::min(0.2 * number, 3.0 * std::sqrt(number))));
}

/// By how much the largest weights exceed the largest below them, ascending, in units of the largest weight. Those that
/// equal it are no part of the tail.
Numbers exceedances(Numbers log_weight) {
  std::sort(log_weight.begin(), log_weight.end());
  const double top = log_weight.back();
  const std::size_t length = tail_length(log_weight.size());
  const double threshold = log_weight[log_weight.size() - 1 - length];
  Numbers tail;
  for (std::size_t i = log_weight.size() - length; i < log_weight.size(); ++i) {
    if (log_weight[i] <= threshold) continue;
    // Weights that are nothing beside the largest say that the tail is long: they count as the smallest number.
    const double above = std::exp(log_weight[i] - top) - std::exp(threshold - top);
    tail.push_back(std::max(above, std::numeric_limits<double>::min()));
  }
  return tail;
}

/// Mean of ln(1 - b x): the shape that goes with b in the likelihood.
double shape_of(double b, const Numbers& x) {
  double sum = 0;
  for (const double number : x) sum += std::log1p(-b * number);
  return sum / static_cast<double>(x.size());
}

/// Mean of b over its posterior on the grid of Zhang and Stephens.
double posterior_mean_of_b(const Numbers& x) {
  const double n = static_cast<double>(x.size());
  const auto points = static_cast<std::size_t>(30 + static_cast<int>(std::sqrt(n)));
  const double quartile = x[static_cast<std::size_t>(n / 4 + 0.5) - 1];
  Numbers b, log_likelihood;
  for (std::size_t i = 0; i < points; ++i) {
    const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(points);
    b.push_back((1.0 - std::sqrt(1.0 / place)) / (3.0 * quartile) + 1.0 / x.back());
    const double k = shape_of(b.back(), x);
    log_likelihood.push_back(n * (std::log(-b.back() / k) - k - 1.0));
  }
  const double highest = *std::max_element(log_likelihood.begin(), log_likelihood.end());
  double sum = 0, weight = 0;
  for (std::size_t i = 0; i < points; ++i) {
    const double likelihood = std::exp(log_likelihood[i] - highest);
    weight += likelihood;
    sum += likelihood * b[i];
  }
  return sum / weight;
}

}  // namespace

double pareto_k(const Tensor& log_weight) {
  const Numbers w = log_weights_of(log_weight);
  if (tail_length(w.size()) < kLeastTail || tail_length(w.size()) >= w.size())
    return std::numeric_limits<double>::quiet_NaN();
  const Numbers tail = exceedances(w);
  if (tail.size() < kLeastTail) return tail.empty() ? 0.0 : std::numeric_limits<double>::quiet_NaN();
  const double n = static_cast<double>(tail.size());
  constexpr double kPriorSamples = 10.0, kPriorShape = 0.5;
  return (n * shape_of(posterior_mean_of_b(tail), tail) + kPriorSamples * kPriorShape) / (n + kPriorSamples);
}

}  // namespace bgw::estimators
