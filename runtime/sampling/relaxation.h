#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/sampling/enthalpy_surface.h"

namespace bgw::sampling {

struct RelaxationOptions {
  double stiffness = 0;    // stiffest_curvature, eV/angstrom^2
  double tolerance = 0;    // of the largest slope, eV/angstrom
  std::int64_t steps = 0;  // evaluations of the surface at most
};

struct Relaxed {
  /// settled: the slope is below the tolerance, or as small as rounding lets it be. unsettled: not within the steps. lost: the
  /// volume has grown or fallen by a factor of four, or the energy is no number.
  enum class End { settled, unsettled, lost };
  End end = End::unsettled;
  Tensor point;       // [width]
  double height = 0;  // H, eV
  double slope = 0;   // the largest component, eV/angstrom
};

/// The minima below the points, each by itself (descent.h), all evaluated together.
/// @param points  [B, width]
/// @param step    called after each evaluation with how many have settled; it may throw to leave
std::vector<Relaxed> relaxed(const EnthalpySurface& surface, const Tensor& points, const RelaxationOptions& options,
                             const std::function<void(std::int64_t)>& step);

struct AnnealingOptions {
  double stiffness = 0;  // stiffest_curvature, eV/angstrom^2
  double kt = 0;         // at the beginning; it falls evenly to zero, eV
  std::int64_t steps = 0;
  plan::Key stream_key;
};

/// The points after Langevin dynamics on the surface, sites and box alike, that cools to rest: where a crystal that is unstable
/// at its sites finds better ones. All coordinates have one mass, so time means nothing; a step is half of the inverse of the
/// highest frequency. Of a place that only leads somewhere, neither measure nor exact temperature matter.
/// @param points     [B, width]
/// @param first_try  number of the first row, which numbers the randoms
/// @return           [B, width]; a row whose energy became no number stays where it was before
Tensor annealed(const EnthalpySurface& surface, const Tensor& points, std::int64_t first_try, const AnnealingOptions& options,
                const std::function<void(std::int64_t)>& step);

}  // namespace bgw::sampling
