#pragma once

#include <string>
#include <vector>

namespace bgw::phases {

/// A variable of a polynomial and the range it is fitted in.
struct Variable {
  std::string name;
  double low = 0, high = 0;
};

/// A polynomial of several variables, each first mapped to [-1, 1], so that its powers are of one size. Its coefficients
/// stand elsewhere: all here is linear in them.
class Polynomial {
 public:
  using Powers = std::vector<int>;  // one for each variable

  /// All products of powers up to the degree of each variable, whose sum is at most `total`.
  /// @throws std::logic_error unless there is a degree for each variable, and ranges are not empty where degrees are not 0
  Polynomial(std::vector<Variable> variables, const std::vector<int>& degrees, int total);

  const std::vector<Variable>& variables() const { return variables_; }
  const std::vector<Powers>& terms() const { return terms_; }
  std::size_t size() const { return terms_.size(); }

  /// What multiplies each coefficient in a derivative of the polynomial: of order `derivative[d]` in variable d.
  std::vector<double> row(const std::vector<double>& point, const Powers& derivative) const;
  double value(const std::vector<double>& point, const Powers& derivative,
               const std::vector<double>& coefficients) const;

  /// Whether a point lies in the range of every variable, but for rounding.
  bool holds(const std::vector<double>& point) const;

 private:
  std::vector<Variable> variables_;
  std::vector<Powers> terms_;
};

}  // namespace bgw::phases
