#include "runtime/inline_tasks/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "compiler/units/unit_expression.h"
#include "runtime/foundation/errors.h"

namespace bgw::inline_tasks {
namespace {

bool is_pure(const std::string& unit) { return unit.empty() || unit == "kT"; }

/// The dimension of a product of base units; nullopt for other units.
std::optional<units::Dimension> base_dimension(const std::string& unit) {
  try {
    const units::Quantity one = units::parse_quantity(unit);
    if (one.value == 1.0 && !one.reduced) return one.dimension;
  } catch (const std::invalid_argument&) {
  }
  return std::nullopt;
}

// Base units have one way of being written, so that a number that was reached in two ways can be compared.
std::string product_unit(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return a + b;
  const auto one = base_dimension(a), other = base_dimension(b);
  if (one && other) return units::base_unit(*one * *other);
  return a == b ? a + "^2" : a + "*" + b;
}

std::string quotient_unit(const std::string& a, const std::string& b) {
  if (a == b || (is_pure(a) && is_pure(b))) return b.empty() ? a : "";
  if (b.empty()) return a;
  const auto one = a.empty() ? units::Dimension{} : base_dimension(a), other = base_dimension(b);
  return one && other ? units::base_unit(*one / *other) : a + "/" + b;
}

std::string power_unit(const std::string& unit, double exponent) {
  if (is_pure(unit) || exponent == 0) return "";
  if (exponent == 1) return unit;
  const auto one = base_dimension(unit);
  const bool whole = exponent == std::round(exponent) && std::abs(exponent) < 100;
  return one && whole ? units::base_unit(units::power(*one, static_cast<int>(exponent))) : fmt::format("({})^{:g}", unit, exponent);
}

void need_pure(const Estimate& a, const char* function) {
  if (!is_pure(a.unit()))
    throw InputError(fmt::format("{} takes a pure number, here it is given one in {}", function, a.unit()));
}

}  // namespace

Estimate Estimate::exact(double value, std::string unit) {
  Estimate estimate;
  estimate.value_ = value;
  estimate.unit_ = std::move(unit);
  return estimate;
}

Estimate Estimate::measured(const artifacts::Result& result, const std::string& source) {
  Estimate estimate = exact(result.value, result.unit);
  if (result.sigma) estimate.contributions_[source] = *result.sigma;
  estimate.samples_ = result.n;
  estimate.convention_ = result.convention;
  return estimate;
}

Estimate Estimate::measured(const artifacts::Result& result, const std::string& source, const std::vector<double>& shares) {
  Estimate estimate = measured(result, source);
  estimate.contributions_.clear();
  for (std::size_t cause = 0; cause < shares.size(); ++cause) {
    if (shares[cause] != 0.0) estimate.contributions_[fmt::format("{}.{}", source, cause)] = shares[cause];
  }
  return estimate;
}

std::optional<double> Estimate::sigma() const {
  if (contributions_.empty()) return std::nullopt;
  double squares = 0;
  for (const auto& [source, contribution] : contributions_) squares += contribution * contribution;
  return std::sqrt(squares);
}

void Estimate::add_contributions(const Estimate& other, double derivative) {
  for (const auto& [source, contribution] : other.contributions_) contributions_[source] += derivative * contribution;
}

Estimate Estimate::apply(const Estimate& a, double value, double derivative, std::string unit) {
  Estimate outcome = exact(value, std::move(unit));
  outcome.add_contributions(a, derivative);
  return outcome;
}

Estimate Estimate::apply(const Estimate& a, const Estimate& b, double value, double by_a, double by_b,
                         std::string unit) {
  Estimate outcome = apply(a, value, by_a, std::move(unit));
  outcome.add_contributions(b, by_b);
  return outcome;
}

std::string common_unit(const Estimate& a, const Estimate& b) {
  if (a.unit() == b.unit()) return a.unit();
  if (is_pure(a.unit()) && is_pure(b.unit())) return "kT";
  throw InputError(fmt::format("a number in {} and one in {} can neither be added nor compared",
                               a.unit().empty() ? "no unit" : a.unit(), b.unit().empty() ? "no unit" : b.unit()));
}

Estimate operator+(const Estimate& a, const Estimate& b) {
  return Estimate::apply(a, b, a.value() + b.value(), 1, 1, common_unit(a, b));
}

Estimate operator-(const Estimate& a, const Estimate& b) {
  return Estimate::apply(a, b, a.value() - b.value(), 1, -1, common_unit(a, b));
}

Estimate operator*(const Estimate& a, const Estimate& b) {
  return Estimate::apply(a, b, a.value() * b.value(), b.value(), a.value(), product_unit(a.unit(), b.unit()));
}

Estimate operator/(const Estimate& a, const Estimate& b) {
  if (b.value() == 0) throw NumericalError(fmt::format("division by zero: {} / 0", a.value()));
  const double quotient = a.value() / b.value();
  return Estimate::apply(a, b, quotient, 1 / b.value(), -quotient / b.value(), quotient_unit(a.unit(), b.unit()));
}

Estimate operator-(const Estimate& a) { return Estimate::apply(a, -a.value(), -1, a.unit()); }

Estimate power(const Estimate& base, const Estimate& exponent) {
  if (exponent.sigma() || !exponent.unit().empty()) throw InputError("an exponent is an exact number without a unit");
  const double n = exponent.value();
  const double value = std::pow(base.value(), n);
  if (!std::isfinite(value)) throw NumericalError(fmt::format("{}^{} is no finite number", base.value(), n));
  return Estimate::apply(base, value, n == 0 ? 0 : n * std::pow(base.value(), n - 1), power_unit(base.unit(), n));
}

Estimate sum(const std::vector<Estimate>& items) {
  if (items.empty()) return Estimate::exact(0);
  Estimate total = items.front();
  for (std::size_t i = 1; i < items.size(); ++i) total = total + items[i];
  return total;
}

Estimate mean(const std::vector<Estimate>& items) {
  if (items.empty()) throw InputError("the mean of no numbers: the list is empty");
  const double share = 1.0 / static_cast<double>(items.size());
  const Estimate total = sum(items);
  return Estimate::apply(total, total.value() * share, share, total.unit());
}

Estimate square_root(const Estimate& a) {
  if (!(a.value() >= 0)) throw NumericalError(fmt::format("sqrt of a negative number: {}", a.value()));
  const double root = std::sqrt(a.value());
  return Estimate::apply(a, root, root > 0 ? 0.5 / root : 0, power_unit(a.unit(), 0.5));
}

Estimate exponential(const Estimate& a) {
  need_pure(a, "exp");
  const double value = std::exp(a.value());
  return Estimate::apply(a, value, value, "");
}

Estimate logarithm(const Estimate& a) {
  need_pure(a, "log");
  if (!(a.value() > 0)) throw NumericalError(fmt::format("log of a number that is not positive: {}", a.value()));
  return Estimate::apply(a, std::log(a.value()), 1 / a.value(), "");
}

Estimate absolute(const Estimate& a) { return a.value() < 0 ? -a : a; }

Estimate standard_error(const Estimate& a) {
  const double sigma = a.sigma().value_or(0.0);
  if (!std::isfinite(sigma)) throw NumericalError("the error of this number is unknown");
  return Estimate::exact(sigma, a.unit());
}

schema::Value to_value(const Estimate& estimate) {
  schema::Map map{{"value", artifacts::number_or_none(estimate.value())}, {"unit", estimate.unit()}};
  if (const std::optional<double> sigma = estimate.sigma()) map["sigma"] = artifacts::number_or_none(*sigma);
  if (estimate.samples()) map["n"] = *estimate.samples();
  if (!estimate.convention().empty()) map["convention"] = estimate.convention();
  return map;
}

}  // namespace bgw::inline_tasks
