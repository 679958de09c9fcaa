#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/physics/scha.h"
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

void add_base_facts(artifacts::Artifact& artifact, const physics::GaussianBase& base) {
  physics::add_to(artifact, base);
  artifact.results.push_back({"rms_displacement", physics::rms_displacement(base), {}, "angstrom", {}, ""});
  artifact.results.push_back({"lowest_mode",
                              base.stiffness.min().item<double>(),
                              {},
                              "1/angstrom^2",
                              {},
                              "beta times the softest force constant"});
}

artifacts::Artifact phonon(engine::TaskContext& context, const physics::EnergyModel& model,
                           const crystal::Crystal& crystal) {
  const schema::Value& arguments = context.arguments();
  context.report({"phonons", 0, 1, {}});
  const physics::GaussianBase base =
      physics::phonon_base(model, crystal, beta_of(arguments), arguments.bool_or("relax_sites", true));
  artifacts::Artifact artifact;
  const double sigma = physics::length_scale(arguments.at("system"));
  artifact.results.push_back({"harmonic", physics::free_energy_per_particle(base, sigma), 0.0, "kT", {}, kConvention});
  add_base_facts(artifact, base);
  artifact.cost = cost_of(model.calls());
  return artifact;
}

artifacts::Artifact scha(engine::TaskContext& context, const physics::EnergyModel& model,
                         const crystal::Crystal& crystal) {
  const schema::Value& arguments = context.arguments();
  physics::SchaOptions options;
  options.samples = arguments.at("samples").as_int();
  options.relax_sites = arguments.bool_or("relax_sites", true);
  const tensor::RandomStream stream(context.spec().stream_key, "scha");
  const physics::Scha iteration(model, crystal, beta_of(arguments), options, stream);

  physics::SchaState state;
  physics::CallCount before;
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
  const physics::SchaResult result = iteration.finish(state);

  artifacts::Artifact artifact;
  const auto per_particle = [&](double log_zc) {
    return physics::free_energy_per_particle(log_zc, model.particles(), crystal.cell.volume(),
                                             physics::length_scale(arguments.at("system")));
  };
  artifact.results.push_back({"bound", per_particle(result.log_zc_bound),
                              result.log_zc_sigma / static_cast<double>(model.particles()), "kT", options.bound_samples,
                              std::string("upper bound of ") + kConvention});
  if (result.log_zc_harmonic) {
    artifact.results.push_back({"harmonic", per_particle(*result.log_zc_harmonic), 0.0, "kT", {}, kConvention});
  }
  artifact.results.push_back({"iterations",
                              static_cast<double>(state.iteration),
                              {},
                              "",
                              {},
                              state.converged ? "converged" : "stopped at the limit"});
  add_base_facts(artifact, result.base);
  artifact.cost = cost_of(before + model.calls());
  return artifact;
}

}  // namespace

artifacts::Artifact base(engine::TaskContext& context) {
  const schema::Value& system = context.arguments().at("system");
  const crystal::Crystal crystal = physics::make_crystal(system);
  const auto model = physics::make_energy_model(system);
  const std::string& kind = context.arguments().at("kind").as_string();
  if (kind == "phonon") return phonon(context, *model, crystal);
  if (kind == "scha") return scha(context, *model, crystal);
  throw InputError("no base of kind '" + kind + "'; this version has phonon and scha");
}

}  // namespace bgw::tasks
