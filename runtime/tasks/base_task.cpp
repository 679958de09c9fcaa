#include <algorithm>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/physics/force_constant_transfer.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/physics/scha.h"
#include "runtime/tasks/base_fit.h"
#include "runtime/tasks/conditional_base.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

double beta_of(const schema::Value& arguments) { return physics::inverse_temperature(arguments.at("ensemble")); }

artifacts::Artifact checkpoint_of(const physics::SchaState& state, const physics::CallCount& calls) {
  artifacts::Artifact checkpoint;
  physics::add_to(checkpoint, state);
  checkpoint.cost = cost_of(calls);
  return checkpoint;
}

constexpr const char* kStiffness = "beta times a force constant";

void add_base_facts(artifacts::Artifact& artifact, const physics::GaussianBase& base) {
  physics::add_to(artifact, base);
  artifact.results.push_back({"rms_displacement", physics::rms_displacement(base), {}, "angstrom", {}, ""});
  artifact.results.push_back({"lowest_mode", base.stiffness.min().item<double>(), {}, "1/angstrom^2", {}, kStiffness});
  artifact.results.push_back({"highest_mode", base.stiffness.max().item<double>(), {}, "1/angstrom^2", {}, kStiffness});
}

/// A free energy of oscillators, which has no error.
void add_exact(artifacts::Artifact& artifact, double value, const std::string& convention) {
  artifact.results.push_back({"harmonic", value, 0.0, "kT", {}, convention});
}

void add_count(artifacts::Artifact& artifact, const std::string& name, std::int64_t count, const std::string& meaning) {
  artifact.results.push_back({name, static_cast<double>(count), {}, "", {}, meaning});
}

crystal::Crystal source_of_constants(engine::TaskContext& context) {
  const plan::TaskSpec source = context.input_spec("force_constants");
  return physics::make_crystal(source.arguments.at("system"));
}

/// Force constants of another crystal, where the program says so.
std::optional<physics::TransferredConstants> given_constants(engine::TaskContext& context,
                                                             const crystal::Crystal& crystal) {
  const schema::Value* given = context.arguments().find("force_constants");
  if (given == nullptr || given->is_none()) return std::nullopt;
  const physics::GaussianBase source = physics::gaussian_base_from(*context.input("force_constants"));
  return physics::transferred_constants(source, source_of_constants(context), crystal);
}

std::string told_source(engine::TaskContext& context) {
  return fmt::format("force constants of the crystal of {} atoms", source_of_constants(context).sites.size());
}

artifacts::Artifact phonon(engine::TaskContext& context, const physics::EnergyModel& model,
                           const crystal::Crystal& crystal) {
  const schema::Value& arguments = context.arguments();
  context.report({"phonons", 0, 1, {}});
  const auto given = given_constants(context, crystal);
  const physics::GaussianBase base =
      given ? physics::phonon_base(model, crystal, beta_of(arguments), given->constants, given->shift)
            : physics::phonon_base(model, crystal, beta_of(arguments), arguments.bool_or("relax_sites", true));
  artifacts::Artifact artifact;
  std::string convention = kConvention;
  if (given) convention += "; " + told_source(context);
  add_exact(artifact, physics::free_energy_per_particle(base, physics::length_scale(arguments.at("system"))), convention);
  add_base_facts(artifact, base);
  artifact.cost = cost_of(model.calls());
  return artifact;
}

artifacts::Artifact einstein_crystal(engine::TaskContext& context, const physics::EnergyModel& model,
                                     const crystal::Crystal& crystal) {
  const schema::Value& arguments = context.arguments();
  const double energy = model.energy(at::zeros({1, model.particles(), 3}, at::kDouble)).item<double>();
  const physics::GaussianBase base =
      physics::einstein_base(physics::translations_of(crystal.sites, crystal.cell), physics::sites_tensor(crystal),
                             crystal.cell, energy, beta_of(arguments), arguments.at("width").as_double());
  artifacts::Artifact artifact;
  add_exact(artifact, physics::free_energy_per_particle(base, physics::length_scale(arguments.at("system"))),
            fmt::format("of the oscillators at the energy of the lattice; {}", kConvention));
  add_base_facts(artifact, base);
  artifact.cost = cost_of(model.calls());
  return artifact;
}

