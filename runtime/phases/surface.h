#pragma once

#include <string>
#include <vector>

#include "runtime/phases/joint_normal.h"
#include "runtime/phases/polynomial.h"

namespace bgw::phases {

/// A crystal at a temperature in a box. Edges that are not free keep one ratio for all states.
struct BoxState {
  double temperature = 0;  // K
  double volume = 0;       // angstrom^3 an atom
  double c_over_a = 1, b_over_a = 1;
};

/// Which edges of the box are free: all alike, x and y alike, each by itself.
enum class BoxFreedom { isotropic, a_eq_b, orthorhombic };

/// What was measured at states of one phase. Numbers of a state, in this order, an atom: free energy with Lambda = sigma at
/// every temperature (eV), mean potential energy (eV), and the pressures along x, y and z with kT / v of the motion
/// (eV/angstrom^3). Free energies of all phases that meet in a diagram are to count one number of sites n_p.
struct Measurements {
  static constexpr std::size_t kNumbers = 5;
  std::vector<BoxState> states;
  JointNormal numbers;  // [5 K], state after state
};

/// Degrees of the polynomial in each variable, those that are not free are ignored; no term has a higher sum.
struct SurfaceDegrees {
  int temperature = 2, volume = 3, shape = 2, total = 4;
};

/// The free energy of one phase over temperature, volume and shape: a polynomial f(T, ln v, ln c/a, ln b/a), fitted to
/// measured free energies together with their derivatives, which are energies and pressures. With several temperatures
/// the ideal part -3/2 k T ln T of classical vibrations is added to the polynomial; with a single one the energy has a
/// polynomial of its own, of as high a degree as its values alone tell. The coefficients are found by generalised least squares with the whole covariance of the measurements.
///
///   d f / d ln v   = -p v,   p = (pxx + pyy + pzz) / 3
///   d f / d ln c/a = -v (2 pzz - pxx - pyy) / 3,   d f / d ln b/a = -v (2 pyy - pxx - pzz) / 3
///   f - T d f / d T = u
class Surface {
 public:
  /// @throws InputError when the measurements do not determine the polynomial
  Surface(const Measurements& measured, BoxFreedom freedom, const SurfaceDegrees& degrees);

  const JointNormal& coefficients() const { return coefficients_; }
  double chi_square() const { return chi_square_; }
  int freedom() const { return freedom_; }  // numbers less coefficients
  /// By how much the claimed errors were widened because the fit misses the data by more than they allow: the square root
  /// of chi^2 per degree of freedom, and no less than 1. The covariance of the coefficients has it.
  double widening() const;

  bool over_temperatures() const { return over_temperatures_; }
  const Polynomial& polynomial() const { return polynomial_; }
  std::size_t shape_variables() const;  // 1 to 3: ln v and the free ratios

  /// f and its first and second derivatives by the variables of the box at a temperature. Coefficients are an argument so
  /// that errors can be followed through everything that is made of them.
  double free_energy(double temperature, const std::vector<double>& box, const std::vector<double>& coefficients) const;
  std::vector<double> gradient(double temperature, const std::vector<double>& box,
                               const std::vector<double>& coefficients) const;
  Tensor curvature(double temperature, const std::vector<double>& box, const std::vector<double>& coefficients) const;
  /// u, eV an atom.
  double energy(double temperature, const std::vector<double>& box, const std::vector<double>& coefficients) const;

  std::vector<double> box_variables(const BoxState& state) const;  // ln v and the logarithms of the free ratios
  BoxState state_of(double temperature, const std::vector<double>& box) const;
  /// Whether the state lies within the ranges of the measurements.
  bool holds(double temperature, const std::vector<double>& box) const;
  double lowest_temperature() const { return lowest_temperature_; }
  double highest_temperature() const { return highest_temperature_; }
  /// Lowest and highest value of a variable of the box among the measurements.
  const Variable& box_range(std::size_t variable) const;

 private:
  struct Equations;
  Equations equations(const Measurements& measured) const;
  void add_state(const BoxState& state, Equations& equations) const;
  void solve(const Equations& equations, const JointNormal& numbers);
  std::vector<double> point(double temperature, const std::vector<double>& box) const;
  Polynomial::Powers derivative(int by_temperature, std::size_t first, std::size_t second) const;

  BoxFreedom box_freedom_;
  bool over_temperatures_;
  double lowest_temperature_ = 0, highest_temperature_ = 0;
  double c_over_a_ = 1, b_over_a_ = 1;  // of ratios that are not free
  Polynomial polynomial_;
  Polynomial energy_polynomial_;  // of a single temperature
  JointNormal coefficients_;
  double chi_square_ = 0;
  int freedom_ = 0;
};

}  // namespace bgw::phases
