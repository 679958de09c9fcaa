#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/artifacts/artifact.h"

namespace bgw::inline_tasks {

/// A number with its standard error, to first order.
///
/// It remembers how far each independent source moves it, (derivative with respect to the source) x (sigma of the
/// source), and not just one sigma. So what comes from the same source cancels and adds as it should: x - x is exact,
/// and in F - G with a shared part only the rest is uncertain. A product of sigmas alone would call both independent.
class Estimate {
 public:
  Estimate() = default;
  /// An exact number, "" for a pure one.
  static Estimate exact(double value, std::string unit = "");
  /// A result of a task; `source` names the number itself, so that the same one is recognised when it is met again.
  static Estimate measured(const artifacts::Result& result, const std::string& source);

  /// One of several numbers that move together. @param shares  how far each of the independent causes moves it, which go by `source`
  /// and their places
  static Estimate measured(const artifacts::Result& result, const std::string& source, const std::vector<double>& shares);

  double value() const { return value_; }
  /// One standard error; nullopt when no part of the number has one.
  std::optional<double> sigma() const;
  const std::string& unit() const { return unit_; }
  std::optional<std::int64_t> samples() const { return samples_; }
  const std::string& convention() const { return convention_; }

  /// f(a) with f's derivative at a, and the unit of the outcome.
  static Estimate apply(const Estimate& a, double value, double derivative, std::string unit);
  /// f(a, b) with its two partial derivatives.
  static Estimate apply(const Estimate& a, const Estimate& b, double value, double by_a, double by_b, std::string unit);

 private:
  void add_contributions(const Estimate& other, double derivative);

  double value_ = 0;
  std::map<std::string, double> contributions_;  // source -> derivative x sigma, in the unit of the value
  std::string unit_;
  std::optional<std::int64_t> samples_;
  std::string convention_;
};

/// @throws InputError when the units differ; "kT" and a pure number agree
Estimate operator+(const Estimate& a, const Estimate& b);
Estimate operator-(const Estimate& a, const Estimate& b);
Estimate operator*(const Estimate& a, const Estimate& b);
/// @throws NumericalError when b is zero
Estimate operator/(const Estimate& a, const Estimate& b);
Estimate operator-(const Estimate& a);
/// @throws InputError unless the exponent is exact and free of units
Estimate power(const Estimate& base, const Estimate& exponent);
/// @throws InputError when the list is empty
Estimate mean(const std::vector<Estimate>& items);
Estimate sum(const std::vector<Estimate>& items);
/// @throws NumericalError outside their domains
Estimate square_root(const Estimate& a);
Estimate exponential(const Estimate& a);
Estimate logarithm(const Estimate& a);
Estimate absolute(const Estimate& a);
/// One standard error, as an exact number: 0 of an exact number.
/// @throws NumericalError when the error is unknown
Estimate standard_error(const Estimate& a);

/// Unit in which two numbers can be compared and added; throws InputError when there is none.
std::string common_unit(const Estimate& a, const Estimate& b);

/// {"value", "sigma", "unit", "n", "convention"}; what is unknown or not finite is left out or null.
schema::Value to_value(const Estimate& estimate);

}  // namespace bgw::inline_tasks