/// Each configuration shows as many surroundings as it has atoms, so large crystals need few.
std::int64_t enough_samples(std::int64_t atoms) {
  constexpr std::int64_t kSurroundings = 10'000;
  return std::max<std::int64_t>(16, kSurroundings / atoms / 4 * 4);
}

/// The self-consistent iteration, from its checkpoint if there is one.
physics::SchaState converged(engine::TaskContext& context, const physics::EnergyModel& model,
                             const physics::Scha& iteration, physics::CallCount& before) {
  physics::SchaState state;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = physics::scha_state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  } else {
    state = iteration.start();
  }
  while (!iteration.is_finished(state)) {
    iteration.step(state);
    context.report({"self-consistency", state.iteration, 0, {{"change", state.change}}});
    context.step_done([&] { return checkpoint_of(state, before + model.calls()); });
  }
  return state;
}

void add_scha_results(artifacts::Artifact& artifact, const physics::SchaResult& result, const physics::SchaOptions& options,
                      double sigma) {
  const std::int64_t n = result.base.sites.size(0);
  const auto per_particle = [&](double log_zc) {
    return physics::free_energy_per_particle(log_zc, n, result.base.cell.volume(), sigma);
  };
  artifact.results.push_back({"bound", per_particle(result.log_zc_bound), result.log_zc_sigma / static_cast<double>(n),
                              "kT", options.bound_samples, fmt::format("upper bound of {}", kConvention)});
  if (result.log_zc_harmonic) add_exact(artifact, per_particle(*result.log_zc_harmonic), kConvention);
  add_count(artifact, "imaginary_modes", result.imaginary_modes, "of the static lattice, which heat holds up");
  add_count(artifact, "floored_modes", result.floored_modes, "made stiffer: their mean curvature is not positive, or nearly zero");
}

artifacts::Artifact scha(engine::TaskContext& context, const physics::EnergyModel& model,
                         const crystal::Crystal& crystal) {
  const schema::Value& arguments = context.arguments();
  const physics::SchaOptions options = scha_options(arguments, model.particles());
  const tensor::RandomStream stream(context.spec().stream_key, "scha");
  const physics::Scha iteration(model, crystal, beta_of(arguments), options, stream);

  physics::CallCount before;
  const auto given = given_constants(context, crystal);
  const physics::SchaState state = given ? iteration.start_from(given->constants, given->shift)
                                         : converged(context, model, iteration, before);
  const physics::SchaResult result = iteration.finish(state);

  artifacts::Artifact artifact;
  add_scha_results(artifact, result, options, physics::length_scale(arguments.at("system")));
  add_count(artifact, "iterations", state.iteration,
            given ? told_source(context) : state.converged ? "converged" : "stopped at the limit");
  add_base_facts(artifact, result.base);
  artifact.cost = cost_of(before + model.calls());
  return artifact;
}

}  // namespace

physics::SchaOptions scha_options(const schema::Value& base_arguments, std::int64_t atoms) {
  physics::SchaOptions options;
  options.samples = base_arguments.int_or("samples", enough_samples(atoms));
  options.relax_sites = base_arguments.bool_or("relax_sites", true);
  return options;
}

artifacts::Artifact base(engine::TaskContext& context) {
  if (is_conditional(context.arguments())) return conditional_base(context);
  const schema::Value& system = context.arguments().at("system");
  const crystal::Crystal crystal = physics::make_crystal(system);
  const auto model = physics::make_energy_model(system);
  const std::string& kind = context.arguments().at("kind").as_string();
  if (kind == "phonon") return phonon(context, *model, crystal);
  if (kind == "scha") return scha(context, *model, crystal);
  if (kind == "einstein_crystal") return einstein_crystal(context, *model, crystal);
  throw InputError("no base of kind '" + kind + "'; this version has phonon, scha and einstein_crystal");
}

}  // namespace bgw::tasks
