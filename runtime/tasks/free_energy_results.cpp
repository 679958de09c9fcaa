#include "runtime/tasks/free_energy_results.h"

#include <cmath>
#include <numbers>

#include "compiler/units/unit_table.h"
#include "runtime/physics/potential.h"

namespace bgw::tasks {
namespace {

constexpr double kPlanck = units::kPlanckJouleSecond / units::kElementaryCharge * 1e15;  // eV fs

/// ln(Lambda / sigma) of the true de Broglie wavelength h / sqrt(2 pi m kT).
double log_wavelength_ratio(double mass, double beta, double sigma) {
  return std::log(kPlanck * std::sqrt(beta / (2 * std::numbers::pi * mass)) / sigma);
}

}  // namespace

std::optional<double> error_per_particle(double sigma, const Ground& ground) {
  if (std::isnan(sigma)) return std::nullopt;
  return sigma / static_cast<double>(ground.particles());
}

void add_free_energy(artifacts::Artifact& artifact, const Ground& ground, const estimators::Estimate& log_ratio,
                     std::int64_t n) {
  const double value = ground.free_energy(log_ratio.value);
  const std::optional<double> sigma = error_per_particle(log_ratio.sigma, ground);
  const double kt = 1 / ground.base.beta;
  std::optional<double> in_energy = sigma;
  if (in_energy) *in_energy *= kt;
  artifact.results.push_back({"per_particle", value, sigma, "kT", n, kConvention});
  artifact.results.push_back({"energy_per_particle", value * kt, in_energy, "eV", n, kConvention});
  if (!ground.system.has("mass")) return;
  const double ratio = log_wavelength_ratio(ground.system.at("mass").as_double(), ground.base.beta,
                                            physics::length_scale(ground.system));
  artifact.results.push_back(
      {"absolute", value + 3 * ratio, sigma, "kT", n,
       "beta*F/N, classical, true de Broglie wavelength, n_p = 1, fixed centre of mass with V/N term"});
}

}  // namespace bgw::tasks
