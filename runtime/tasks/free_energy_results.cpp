#include "runtime/tasks/free_energy_results.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "compiler/units/unit_table.h"
#include "runtime/crystal/lattice.h"
#include "runtime/estimators/averages.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/pareto.h"
#include "runtime/physics/potential.h"

namespace bgw::tasks {
namespace {

constexpr double kPlanck = units::kPlanckJouleSecond / units::kElementaryCharge * 1e15;  // eV fs

/// ln(Lambda / sigma) of the true de Broglie wavelength h / sqrt(2 pi m kT).
double log_wavelength_ratio(double mass, double beta, double sigma) {
  return std::log(kPlanck * std::sqrt(beta / (2 * std::numbers::pi * mass)) / sigma);
}

/// n_p of the system's lattice, where it is one of those that bgw knows.
std::optional<int> primitive_atoms(const schema::Value& system) {
  const crystal::LatticeKind* kind = crystal::find_lattice(system.at("lattice").at("kind").as_string());
  return kind == nullptr ? std::nullopt : std::optional(kind->atoms_per_primitive_cell);
}

}  // namespace

std::optional<double> error_per_particle(double sigma, const Ground& ground) {
  if (std::isnan(sigma)) return std::nullopt;
  return sigma / static_cast<double>(ground.particles());
}

void add_free_energy(artifacts::Artifact& artifact, const Ground& ground, const estimators::Estimate& log_ratio,
                     std::int64_t n) {
  add_free_energy(artifact, ground, ground.base.beta, ground.free_energy(log_ratio.value), error_per_particle(log_ratio.sigma, ground), n);
}

void add_free_energy(artifacts::Artifact& artifact, const Ground& ground, double beta, double value,
                     const std::optional<double>& sigma, std::int64_t n) {
  const double kt = 1 / beta;
  std::optional<double> in_energy = sigma;
  if (in_energy) *in_energy *= kt;
  artifact.results.push_back({"per_particle", value, sigma, "kT", n, kConvention});
  artifact.results.push_back({"energy_per_particle", value * kt, in_energy, "eV", n, kConvention});
  const auto atoms = static_cast<double>(ground.particles());
  if (const auto primitive = primitive_atoms(ground.system)) {
    artifact.results.push_back({"all_sublattices", value - std::log(static_cast<double>(*primitive)) / atoms, sigma,
                                "kT", n,
                                fmt::format("beta*F/N, classical, Lambda = sigma, n_p = {}, fixed centre of mass with V/N term",
                                            *primitive)});
  }
  if (!ground.system.has("mass")) return;
  const double ratio = log_wavelength_ratio(ground.system.at("mass").as_double(), beta,
                                            physics::length_scale(ground.system));
  const double absolute = value + 3 * ratio;
  artifact.results.push_back(
      {"absolute", absolute, sigma, "kT", n,
       "beta*F/N, classical, true de Broglie wavelength, n_p = 1, fixed centre of mass with V/N term"});
  artifact.results.push_back({"calphy", absolute - std::log(atoms) / atoms, sigma, "kT", n,
                              "beta*F/N, classical, true de Broglie wavelength, fixed centre of mass as in calphy, V term"});
}

std::int64_t number_left(const Tensor& log_weight) { return log_weight.isneginf().sum().item<std::int64_t>(); }

void add_weights(artifacts::Artifact& artifact, const Tensor& log_weight, const plan::Key& stream_key,
                 std::int64_t bootstrap) {
  const estimators::WeightSummary summary = estimators::summarise(log_weight);
  const std::int64_t n = log_weight.numel();
  const estimators::Estimate ess =
      estimators::effective_fraction(log_weight, tensor::RandomStream(stream_key, "ess"), bootstrap);
  std::optional<double> sigma = ess.sigma;
  if (std::isnan(ess.sigma)) sigma.reset();
  artifact.results.push_back({"ess", ess.value, sigma, "", n, "fraction of the samples"});
  artifact.results.push_back({"variance", summary.variance, {}, "", n, "of the log weights"});
  artifact.results.push_back({"largest_weight", summary.largest_weight, {}, "", n, "normalised"});
  const double k = estimators::pareto_k(log_weight);
  if (std::isfinite(k)) artifact.results.push_back({"pareto_k", k, {}, "", n, "of the tail of the weights; above 0.7 few samples decide"});
}

void add_mean_energy(artifacts::Artifact& artifact, const Tensor& energy, const Tensor& weights, const Tensor& chain,
                     const Ground& ground, const plan::Key& stream_key) {
  const estimators::Blocks blocks =
      chain.defined() ? estimators::chain_blocks(chain, energy) : estimators::single_samples(energy.numel());
  const estimators::Means mean = estimators::weighted_means(energy / static_cast<double>(ground.particles()), weights, blocks,
                                                            tensor::RandomStream(stream_key, "mean_energy"));
  const double sigma = mean.sigma()[0].item<double>();
  artifacts::Result result{"mean_energy", mean.value[0].item<double>(), {}, "eV", energy.numel(), "per atom"};
  if (std::isfinite(sigma)) result.sigma = sigma;
  artifact.results.push_back(result);
}

}  // namespace bgw::tasks
