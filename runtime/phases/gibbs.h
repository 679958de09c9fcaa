#pragma once

#include <optional>
#include <vector>

#include "runtime/phases/surface.h"

namespace bgw::phases {

/// A phase at its own volume and shape under a pressure. Numbers are those of an atom.
struct GibbsState {
  double temperature = 0;  // K
  double pressure = 0;     // eV/angstrom^3
  double gibbs = 0;        // f + p v, eV
  double enthalpy = 0;     // u + p v, eV
  double entropy = 0;      // (u - f) / T, eV/K, without that of the motion
  double bulk_modulus = 0;  // -v (dp/dv)_T with the shape free, eV/angstrom^3
  BoxState box;
};

/// What became of the search for the lowest f + p v.
enum class GibbsSearch {
  found,
  outside,   // the lowest lies at the end of the measured volumes or shapes, or beyond; or the temperature does
  unstable,  // f + p v is not convex where the search ends: the phase gives way
  unsettled  // the search did not end
};

struct GibbsResult {
  GibbsSearch search = GibbsSearch::outside;
  GibbsState state;          // where found
  std::size_t variable = 0;  // which variable of the box ran into its end, where outside; their number: the temperature
};

/// The Legendre transform of a surface: min over the box of f + p v, by Newton steps with analytic derivatives from the
/// lowest of a grid over the measured volumes. dG/dp = v and dG/dT = -s hold by the minimum.
GibbsResult gibbs_state(const Surface& surface, const std::vector<double>& coefficients, double temperature, double pressure);

/// What a crystal of n atoms whose volume fluctuates has beyond min(F + P V): beta G_NPT = beta min(F + P V) - ln(2 pi V / (beta K)) / 2
/// + ln(v), an atom, with the unit of volume that of an atom, v. It nearly cancels between phases of equal n.
/// @return eV an atom
double volume_fluctuations(const GibbsState& state, std::int64_t atoms);

}  // namespace bgw::phases
