#include "runtime/physics/potential.h"

#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "compiler/units/unit_table.h"
#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

constexpr double kTetrahedral = -0.33331324756823727;  // cos(109.47 degrees), as in the published numbers

double positive(const schema::Value& potential, const char* name, double otherwise) {
  const double x = potential.number_or(name, otherwise);
  if (!(x > 0.0) || !std::isfinite(x))
    throw InputError(std::string("potential: ") + name + " must be a positive number");
  return x;
}

int power(const schema::Value& potential, const char* name, double otherwise) {
  const double x = potential.number_or(name, otherwise);
  if (!(x >= 0.0 && x <= 64.0) || x != std::floor(x))
    throw InputError(std::string("potential: ") + name + " must be a whole number between 0 and 64");
  return static_cast<int>(x);
}

Potential make_stillinger_weber(const schema::Value& v) {
  Potential result;
  result.epsilon = positive(v, "epsilon", 1.0);
  result.sigma = positive(v, "sigma", 1.0);
  const double lambda = v.number_or("lambda", 21.0);
  const double gamma = v.number_or("gamma", 1.2);
  if (!(lambda >= 0.0) || !(gamma >= 0.0)) throw InputError("potential: lambda and gamma must not be negative");
  kernels::StillingerWeber k{};
  k.pair_strength = v.number_or("A", 7.049556277) * result.epsilon;
  k.B = v.number_or("B", 0.6022245584);
  k.p = power(v, "p", 4.0);
  k.q = power(v, "q", 0.0);
  k.sigma = result.sigma;
  k.cutoff = positive(v, "a", 1.8) * result.sigma;
  k.gamma_sigma = gamma * result.sigma;
  k.triplet_strength = lambda * result.epsilon;
  k.cos0 = v.number_or("cos0", kTetrahedral);
  result.cutoff = k.cutoff;
  result.kernel = k;
  return result;
}

Potential make_lennard_jones(const schema::Value& v, double lambda) {
  Potential result;
  result.epsilon = positive(v, "epsilon", 1.0);
  result.sigma = positive(v, "sigma", 1.0);
  if (!v.has("cutoff")) throw InputError("potential: lennard_jones needs a cutoff");
  result.cutoff = positive(v, "cutoff", 0.0);
  result.tail = v.bool_or("tail", false);
  kernels::LennardJones k{};
  k.epsilon = result.epsilon;
  k.sigma = result.sigma;
  k.cutoff = result.cutoff;
  k.switch_from =
      v.has("switch_from") && !v.at("switch_from").is_none() ? positive(v, "switch_from", 0.0) : result.cutoff;
  k.coupling = lambda;
  k.softness = 0.5 * (1.0 - lambda) * (1.0 - lambda);
  const bool shifted = v.bool_or("shift", false);
  if (k.switch_from < k.cutoff && (shifted || result.tail))
    throw InputError("potential: a switched energy ends at zero; leave shift and tail out, or switch_from");
  if (k.switch_from > k.cutoff)
    throw InputError(fmt::format("potential: switch_from {:g} lies beyond the cutoff {:g}", k.switch_from, k.cutoff));
  if (shifted) {
    const double g = k.softness + std::pow(result.cutoff / result.sigma, 6);
    k.shift = 4.0 * lambda * result.epsilon * (1.0 / g - 1.0) / g;
  }
  result.kernel = k;
  return result;
}

