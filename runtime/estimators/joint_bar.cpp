#include "runtime/estimators/joint_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/estimators/bar.h"
#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/numbers.h"
#include "runtime/estimators/shrinkage.h"
#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"

namespace bgw::estimators {
namespace {

using Numbers = std::vector<double>;

/// -ln of a two-sided likelihood and its derivatives by the difference of the two free energies.
struct Terms {
  double value = 0, slope = 0, curvature = 0;
};

/// ln(1 + e^x).
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

class PairEquation {
 public:
  explicit PairEquation(const StatePair& pair)
      : from_(pair.from),
        to_(pair.to),
        line_(pair.line),
        forward_(works_of(pair.forward, "forward work")),
        reverse_(works_of(pair.reverse, "reverse work")),
        offset_(std::log(static_cast<double>(forward_.size()) / static_cast<double>(reverse_.size()))) {}

  std::int64_t from() const { return from_; }
  std::int64_t to() const { return to_; }
  std::int64_t line() const { return line_; }

  Terms at(double difference) const {
    Terms sum;
    const auto add = [&](double x, double sign) {
      const double p = fermi(x);
      sum.value += softplus(-x);
      sum.slope += sign * p;
      sum.curvature += p * (1.0 - p);
    };
    for (const double work : forward_) add(offset_ + work - difference, 1.0);
    for (const double work : reverse_) add(-offset_ + work + difference, -1.0);
    return sum;
  }

  double root() const { return bar_root(forward_, Numbers(forward_.size(), 1.0), reverse_, Numbers(reverse_.size(), 1.0)); }

  double overlap(double difference) const {
    return at(difference).curvature * (1.0 / static_cast<double>(forward_.size()) + 1.0 / static_cast<double>(reverse_.size()));
  }

  /// What each sample of one of its states adds to the slope, less the mean. [n, 1]
  Tensor shares(std::int64_t state, double difference) const {
    const bool first = state == from_;
    const Numbers& works = first ? forward_ : reverse_;
    Tensor result = at::empty({std::ssize(works), 1}, at::kDouble);
    double* out = result.data_ptr<double>();
    for (const double work : works) *out++ = first ? fermi(offset_ + work - difference) : -fermi(-offset_ + work + difference);
    return result - result.mean();
  }

