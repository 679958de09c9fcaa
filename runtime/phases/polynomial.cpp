#include "runtime/phases/polynomial.h"

#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>

namespace bgw::phases {
namespace {

/// d^order/dx^order of z^power, z = (2 x - low - high) / (high - low).
double factor(const Variable& variable, double x, int power, int order) {
  if (order > power) return 0.0;
  const double width = variable.high - variable.low;
  const double z = width > 0 ? (2.0 * x - variable.low - variable.high) / width : 0.0;
  double result = std::pow(z, power - order);
  for (int k = 0; k < order; ++k) result *= (power - k) * 2.0 / width;
  return result;
}

/// Runs through all powers up to `degrees`, the last variable first.
bool advance(Polynomial::Powers& powers, const std::vector<int>& degrees) {
  for (std::size_t d = powers.size(); d-- > 0;) {
    if (++powers[d] <= degrees[d]) return true;
    powers[d] = 0;
  }
  return false;
}

}  // namespace

Polynomial::Polynomial(std::vector<Variable> variables, const std::vector<int>& degrees, int total)
    : variables_(std::move(variables)) {
  if (degrees.size() != variables_.size()) throw std::logic_error("a polynomial needs a degree for each variable");
  for (std::size_t d = 0; d < degrees.size(); ++d) {
    if (degrees[d] > 0 && !(variables_[d].low < variables_[d].high)) {
      throw std::logic_error("a polynomial in " + variables_[d].name + " needs a range of it");
    }
  }
  Powers powers(variables_.size(), 0);
  do {
    if (std::accumulate(powers.begin(), powers.end(), 0) <= total) terms_.push_back(powers);
  } while (advance(powers, degrees));
}

std::vector<double> Polynomial::row(const std::vector<double>& point, const Powers& derivative) const {
  std::vector<double> result;
  result.reserve(terms_.size());
  for (const Powers& powers : terms_) {
    double product = 1.0;
    for (std::size_t d = 0; d < variables_.size(); ++d) {
      product *= factor(variables_[d], point[d], powers[d], derivative[d]);
    }
    result.push_back(product);
  }
  return result;
}

double Polynomial::value(const std::vector<double>& point, const Powers& derivative,
                         const std::vector<double>& coefficients) const {
  const std::vector<double> factors = row(point, derivative);
  return std::inner_product(factors.begin(), factors.end(), coefficients.begin(), 0.0);
}

bool Polynomial::holds(const std::vector<double>& point) const {
  for (std::size_t d = 0; d < variables_.size(); ++d) {
    const double slack = 1e-9 * (variables_[d].high - variables_[d].low);
    if (point[d] < variables_[d].low - slack || point[d] > variables_[d].high + slack) return false;
  }
  return true;
}

}  // namespace bgw::phases
