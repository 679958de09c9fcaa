#include "runtime/phases/gibbs.h"

#include <cmath>

#include "compiler/units/unit_table.h"

namespace bgw::phases {
namespace {

constexpr int kGrid = 32;        // volumes that are tried first
constexpr int kNewtonSteps = 60;
constexpr double kConverged = 1e-12;  // of the variables, which are logarithms

/// f + p v and its derivatives by the logarithms of the box.
class Objective {
 public:
  Objective(const Surface& surface, const std::vector<double>& coefficients, double temperature, double pressure)
      : surface_(surface), coefficients_(coefficients), temperature_(temperature), pressure_(pressure) {}

  double value(const std::vector<double>& box) const {
    return surface_.free_energy(temperature_, box, coefficients_) + pressure_ * std::exp(box[0]);
  }
  Tensor gradient(const std::vector<double>& box) const {
    const std::vector<double> slope = surface_.gradient(temperature_, box, coefficients_);
    Tensor result = at::tensor(slope, at::TensorOptions().dtype(at::kDouble));
    result[0] += pressure_ * std::exp(box[0]);
    return result;
  }
  Tensor curvature(const std::vector<double>& box) const {
    Tensor result = surface_.curvature(temperature_, box, coefficients_);
    result[0][0] += pressure_ * std::exp(box[0]);
    return result;
  }

 private:
  const Surface& surface_;
  const std::vector<double>& coefficients_;
  double temperature_, pressure_;
};

constexpr int kShapeGrid = 4;

double on_grid(const Variable& range, int k, int steps) { return range.low + (range.high - range.low) * k / steps; }

/// Shapes may have several minima, so that the grid is over them too.
std::vector<double> lowest_of_grid(const Surface& surface, const Objective& objective) {
  const std::size_t variables = surface.shape_variables();
  const int first = variables > 1 ? kShapeGrid : 0, second = variables > 2 ? kShapeGrid : 0;
  std::vector<double> box(variables), best;
  double least = 0;
  for (int k = 0; k <= kGrid; ++k) {
    box[0] = on_grid(surface.box_range(0), k, kGrid);
    for (int i = 0; i <= first; ++i) {
      if (variables > 1) box[1] = on_grid(surface.box_range(1), i, kShapeGrid);
      for (int j = 0; j <= second; ++j) {
        if (variables > 2) box[2] = on_grid(surface.box_range(2), j, kShapeGrid);
        const double value = objective.value(box);
        if (!best.empty() && value >= least) continue;
        best = box;
        least = value;
      }
    }
  }
  return best;
}

bool convex(const Tensor& curvature) { return at::linalg_eigvalsh(curvature, "L")[0].item<double>() > 0; }

/// A Newton step, or one down the slope where the curvature has the wrong sign; at most a quarter of the range of a variable.
std::vector<double> next(const Surface& surface, const Objective& objective, const std::vector<double>& box) {
  const Tensor gradient = objective.gradient(box), curvature = objective.curvature(box);
  const Tensor step = convex(curvature) ? -at::linalg_solve(curvature, gradient) : -gradient / curvature.abs().max();
  std::vector<double> result = box;
  double shrink = 1.0;
  for (std::size_t d = 0; d < box.size(); ++d) {
    const double longest = 0.25 * (surface.box_range(d).high - surface.box_range(d).low);
    shrink = std::min(shrink, longest / std::max(longest, std::abs(step[static_cast<std::int64_t>(d)].item<double>())));
  }
  for (std::size_t d = 0; d < box.size(); ++d) {
    const Variable& range = surface.box_range(d);
    const double margin = 0.5 * (range.high - range.low);  // polynomials mean little further out
    result[d] += shrink * step[static_cast<std::int64_t>(d)].item<double>();
    result[d] = std::min(std::max(result[d], range.low - margin), range.high + margin);
  }
  return result;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t d = 0; d < a.size(); ++d) largest = std::max(largest, std::abs(a[d] - b[d]));
  return largest;
}

/// -v (dp/dv)_T = (d2f/dx0^2 + p v - what the other variables give way) / v at the minimum, x0 = ln v.
double bulk_modulus_of(const Tensor& curvature, double volume) {
  return 1.0 / (at::linalg_inv(curvature)[0][0].item<double>() * volume);
}

GibbsState state_at(const Surface& surface, const std::vector<double>& coefficients, double temperature,
                    double pressure, const std::vector<double>& box, const Tensor& curvature) {
  GibbsState state;
  state.temperature = temperature;
  state.pressure = pressure;
  state.box = surface.state_of(temperature, box);
  const double f = surface.free_energy(temperature, box, coefficients);
  const double u = surface.energy(temperature, box, coefficients);
  state.gibbs = f + pressure * state.box.volume;
  state.enthalpy = u + pressure * state.box.volume;
  state.entropy = (u - f) / temperature;
  state.bulk_modulus = bulk_modulus_of(curvature, state.box.volume);
  return state;
}

}  // namespace

GibbsResult gibbs_state(const Surface& surface, const std::vector<double>& coefficients, double temperature,
                        double pressure) {
  GibbsResult result;
  const double slack = 1e-9 * surface.highest_temperature();
  if (!std::isfinite(pressure) || temperature < surface.lowest_temperature() - slack || temperature > surface.highest_temperature() + slack) {
    result.variable = surface.shape_variables();
    return result;
  }
  const Objective objective(surface, coefficients, temperature, pressure);
  std::vector<double> box = lowest_of_grid(surface, objective);
  bool converged = false;
  for (int k = 0; k < kNewtonSteps && !converged; ++k) {
    const std::vector<double> moved = next(surface, objective, box);
    converged = distance(moved, box) < kConverged;
    box = moved;
  }
  for (std::size_t d = 0; d < box.size(); ++d) {
    const Variable& range = surface.box_range(d);
    const double rounding = 1e-9 * (range.high - range.low);
    if (box[d] >= range.low - rounding && box[d] <= range.high + rounding) continue;
    result.variable = d;
    return result;
  }
  const Tensor curvature = objective.curvature(box);
  result.search = !convex(curvature) ? GibbsSearch::unstable : converged ? GibbsSearch::found : GibbsSearch::unsettled;
  if (result.search == GibbsSearch::found) {
    result.state = state_at(surface, coefficients, temperature, pressure, box, curvature);
  }
  return result;
}

double volume_fluctuations(const GibbsState& state, std::int64_t atoms) {
  const double kt = units::kBoltzmann * state.temperature;
  const double n = static_cast<double>(atoms);
  const double variance = n * state.box.volume * kt / state.bulk_modulus;  // of the volume of the box
  return -kt * (0.5 * std::log(2.0 * M_PI * variance) - std::log(state.box.volume)) / n;
}

}  // namespace bgw::phases
