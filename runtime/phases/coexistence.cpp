#include "runtime/phases/coexistence.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "runtime/foundation/errors.h"

namespace bgw::phases {
namespace {

constexpr int kWindow = 64;  // pressures of the first look
constexpr int kSteps = 40;
constexpr double kConverged = 1e-12;  // of the Gibbs energies, eV

/// Both phases under one pressure, where both exist.
std::optional<Crossing> both(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                             const std::vector<double>& coefficients_b, double temperature, double pressure) {
  const GibbsResult one = gibbs_state(a, coefficients_a, temperature, pressure);
  if (one.search != GibbsSearch::found) return {};
  const GibbsResult other = gibbs_state(b, coefficients_b, temperature, pressure);
  if (other.search != GibbsSearch::found) return {};
  Crossing result;
  result.pressure = pressure;
  result.a = one.state;
  result.b = other.state;
  result.slope = (other.state.entropy - one.state.entropy) / (other.state.box.volume - one.state.box.volume);
  return result;
}

double gap(const Crossing& at) { return at.b.gibbs - at.a.gibbs; }

std::vector<double> part(const std::vector<double>& all, std::size_t from, std::size_t count) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(from);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

[[noreturn]] void lost() {
  throw NumericalError("within its error a coexistence point leaves the measured states: measure a wider range of volumes, or more precisely");
}

}  // namespace

std::optional<Crossing> crossing_near(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                      const std::vector<double>& coefficients_b, double temperature, double pressure) {
  for (int k = 0; k < kSteps; ++k) {
    const auto at = both(a, coefficients_a, b, coefficients_b, temperature, pressure);
    if (!at) return {};
    if (std::abs(gap(*at)) < kConverged) return at;
    pressure -= gap(*at) / (at->b.box.volume - at->a.box.volume);
    if (!std::isfinite(pressure)) return {};  // of one volume: their lines of G run side by side
  }
  return {};
}

namespace {

/// The root on the way between two states at which the gap has different signs, by halving and interpolation in turn.
std::optional<Crossing> crossing_between(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                         const std::vector<double>& coefficients_b, Crossing low, Crossing high) {
  for (int k = 0; k < 4 * kSteps; ++k) {
    const double share = k % 2 == 0 ? gap(low) / (gap(low) - gap(high)) : 0.5;
    const double temperature = low.a.temperature + share * (high.a.temperature - low.a.temperature);
    const auto at = both(a, coefficients_a, b, coefficients_b, temperature, low.pressure + share * (high.pressure - low.pressure));
    if (!at) return {};
    if (std::abs(gap(*at)) < kConverged) return at;
    ((gap(*at) > 0) == (gap(low) > 0) ? low : high) = *at;
  }
  return {};
}

/// All crossings along a straight way through the plane.
std::vector<Crossing> crossings_along(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                      const std::vector<double>& coefficients_b,
                                      const std::function<std::pair<double, double>(double share)>& way) {
  std::vector<Crossing> found;
  std::optional<Crossing> before;
  for (int k = 0; k <= kWindow; ++k) {
    const auto [temperature, pressure] = way(static_cast<double>(k) / kWindow);
    const auto now = both(a, coefficients_a, b, coefficients_b, temperature, pressure);
    if (now && before && (gap(*before) > 0) != (gap(*now) > 0)) {
      if (const auto root = crossing_between(a, coefficients_a, b, coefficients_b, *before, *now)) found.push_back(*root);
    }
    before = now;
  }
  return found;
}

}  // namespace

std::vector<Crossing> crossings(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                const std::vector<double>& coefficients_b, double temperature, double lowest,
                                double highest) {
  return crossings_along(a, coefficients_a, b, coefficients_b,
                         [&](double share) { return std::pair{temperature, lowest + share * (highest - lowest)}; });
}

std::vector<Crossing> crossings_under(const Surface& a, const std::vector<double>& coefficients_a, const Surface& b,
                                      const std::vector<double>& coefficients_b, double pressure) {
  const double lowest = std::max(a.lowest_temperature(), b.lowest_temperature());
  const double highest = std::min(a.highest_temperature(), b.highest_temperature());
  if (!(lowest < highest)) return {};
  return crossings_along(a, coefficients_a, b, coefficients_b,
                         [&](double share) { return std::pair{lowest + share * (highest - lowest), pressure}; });
}

CoexistencePoint with_errors(const Crossing& crossing, const Surface& a, const Surface& b, const JointNormal& joint) {
  const std::size_t first = a.coefficients().size(), second = b.coefficients().size();
  const auto numbers = [&](const std::vector<double>& all) -> std::vector<double> {
    const std::vector<double> of_a = part(all, 0, first), of_b = part(all, first, second);
    const auto root = crossing_near(a, of_a, b, of_b, crossing.a.temperature, crossing.pressure);
    const auto here = both(a, of_a, b, of_b, crossing.a.temperature, crossing.pressure);
    if (!root || !here) lost();
    return {root->pressure, root->slope, root->a.box.volume, root->b.box.volume, gap(*here)};
  };
  const JointNormal known = propagate(numbers, joint);
  return {crossing, known.sigma(0), known.sigma(1), known.sigma(2), known.sigma(3), known.sigma(4)};
}

double temperature_error(const Crossing& crossing, const Surface& a, const Surface& b, const JointNormal& joint) {
  const std::size_t first = a.coefficients().size(), second = b.coefficients().size();
  const auto root = [&](const std::vector<double>& all) -> std::vector<double> {
    const std::vector<double> of_a = part(all, 0, first), of_b = part(all, first, second);
    double temperature = crossing.a.temperature;
    for (int k = 0; k < kSteps; ++k) {
      const auto at = both(a, of_a, b, of_b, temperature, crossing.pressure);
      if (!at) lost();
      if (std::abs(gap(*at)) < kConverged) return {temperature};
      temperature += gap(*at) / (at->b.entropy - at->a.entropy);
      if (!std::isfinite(temperature)) lost();
    }
    lost();
  };
  return propagate(root, joint).sigma(0);
}

std::vector<Crossing> follow(const Crossing& first, const Surface& a, const std::vector<double>& coefficients_a,
                             const Surface& b, const std::vector<double>& coefficients_b,
                             const std::vector<double>& temperatures) {
  std::vector<Crossing> line{first};
  for (std::size_t k = 1; k < temperatures.size(); ++k) {
    const Crossing& last = line.back();
    const double guess = last.pressure + last.slope * (temperatures[k] - last.a.temperature);
    const auto next = crossing_near(a, coefficients_a, b, coefficients_b, temperatures[k], guess);
    if (!next) break;
    line.push_back(*next);
  }
  return line;
}

namespace {

/// Newton steps in temperature and pressure; none where a surface is left.
std::optional<std::vector<double>> meet(const std::vector<const Surface*>& surfaces, const std::vector<double>& coefficients,
                                        double temperature, double pressure) {
  for (int k = 0; k < kSteps; ++k) {
    std::vector<GibbsState> states;
    std::size_t from = 0;
    for (const Surface* surface : surfaces) {
      if (temperature < surface->lowest_temperature() || temperature > surface->highest_temperature()) return {};
      const std::size_t count = surface->coefficients().size();
      const GibbsResult result = gibbs_state(*surface, part(coefficients, from, count), temperature, pressure);
      if (result.search != GibbsSearch::found) return {};
      states.push_back(result.state);
      from += count;
    }
    const double first = states[1].gibbs - states[0].gibbs, second = states[2].gibbs - states[0].gibbs;
    if (std::abs(first) + std::abs(second) < kConverged) return std::vector<double>{temperature, pressure};
    const double s1 = states[1].entropy - states[0].entropy, s2 = states[2].entropy - states[0].entropy;
    const double v1 = states[1].box.volume - states[0].box.volume, v2 = states[2].box.volume - states[0].box.volume;
    const double determinant = -s1 * v2 + s2 * v1;  // of [-s1 v1; -s2 v2]
    if (determinant == 0) return {};
    temperature -= (first * v2 - second * v1) / determinant;
    pressure -= (-s1 * second + s2 * first) / determinant;
  }
  return {};
}

}  // namespace

std::optional<TriplePoint> triple_point(const std::vector<const Surface*>& surfaces, const JointNormal& joint,
                                        double temperature, double pressure) {
  const auto mean = meet(surfaces, joint.mean, temperature, pressure);
  if (!mean) return {};
  const auto numbers = [&](const std::vector<double>& all) {
    const auto point = meet(surfaces, all, (*mean)[0], (*mean)[1]);
    if (!point) lost();
    return *point;
  };
  const JointNormal known = propagate(numbers, joint);
  return TriplePoint{known.mean[0], known.mean[1], known.sigma(0), known.sigma(1)};
}

}  // namespace bgw::phases