 private:
  std::int64_t from_, to_, line_;
  Numbers forward_, reverse_;
  double offset_;
};

void check(const std::vector<StateSamples>& states, const std::vector<StatePair>& pairs) {
  const std::int64_t count = std::ssize(states);
  if (count == 0) throw ShapeError("joint_bar: needs a state");
  for (const StateSamples& state : states) {
    if (state.chain.dim() != 1 || state.observables.dim() != 2 || state.chain.size(0) == 0 || state.observables.size(0) != state.chain.size(0) ||
        state.observables.size(1) != states.front().observables.size(1)) {
      throw ShapeError("joint_bar: a state needs chains [n] and observables [n, k]");
    }
  }
  for (const StatePair& pair : pairs) {
    if (pair.from < 0 || pair.from >= count || pair.to < 0 || pair.to >= count || pair.from == pair.to) throw ShapeError("joint_bar: a pair is of two of the states");
    if (pair.forward.numel() != states[static_cast<std::size_t>(pair.from)].chain.numel() || pair.reverse.numel() != states[static_cast<std::size_t>(pair.to)].chain.numel()) {
      throw ShapeError("joint_bar: a pair needs the works of all samples of its states");
    }
    const auto shares = [&pair](const StatePair& other) {
      return other.line >= 0 && other.line == pair.line && (other.from == pair.from || other.to == pair.to);
    };
    if (std::count_if(pairs.begin(), pairs.end(), shares) > 1) throw ShapeError("joint_bar: a line branches");
  }
}

std::string name_of(const JointBarOptions& options, std::int64_t state) {
  const auto k = static_cast<std::size_t>(state);
  return k < options.names.size() ? options.names[k] : fmt::format("state {}", state);
}

void refuse_gap(const StatePair& pair, std::size_t number, double overlap, const JointBarOptions& options) {
  if (overlap >= options.least_overlap) return;
  throw NumericalError(fmt::format("samples at {} and at {} hardly overlap, also when they are carried from one to the other: {:.2g}, below {:.2g}; {}", name_of(options, pair.from),
                                   name_of(options, pair.to), overlap, options.least_overlap,
                                   number < options.remedies.size() ? options.remedies[number] : "put a state between them"));
}

/// The pairs as equations; each with its own difference and overlap.
std::vector<PairEquation> equations_of(const std::vector<StatePair>& pairs, const JointBarOptions& options, JointBarResult& result) {
  std::vector<PairEquation> equations;
  result.differences = at::empty({std::ssize(pairs)}, at::kDouble);
  result.overlaps = at::empty({std::ssize(pairs)}, at::kDouble);
  for (std::size_t e = 0; e < pairs.size(); ++e) {
    for (const Tensor& works : {pairs[e].forward, pairs[e].reverse}) {
      if (!works.isfinite().any().item<bool>() && !works.isnan().any().item<bool>()) refuse_gap(pairs[e], e, 0.0, options);
    }
    equations.emplace_back(pairs[e]);
    const double difference = equations.back().root(), overlap = equations.back().overlap(difference);
    refuse_gap(pairs[e], e, overlap, options);
    result.differences[static_cast<std::int64_t>(e)] = difference;
    result.overlaps[static_cast<std::int64_t>(e)] = overlap;
  }
  return equations;
}

/// Free energies by the differences along a tree of pairs that grows from the first state.
Numbers along_a_tree(std::int64_t states, const std::vector<PairEquation>& pairs, const Tensor& differences) {
  Numbers f(static_cast<std::size_t>(states), std::numeric_limits<double>::quiet_NaN());
  f[0] = 0.0;
  const auto delta = differences.accessor<double, 1>();
  for (bool grows = true; grows;) {
    grows = false;
    for (std::size_t e = 0; e < pairs.size(); ++e) {
      double &a = f[static_cast<std::size_t>(pairs[e].from())], &b = f[static_cast<std::size_t>(pairs[e].to())];
      if (std::isnan(a) == std::isnan(b)) continue;
      (std::isnan(b) ? b : a) = std::isnan(b) ? a + delta[static_cast<std::int64_t>(e)] : b - delta[static_cast<std::int64_t>(e)];
      grows = true;
    }
  }
  if (std::any_of(f.begin(), f.end(), [](double x) { return std::isnan(x); })) throw ShapeError("joint_bar: the pairs do not connect the states");
  return f;
}

double difference(const PairEquation& pair, const Numbers& f) { return f[static_cast<std::size_t>(pair.to())] - f[static_cast<std::size_t>(pair.from())]; }

/// The sum of all pairs, its gradient and its matrix of second derivatives by the free energies but the first.
struct Sums {
  double value = 0;
  Tensor gradient;  // [K - 1]
  Tensor matrix;    // [K - 1, K - 1]
};

Sums sums_at(const std::vector<PairEquation>& pairs, const Numbers& f) {
  const std::int64_t free = std::ssize(f) - 1;
  Sums sums{0, at::zeros({free}, at::kDouble), at::zeros({free, free}, at::kDouble)};
  auto g = sums.gradient.accessor<double, 1>();
  auto h = sums.matrix.accessor<double, 2>();
  for (const PairEquation& pair : pairs) {
    const Terms terms = pair.at(difference(pair, f));
    const std::int64_t a = pair.from() - 1, b = pair.to() - 1;
    sums.value += terms.value;
    if (a >= 0) {
      g[a] -= terms.slope;
      h[a][a] += terms.curvature;
    }
    if (b >= 0) {
      g[b] += terms.slope;
      h[b][b] += terms.curvature;
    }
    if (a >= 0 && b >= 0) {
      h[a][b] -= terms.curvature;
      h[b][a] -= terms.curvature;
    }
  }
  return sums;
}

Numbers moved(const Numbers& f, const Tensor& step, double share) {
  Numbers result = f;
  const auto s = step.accessor<double, 1>();
  for (std::int64_t k = 0; k < s.size(0); ++k) result[static_cast<std::size_t>(k + 1)] -= share * s[k];
  return result;
}

/// Newton's steps, halved where they go uphill; the sum is convex.
Numbers solve(const std::vector<PairEquation>& pairs, Numbers f) {
  constexpr int kMost = 100;
  // A step of this size leaves its square. Sums over all samples are rounded, and what that does adds up along hundreds of states.
  constexpr double kLastStep = 1e-10;
  if (f.size() < 2) return f;
  Sums now = sums_at(pairs, f);
  for (int iteration = 0; iteration < kMost; ++iteration) {
    const Tensor step = at::linalg_solve(now.matrix, now.gradient);
    double share = 1.0;
    Numbers next = moved(f, step, share);
    Sums there = sums_at(pairs, next);
    const double slack = 1e-12 * (1.0 + std::abs(now.value));
    while (there.value > now.value + slack && share > 1e-6) {
      next = moved(f, step, share *= 0.5);
      there = sums_at(pairs, next);
    }
    const double largest = step.abs().max().item<double>();
    if (!std::isfinite(largest)) break;
    f = std::move(next);
    now = std::move(there);
    const double scale = 1.0 + std::abs(*std::max_element(f.begin(), f.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
    if (largest <= kLastStep * scale) return f;
  }
  throw NumericalError("joint_bar: the free energies of the states do not converge; take states that are nearer to each other");
}

/// What a state's samples do to its pairs and its means.
struct Local {
  std::vector<std::size_t> pairs;
  Tensor covariance;  // [pairs + k, pairs + k], of the slopes of the pairs and of the means
};

/// Sums and differences of the two links of a line, and all other numbers as they are. [n, n]
Tensor combinations_of(const std::vector<std::size_t>& pairs, const std::vector<PairEquation>& equations, std::int64_t n) {
  Tensor combinations = at::eye(n, at::kDouble);
  auto c = combinations.accessor<double, 2>();
  for (std::int64_t j = 0; j < std::ssize(pairs); ++j) {
    for (std::int64_t i = 0; i < j; ++i) {
      const std::int64_t line = equations[pairs[static_cast<std::size_t>(j)]].line();
      if (line < 0 || equations[pairs[static_cast<std::size_t>(i)]].line() != line) continue;
      c[i][i] = c[i][j] = c[j][i] = std::sqrt(0.5);
      c[j][j] = -std::sqrt(0.5);
    }
  }
  return combinations;
}

Local local_of(const StateSamples& samples, std::int64_t state, const std::vector<PairEquation>& equations, const Numbers& f) {
  Local local;
  std::vector<Tensor> columns;
  for (std::size_t e = 0; e < equations.size(); ++e) {
    if (equations[e].from() != state && equations[e].to() != state) continue;
    local.pairs.push_back(e);
    columns.push_back(equations[e].shares(state, difference(equations[e], f)));
  }
  const Tensor observables = samples.observables.to(at::kDouble);
  columns.push_back((observables - observables.mean(0, true)) / static_cast<double>(observables.size(0)));
  const Tensor all = at::cat(columns, 1);
  const Blocks blocks = chain_blocks(samples.chain, all);
  const Tensor place = at::tensor(blocks.of_sample, at::kLong);
  const Tensor sums = at::zeros({blocks.count, all.size(1)}, at::kDouble).index_add(0, place, all);
  const double factor = few_blocks_factor(blocks.count);
  const Tensor covariance = at::mm(sums.t(), sums) * (factor * factor);
  local.covariance = blocks.count < 2 ? covariance : shrunk_between(covariance, combinations_of(local.pairs, equations, covariance.size(0)), blocks.count - 1);
  return local;
}

/// The inverse of the matrix of second derivatives, with zeros for the first state.
Tensor inverse_at(const std::vector<PairEquation>& equations, const Numbers& f) {
  const std::int64_t count = std::ssize(f);
  Tensor inverse = at::zeros({count, count}, at::kDouble);
  if (count > 1) inverse.slice(0, 1).slice(1, 1).copy_(at::linalg_inv(sums_at(equations, f).matrix));
  return inverse;
}

/// Covariance of the free energies and the means from the states' own.
Tensor covariance_of(const std::vector<Local>& locals, const std::vector<PairEquation>& equations, const Tensor& inverse, std::int64_t width) {
  const std::int64_t count = inverse.size(0);
  Tensor covariance = at::zeros({count + count * width, count + count * width}, at::kDouble);
  for (std::int64_t s = 0; s < count; ++s) {
    interlude();
    const Local& local = locals[static_cast<std::size_t>(s)];
    const std::int64_t pairs = std::ssize(local.pairs), first = count + s * width;
    const Tensor slopes = local.covariance.slice(0, 0, pairs).slice(1, 0, pairs), means = local.covariance.slice(0, pairs).slice(1, pairs);
    covariance.slice(0, first, first + width).slice(1, first, first + width).copy_(means);
    if (pairs == 0) continue;
    std::vector<Tensor> columns;
    for (const std::size_t e : local.pairs) columns.push_back(inverse.select(1, equations[e].from()) - inverse.select(1, equations[e].to()));
    const Tensor answer = at::stack(columns, 1);  // [K, pairs], of the free energies to the slopes
    covariance.slice(0, 0, count).slice(1, 0, count).add_(at::mm(answer, at::mm(slopes, answer.t())));
    const Tensor cross = at::mm(answer, local.covariance.slice(0, 0, pairs).slice(1, pairs));
    covariance.slice(0, 0, count).slice(1, first, first + width).copy_(cross);
    covariance.slice(0, first, first + width).slice(1, 0, count).copy_(cross.t());
  }
  return covariance;
}

/// x.C x, where only the first numbers of x are not zero.
double variance_of(const Numbers& x, const Tensor& covariance) {
  const auto c = covariance.accessor<double, 2>();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) sum += x[i] * c[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)] * x[j];
  }
  return sum;
}

/// Variances of the difference of a pair by itself, and of what is between it and the free energies of all.
struct PairVariances {
  double own = 0, apart = 0;
};

PairVariances variances_of(std::size_t number, double curvature, const std::vector<Local>& locals, const std::vector<PairEquation>& equations, const Tensor& inverse) {
  const auto v = inverse.accessor<double, 2>();
  const PairEquation& pair = equations[number];
  PairVariances sum;
  for (const Local& local : locals) {
    Numbers alone, apart;
    for (const std::size_t e : local.pairs) {
      const PairEquation& other = equations[e];
      const double to = v[pair.to()][other.to()] - v[pair.to()][other.from()], from = v[pair.from()][other.to()] - v[pair.from()][other.from()];
      alone.push_back(e == number ? -1.0 / curvature : 0.0);
      apart.push_back(alone.back() + to - from);
    }
    sum.own += variance_of(alone, local.covariance);
    sum.apart += variance_of(apart, local.covariance);
  }
  return sum;
}

void add_closures(const std::vector<Local>& locals, const std::vector<PairEquation>& equations, const Numbers& f, const Tensor& inverse, JointBarResult& result) {
  constexpr double kRounding = 1e-6;  // of the error of a pair, below which that of the closure is none
  const std::int64_t count = std::ssize(equations);
  result.difference_errors = at::zeros({count}, at::kDouble);
  result.closures = at::zeros({count}, at::kDouble);
  for (std::int64_t e = 0; e < count; ++e) {
    interlude();
    const auto number = static_cast<std::size_t>(e);
    const double all = difference(equations[number], f);
    const PairVariances variances = variances_of(number, equations[number].at(all).curvature, locals, equations, inverse);
    result.difference_errors[e] = std::sqrt(std::max(0.0, variances.own));
    if (variances.apart > kRounding * kRounding * variances.own) result.closures[e] = (result.differences[e].item<double>() - all) / std::sqrt(variances.apart);
  }
}

}  // namespace

JointBarResult joint_bar(const std::vector<StateSamples>& states, const std::vector<StatePair>& pairs, const JointBarOptions& options) {
  check(states, pairs);
  JointBarResult result;
  const std::vector<PairEquation> equations = equations_of(pairs, options, result);
  const Numbers f = solve(equations, along_a_tree(std::ssize(states), equations, result.differences));
  result.free_energies = at::tensor(at::ArrayRef<double>(f), at::kDouble);
  std::vector<Tensor> means;
  std::vector<Local> locals;
  for (std::size_t k = 0; k < states.size(); ++k) {
    interlude();
    means.push_back(states[k].observables.to(at::kDouble).mean(0));
    locals.push_back(local_of(states[k], static_cast<std::int64_t>(k), equations, f));
  }
  result.means = at::stack(means);
  const Tensor inverse = inverse_at(equations, f);
  result.covariance = covariance_of(locals, equations, inverse, result.means.size(1));
  add_closures(locals, equations, f, inverse, result);
  return result;
}

}  // namespace bgw::estimators
