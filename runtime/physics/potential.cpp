#include "runtime/physics/potential.h"

#include <cmath>
#include <numbers>
#include <string>

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

Potential make_lennard_jones(const schema::Value& v) {
  Potential result;
  result.epsilon = positive(v, "epsilon", 1.0);
  result.sigma = positive(v, "sigma", 1.0);
  if (!v.has("cutoff")) throw InputError("potential: lennard_jones needs a cutoff");
  result.cutoff = positive(v, "cutoff", 0.0);
  result.tail = v.bool_or("tail", false);
  kernels::LennardJones k{result.epsilon, result.sigma, result.cutoff, 0.0};
  if (v.bool_or("shift", false)) {
    const double s6 = std::pow(result.sigma / result.cutoff, 6);
    k.shift = 4.0 * result.epsilon * s6 * (s6 - 1.0);
  }
  result.kernel = k;
  return result;
}

}  // namespace

Potential make_potential(const schema::Value& potential) {
  const std::string style = potential.string_or("style", "");
  if (style == "stillinger_weber") return make_stillinger_weber(potential);
  if (style == "lennard_jones") return make_lennard_jones(potential);
  throw InputError("potential: unknown style '" + style + "'; known are stillinger_weber and lennard_jones");
}

double tail_energy_per_atom(const Potential& potential, double density) {
  if (!potential.tail) return 0.0;
  const double s3 = std::pow(potential.sigma / potential.cutoff, 3);
  const double sigma3 = potential.sigma * potential.sigma * potential.sigma;
  return 8.0 / 3.0 * std::numbers::pi * density * potential.epsilon * sigma3 * (s3 * s3 * s3 / 3.0 - s3);
}

double inverse_temperature(const schema::Value& ensemble) {
  return 1.0 / (units::kBoltzmann * ensemble.at("temperature").as_double());
}

double length_scale(const schema::Value& system) { return make_potential(system.at("potential")).sigma; }

}  // namespace bgw::physics