/// Energy and slope of one pair at the distance r, by the kernel itself.
std::pair<double, double> pair_at(const Potential& potential, double r) {
  using kernels::kLanes;
  const std::int64_t begin[3] = {0, 1, 1};
  const std::int64_t owned[2] = {0, 1};
  const std::int32_t index[1] = {1};
  const double offset[3] = {r, 0.0, 0.0};
  const kernels::NeighbourView list{2, begin, owned, index, offset, nullptr, 1};
  alignas(64) double at_rest[6 * kLanes] = {}, energy[kLanes] = {}, gradient[6 * kLanes] = {}, product[6 * kLanes] = {};
  std::vector<double> scratch(static_cast<std::size_t>(kernels::scratch_numbers<double>(1) + kLanes));
  void* aligned = scratch.data();
  std::size_t space = scratch.size() * sizeof(double);
  std::align(64, static_cast<std::size_t>(kernels::scratch_numbers<double>(1)) * sizeof(double), aligned, space);
  const kernels::Block block{at_rest, nullptr, energy,  gradient,
                             product, nullptr, nullptr, static_cast<double*>(aligned)};
  if (const auto* sw = std::get_if<kernels::StillingerWeber>(&potential.kernel))
    kernels::kernels().stillinger_weber(list, *sw, block);
  else
    kernels::kernels().lennard_jones(list, std::get<kernels::LennardJones>(potential.kernel), block);
  return {energy[0], gradient[3 * kLanes]};
}

/// The pair as it is decides the tangent. (A single bond has no three-body energy.)
void linearize(Potential& potential, double below) {
  if (!(below > kernels::kLinearFrom && below < potential.cutoff))
    throw InputError(
        fmt::format("potential: it is made linear below a distance between {:g} and the cutoff {:g}, got {:g}",
                    kernels::kLinearFrom, potential.cutoff, below));
  const auto [value, slope] = pair_at(potential, below);
  const auto set = [&, v = value, s = slope](auto& kernel) {
    kernel.linear_below = below;
    kernel.linear_value = v;
    kernel.linear_slope = s;
  };
  std::visit(set, potential.kernel);
}

/// epsilon sigma^3, times the coupling of a soft core; 0 without a tail.
double tail_strength(const Potential& potential) {
  if (!potential.tail) return 0.0;
  return std::get<kernels::LennardJones>(potential.kernel).coupling * potential.epsilon * std::pow(potential.sigma, 3);
}

}  // namespace

PotentialForm training_form(const schema::Value& potential) {
  PotentialForm form;
  form.linearize_below =
      (potential.string_or("style", "") == "lennard_jones" ? 0.8 : 0.5) * positive(potential, "sigma", 1.0);
  return form;
}

Potential make_potential(const schema::Value& potential, const PotentialForm& form) {
  const std::string style = potential.string_or("style", "");
  const double lambda = form.soft_core_lambda;
  if (!(lambda >= 0.0 && lambda <= 1.0))
    throw InputError(fmt::format("potential: lambda of a soft core lies between 0 and 1, got {:g}", lambda));
  if (lambda != 1.0 && style != "lennard_jones")
    throw InputError(fmt::format("potential: {} has no soft core; only lennard_jones has", style));
  Potential result;
  if (style == "stillinger_weber")
    result = make_stillinger_weber(potential);
  else if (style == "lennard_jones")
    result = make_lennard_jones(potential, lambda);
  else
    throw InputError("potential: unknown style '" + style +
                     "'; known are stillinger_weber, lennard_jones, einstein and harmonic");
  if (form.linearize_below != 0.0) linearize(result, form.linearize_below);
  result.listed_within = form.neighbours_within;
  if (form.neighbours_within != 0.0) result.tail = false;
  return result;
}

double tail_energy_per_atom(const Potential& potential, double density) {
  const double s3 = std::pow(potential.sigma / potential.cutoff, 3);
  return 8.0 / 3.0 * std::numbers::pi * density * tail_strength(potential) * (s3 * s3 * s3 / 3.0 - s3);
}

double tail_pressure(const Potential& potential, double density) {
  const double s3 = std::pow(potential.sigma / potential.cutoff, 3);
  return 16.0 / 3.0 * std::numbers::pi * density * density * tail_strength(potential) * (2.0 / 3.0 * s3 * s3 * s3 - s3);
}

double inverse_temperature(const schema::Value& ensemble) {
  return 1.0 / (units::kBoltzmann * ensemble.at("temperature").as_double());
}

double length_scale(const schema::Value& system) {
  const schema::Value& potential = system.at("potential");
  const std::string style = potential.string_or("style", "");
  return style == "einstein" || style == "harmonic" ? 1.0 : make_potential(potential).sigma;
}

}  // namespace bgw::physics
