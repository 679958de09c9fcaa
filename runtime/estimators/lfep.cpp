#include "runtime/estimators/lfep.h"

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

using Numbers = std::vector<double>;

/// Of the logarithms of the weights that are not zero, and how many of all those are.
struct Moments {
  double mean = 0;
  double variance = 0;
  double share = 1;
};

Moments moments(const Numbers& x, const Numbers& counts) {
  double all = 0, n = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    all += counts[i];
    if (!std::isfinite(x[i])) continue;
    n += counts[i];
    sum += counts[i] * x[i];
  }
  const double mean = sum / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isfinite(x[i])) squares += counts[i] * (x[i] - mean) * (x[i] - mean);
  }
  return {mean, n > 1.0 ? squares / (n - 1.0) : 0.0, n / all};
}

double exponential_average(const Numbers& w, const Numbers& counts) {
  const double top = *std::max_element(w.begin(), w.end());
  double n = 0, sum = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    n += counts[i];
    sum += counts[i] * std::exp(w[i] - top);
  }
  return -(top + std::log(sum / n));
}

double kish_fraction(const Numbers& w, const Numbers& counts) {
  const double top = *std::max_element(w.begin(), w.end());
  double n = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double weight = std::exp(w[i] - top);
    n += counts[i];
    sum += counts[i] * weight;
    squares += counts[i] * weight * weight;
  }
  return sum * sum / (n * squares);
}

double cumulant_estimate(const Numbers& w, const Numbers& counts) {
  const Moments m = moments(w, counts);
  return -(std::log(m.share) + m.mean + 0.5 * m.variance);
}

Numbers weights_of(const Tensor& log_weight, const Blocks& blocks) {
  Numbers w = log_weights_of(log_weight);
  if (w.size() != blocks.of_sample.size()) throw ShapeError("lfep: blocks and log weights differ in number");
  return w;
}

template <typename Estimator>
Estimate with_bootstrap(const Tensor& log_weight, const Blocks& blocks, const tensor::RandomStream& stream,
                        std::int64_t bootstrap, const Estimator& estimator) {
  const Numbers w = weights_of(log_weight, blocks);
  Numbers replicates;
  for (std::int64_t r = 0; r < bootstrap; ++r) replicates.push_back(estimator(w, resampled_counts(blocks, w, stream, r)));
  return {estimator(w, Numbers(w.size(), 1.0)), spread(replicates) * few_blocks_factor(blocks.count)};
}

}  // namespace

WeightSummary summarise(const Tensor& log_weight) {
  const Numbers w = log_weights_of(log_weight);
  const double top = *std::max_element(w.begin(), w.end());
  double sum = 0, squares = 0;
  for (const double x : w) {
    sum += std::exp(x - top);
    squares += std::exp(2.0 * (x - top));
  }
  const Moments m = moments(w, Numbers(w.size(), 1.0));
  return {sum * sum / (static_cast<double>(w.size()) * squares), 1.0 / sum, m.variance, m.mean};
}

double ess_fraction(const Tensor& log_weight) { return summarise(log_weight).ess_fraction; }

Estimate effective_fraction(const Tensor& log_weight, const tensor::RandomStream& stream, std::int64_t bootstrap) {
  return with_bootstrap(log_weight, single_samples(log_weight.numel()), stream, bootstrap, kish_fraction);
}

Tensor normalised_weights(const Tensor& log_weight) { return at::softmax(log_weight.to(at::kDouble), 0); }

Estimate lfep(const Tensor& log_weight, const tensor::RandomStream& stream, std::int64_t bootstrap) {
  return lfep(log_weight, single_samples(log_weight.numel()), stream, bootstrap);
}

Estimate lfep(const Tensor& log_weight, const Blocks& blocks, const tensor::RandomStream& stream,
              std::int64_t bootstrap) {
  return with_bootstrap(log_weight, blocks, stream, bootstrap, exponential_average);
}

Estimate second_cumulant(const Tensor& log_weight, const tensor::RandomStream& stream, std::int64_t bootstrap) {
  return second_cumulant(log_weight, single_samples(log_weight.numel()), stream, bootstrap);
}

Estimate second_cumulant(const Tensor& log_weight, const Blocks& blocks, const tensor::RandomStream& stream,
                         std::int64_t bootstrap) {
  return with_bootstrap(log_weight, blocks, stream, bootstrap, cumulant_estimate);
}

std::vector<Replicated> one_sided_replicates(const Tensor& log_weight, const Blocks& blocks,
                                             const tensor::RandomStream& stream, std::int64_t bootstrap) {
  const Numbers w = weights_of(log_weight, blocks), once(w.size(), 1.0);
  Replicated average{"lfep", exponential_average(w, once), {}}, cumulant{"cumulant", cumulant_estimate(w, once), {}};
  for (std::int64_t r = 0; r < bootstrap; ++r) {
    const Numbers counts = resampled_counts(blocks, w, stream, r);
    average.replicates.push_back(exponential_average(w, counts));
    cumulant.replicates.push_back(cumulant_estimate(w, counts));
  }
  return {average, cumulant};
}

}  // namespace bgw::estimators
