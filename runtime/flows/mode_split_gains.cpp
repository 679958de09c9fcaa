#include "runtime/flows/mode_split_gains.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bgw::flows {
namespace {

// In the order in which they are added to the layout.
enum Entry : std::size_t { kForce, kField, kLookAhead, kStep, kWidening, kStiffness };

double power(double x, int n) { return n == 0 ? 1.0 : n == 1 ? x : x * x; }

std::vector<double> logarithms_of(const Tensor& squared_norms) {
  const Tensor log_kappa = (-squared_norms.log()).contiguous();
  return {log_kappa.data_ptr<double>(), log_kappa.data_ptr<double>() + log_kappa.numel()};
}

/// Where v = 0 lies, what v = 1 is, and how far v goes.
struct Scale {
  double mean = 0, deviation = 0, least = 0, largest = 0;

  double of(double log_kappa) const { return deviation > 0 ? (log_kappa - mean) / deviation : 0.0; }
  double within(double v) const { return std::clamp(v, least, largest); }
};

/// That of a crystal; its deviation is zero where all modes are alike.
Scale scale_of(const std::vector<double>& log_kappa) {
  const auto count = static_cast<double>(log_kappa.size());
  Scale scale;
  scale.mean = std::accumulate(log_kappa.begin(), log_kappa.end(), 0.0) / count;
  double squares = 0;
  for (const double x : log_kappa) squares += (x - scale.mean) * (x - scale.mean);
  const double deviation = std::sqrt(squares / count);
  if (deviation > 1e-6) scale.deviation = deviation;
  const auto [softest, stiffest] = std::minmax_element(log_kappa.begin(), log_kappa.end());
  scale.least = scale.of(*softest);
  scale.largest = scale.of(*stiffest);
  return scale;
}

}  // namespace

ModeSplitGains::ModeSplitGains(GainForm form, std::int64_t splits, std::int64_t look_ahead, const Tensor& squared_norms)
    : splits_(splits),
      look_ahead_(look_ahead),
      per_split_(1.0 / static_cast<double>(splits)),
      per_look_(look_ahead_splits() == 0 ? 0.0 : 1.0 / static_cast<double>(look_ahead_splits())),
      log_kappa_(logarithms_of(squared_norms)) {
  terms_ = {{0, 0}};
  widening_terms_ = {{0, 0}};
  if (form == GainForm::polynomial) {
    terms_ = {{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {0, 2}};
    if (look_ahead > 1) terms_.push_back({0, 0, true});
    widening_terms_ = {{0, 0}, {0, 1}, {0, 2}};
  }
  for (const char* name : {"a", "h", "a2", "lambda"}) layout_.add(name, {std::ssize(terms_)});
  layout_.add("s0", {std::ssize(widening_terms_)});
  if (form == GainForm::polynomial) layout_.add("stiffness", {4});
}

Tensor ModeSplitGains::start() const {
  constexpr double kFound[] = {0.69, 1.41, 0.35, 0.48, 0.0125};
  Tensor parameters = at::zeros({layout_.size()}, at::kDouble);
  double* p = parameters.data_ptr<double>();
  for (std::size_t e = kForce; e <= kWidening; ++e) p[layout_.entries()[e].offset] = kFound[e];
  if (has_scale()) {
    const Scale own = scale_of(log_kappa_);
    double* kept = p + layout_.entries()[kStiffness].offset;
    kept[0] = own.mean;
    kept[1] = own.deviation;
    kept[2] = own.least;
    kept[3] = own.largest;
  }
  return parameters;
}

bool ModeSplitGains::has_scale() const { return layout_.entries().size() > kStiffness; }

std::vector<double> ModeSplitGains::stiffness(const double* parameters) const {
  std::vector<double> v(log_kappa_.size(), 0.0);
  if (!has_scale()) return v;
  const double* kept = parameters + layout_.entries()[kStiffness].offset;
  const Scale scale{kept[0], kept[1], kept[2], kept[3]};
  for (std::size_t j = 0; j < v.size(); ++j) v[j] = scale.within(scale.of(log_kappa_[j]));
  return v;
}

std::int64_t ModeSplitGains::look_ahead_splits() const {
  return look_ahead_ <= 0 ? 0 : (splits_ + look_ahead_ - 1) / look_ahead_;
}

double ModeSplitGains::at_split(const Term& term, std::int64_t split) const {
  if (term.looking && !looks_ahead(split)) return 0.0;
  return power(2.0 * (static_cast<double>(split) + 0.5) * per_split_ - 1.0, term.depth);
}

void ModeSplitGains::evaluate(std::size_t entry, const std::vector<Term>& terms, std::int64_t split, double factor,
                              const double* parameters, const std::vector<double>& stiffness,
                              std::vector<double>& gains) const {
  const double* p = parameters + layout_.entries()[entry].offset;
  double c[3] = {0, 0, 0};
  for (std::size_t t = 0; t < terms.size(); ++t) c[terms[t].stiffness] += factor * p[t] * at_split(terms[t], split);
  gains.resize(stiffness.size());
  for (std::size_t j = 0; j < gains.size(); ++j) gains[j] = c[0] + (c[1] + c[2] * stiffness[j]) * stiffness[j];
}

SplitGains ModeSplitGains::at(std::int64_t split, const double* parameters) const {
  const std::vector<double> v = stiffness(parameters);
  SplitGains gains;
  evaluate(kForce, terms_, split, per_split_, parameters, v, gains.force);
  evaluate(kField, terms_, split, 1.0, parameters, v, gains.field);
  evaluate(kLookAhead, terms_, split, per_look_, parameters, v, gains.look_ahead);
  evaluate(kStep, terms_, split, 1.0, parameters, v, gains.step);
  return gains;
}

std::vector<double> ModeSplitGains::log_widening(const double* parameters) const {
  std::vector<double> s;
  evaluate(kWidening, widening_terms_, 0, 1.0, parameters, stiffness(parameters), s);
  return s;
}

void ModeSplitGains::add_terms(std::size_t entry, std::int64_t split, double factor, const double (&sums)[3],
                               double* gradient) const {
  double* g = gradient + layout_.entries()[entry].offset;
  for (std::size_t t = 0; t < terms_.size(); ++t)
    g[t] += factor * at_split(terms_[t], split) * sums[terms_[t].stiffness];
}

void ModeSplitGains::add_gradient(std::int64_t split, const GainSums& sums, double* gradient) const {
  add_terms(kForce, split, per_split_, sums.force, gradient);
  add_terms(kField, split, 1.0, sums.field, gradient);
  add_terms(kLookAhead, split, per_look_, sums.look_ahead, gradient);
  add_terms(kStep, split, 1.0, sums.step, gradient);
}

void ModeSplitGains::add_widening_gradient(const double* bar, const std::vector<double>& stiffness,
                                           double* gradient) const {
  double* g = gradient + layout_.entries()[kWidening].offset;
  for (std::size_t t = 0; t < widening_terms_.size(); ++t) {
    double sum = 0;
    for (std::size_t j = 0; j < stiffness.size(); ++j) sum += bar[j] * power(stiffness[j], widening_terms_[t].stiffness);
    g[t] += sum;
  }
}

}  // namespace bgw::flows
