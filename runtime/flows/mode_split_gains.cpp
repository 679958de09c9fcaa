#include "runtime/flows/mode_split_gains.h"

#include <cmath>

namespace bgw::flows {
namespace {

// In the order in which they are added to the layout.
enum Entry : std::size_t { kForce, kField, kLookAhead, kStep, kWidening };

double power(double x, int n) { return n == 0 ? 1.0 : n == 1 ? x : x * x; }

/// ln kappa, less its mean and over its standard deviation; zero where all are equal.
std::vector<double> standardised_log(const Tensor& squared_norms) {
  const Tensor log_kappa = -squared_norms.log();
  const Tensor off = log_kappa - log_kappa.mean();
  const double deviation = off.square().mean().sqrt().item<double>();
  const Tensor v = (deviation > 1e-6 ? off / deviation : at::zeros_like(off)).contiguous();
  return {v.data_ptr<double>(), v.data_ptr<double>() + v.numel()};
}

}  // namespace

ModeSplitGains::ModeSplitGains(GainForm form, std::int64_t splits, std::int64_t look_ahead, const Tensor& squared_norms)
    : splits_(splits),
      look_ahead_(look_ahead),
      per_split_(1.0 / static_cast<double>(splits)),
      per_look_(look_ahead_splits() == 0 ? 0.0 : 1.0 / static_cast<double>(look_ahead_splits())),
      stiffness_(standardised_log(squared_norms)) {
  terms_ = {{0, 0}};
  widening_terms_ = {{0, 0}};
  if (form == GainForm::polynomial) {
    terms_ = {{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {0, 2}};
    if (look_ahead > 1) terms_.push_back({0, 0, true});
    widening_terms_ = {{0, 0}, {0, 1}, {0, 2}};
  }
  for (const char* name : {"a", "h", "a2", "lambda"}) layout_.add(name, {std::ssize(terms_)});
  layout_.add("s0", {std::ssize(widening_terms_)});
}

Tensor ModeSplitGains::start() const {
  constexpr double kFound[] = {0.69, 1.41, 0.35, 0.48, 0.0125};
  Tensor parameters = at::zeros({layout_.size()}, at::kDouble);
  for (std::size_t e = 0; e < layout_.entries().size(); ++e)
    parameters.data_ptr<double>()[layout_.entries()[e].offset] = kFound[e];
  return parameters;
}

std::int64_t ModeSplitGains::look_ahead_splits() const {
  return look_ahead_ <= 0 ? 0 : (splits_ + look_ahead_ - 1) / look_ahead_;
}

double ModeSplitGains::at_split(const Term& term, std::int64_t split) const {
  if (term.looking && !looks_ahead(split)) return 0.0;
  return power(2.0 * (static_cast<double>(split) + 0.5) * per_split_ - 1.0, term.depth);
}

void ModeSplitGains::evaluate(std::size_t entry, const std::vector<Term>& terms, std::int64_t split, double factor,
                              const double* parameters, std::vector<double>& gains) const {
  const double* p = parameters + layout_.entries()[entry].offset;
  double c[3] = {0, 0, 0};
  for (std::size_t t = 0; t < terms.size(); ++t) c[terms[t].stiffness] += factor * p[t] * at_split(terms[t], split);
  gains.resize(stiffness_.size());
  for (std::size_t j = 0; j < gains.size(); ++j) gains[j] = c[0] + (c[1] + c[2] * stiffness_[j]) * stiffness_[j];
}

SplitGains ModeSplitGains::at(std::int64_t split, const double* parameters) const {
  SplitGains gains;
  evaluate(kForce, terms_, split, per_split_, parameters, gains.force);
  evaluate(kField, terms_, split, 1.0, parameters, gains.field);
  evaluate(kLookAhead, terms_, split, per_look_, parameters, gains.look_ahead);
  evaluate(kStep, terms_, split, 1.0, parameters, gains.step);
  return gains;
}

std::vector<double> ModeSplitGains::log_widening(const double* parameters) const {
  std::vector<double> s;
  evaluate(kWidening, widening_terms_, 0, 1.0, parameters, s);
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

void ModeSplitGains::add_widening_gradient(const double* bar, double* gradient) const {
  double* g = gradient + layout_.entries()[kWidening].offset;
  for (std::size_t t = 0; t < widening_terms_.size(); ++t) {
    double sum = 0;
    for (std::size_t j = 0; j < stiffness_.size(); ++j) sum += bar[j] * power(stiffness_[j], widening_terms_[t].stiffness);
    g[t] += sum;
  }
}

}  // namespace bgw::flows
