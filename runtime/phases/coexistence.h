#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/phases/gibbs.h"

namespace bgw::phases {

/// A state in which two phases have one Gibbs energy, without errors.
struct Crossing {
  double pressure = 0;  // eV/angstrom^3
  double slope = 0;     // dp/dT = (s_b - s_a) / (v_b - v_a), eV/angstrom^3/K
  GibbsState a, b;
};

/// All crossings in a window of pressures, rising; found between the pressures of a grid where both phases exist.
std::vector<Crossing> crossings(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                const std::vector<double>& coefficients_b, double temperature, double lowest,
                                double highest);
/// All crossings under one pressure (eV/angstrom^3), with rising temperature, within the temperatures that both surfaces span; none
/// where one of them is an isotherm.
std::vector<Crossing> crossings_under(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                      const std::vector<double>& coefficients_b, double pressure);
/// The crossing that is near a pressure, by Newton steps. None where a phase ends before it is reached.
std::optional<Crossing> crossing_near(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                      const std::vector<double>& coefficients_b, double temperature, double pressure);

/// The same with the errors that the coefficients of both surfaces give it.
struct CoexistencePoint {
  Crossing crossing;
  double pressure_sigma = 0, slope_sigma = 0;
  double volume_sigma_a = 0, volume_sigma_b = 0;
  double gibbs_sigma = 0;  // of g_b - g_a at the pressure of the crossing
};

/// @param joint  coefficients of `a`, then those of `b`, with the covariance between the two
CoexistencePoint with_errors(const Crossing& crossing, const Surface& a, const Surface& b, const JointNormal& joint);

/// Standard error of the temperature of a crossing under its own pressure, K.
/// @param joint  as for `with_errors`
/// @throws NumericalError where a phase ends, in temperature or box, within the error
double temperature_error(const Crossing& crossing, const Surface& a, const Surface& b, const JointNormal& joint);

/// Follows a crossing to other temperatures, step by step from the one it was found at: the slope of Clapeyron predicts, Newton
/// steps correct. Ends where a phase ends. @param temperatures  rising or falling, the first that of the crossing
std::vector<Crossing> follow(const Crossing& first, const Surface& a, const std::vector<double>& coefficients_a,
                             const Surface& b, const std::vector<double>& coefficients_b,
                             const std::vector<double>& temperatures);

/// Where three phases meet.
struct TriplePoint {
  double temperature = 0, pressure = 0;              // K, eV/angstrom^3
  double temperature_sigma = 0, pressure_sigma = 0;  // of the coefficients
};

/// Newton steps from a guess in both; none where they leave the surfaces.
/// @param surfaces  three, each over temperatures
/// @param joint     their coefficients one after the other
std::optional<TriplePoint> triple_point(const std::vector<const Surface*>& surfaces, const JointNormal& joint,
                                        double temperature, double pressure);

}  // namespace bgw::phases
