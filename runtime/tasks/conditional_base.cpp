#include "runtime/tasks/conditional_base.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/physics/scha.h"
#include "runtime/tasks/base_fit.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

constexpr std::int64_t kNodes = 3;  // of each coordinate: force constants are near a parabola over the usual ranges

/// What is known of the nodes so far.
struct Fitted {
  physics::TranslationGroup group;
  std::vector<Tensor> constants, shift;
  std::int64_t iterations = 0, floored = 0, imaginary = 0;  // of scha: of all; the most at a node
  double softest = 0, stiffest = 0;                         // mode of any node, 1/angstrom^2
  std::int64_t count() const { return std::ssize(constants); }
};

void add_to(artifacts::Artifact& artifact, const Fitted& fitted) {
  if (fitted.count() > 0) physics::add_to(artifact, physics::BaseFamily{0, 0, fitted.group, at::stack(fitted.constants), at::stack(fitted.shift)});
  artifact.arrays["nodes/facts"] = tensor::to_array(at::tensor(
      {static_cast<double>(fitted.iterations), static_cast<double>(fitted.floored), static_cast<double>(fitted.imaginary), fitted.softest, fitted.stiffest}, at::kDouble));
}

Fitted fitted_from(const artifacts::Artifact& checkpoint) {
  Fitted fitted;
  if (checkpoint.arrays.contains("nodes/facts")) {
    const std::vector<double>& facts = checkpoint.array("nodes/facts").doubles;
    fitted.iterations = static_cast<std::int64_t>(facts.at(0));
    fitted.floored = static_cast<std::int64_t>(facts.at(1));
    fitted.imaginary = static_cast<std::int64_t>(facts.at(2));
    fitted.softest = facts.at(3);
    fitted.stiffest = facts.at(4);
  }
  if (!checkpoint.arrays.contains("nodes/constants")) return fitted;
  const physics::BaseFamily family = physics::base_family_from(checkpoint, 1);
  fitted.group = family.group;
  for (std::int64_t k = 0; k < family.constants.size(0); ++k) {
    fitted.constants.push_back(family.constants[k].clone());
    fitted.shift.push_back(family.shift[k].clone());
  }
  return fitted;
}

void add(Fitted& fitted, const physics::GaussianBase& base, const crystal::Crystal& crystal) {
  const physics::TranslationGroup& group = base.modes->group();
  if (fitted.count() == 0) {
    fitted.group = group;
  } else if (group.periods != fitted.group.periods || group.atoms != fitted.group.atoms) {
    throw NumericalError("the crystal has other translations there than at the other nodes; take ranges without states of higher symmetry");
  }
  const double softest = base.stiffness.min().item<double>(), stiffest = base.stiffness.max().item<double>();
  fitted.softest = fitted.count() == 0 ? softest : std::min(fitted.softest, softest);
  fitted.stiffest = std::max(fitted.stiffest, stiffest);
  fitted.constants.push_back(base.force_constants);
  fitted.shift.push_back(base.sites - physics::sites_tensor(crystal));
}

/// The self-consistent force constants of one node, going on from a checkpoint's iteration.
void fit_scha(const physics::EnergyModel& model, const crystal::Crystal& crystal, const schema::Value& arguments, double beta,
              const plan::Key& stream_key, std::optional<physics::SchaState>& state, Fitted& fitted,
              const std::function<void()>& iterated) {
  const physics::Scha iteration(model, crystal, beta, scha_options(arguments, model.particles()), tensor::RandomStream(stream_key, "scha"));
  if (!state) state = iteration.start();
  if (state->iteration == 0) {
    const physics::ForceConstants at_rest{physics::symmetry_of(crystal).translations, state->stiffness};
    fitted.imaginary = std::max(fitted.imaginary, physics::soft_modes(physics::spectrum_of(at_rest)).count);
  }
  while (!iteration.is_finished(*state)) {
    iteration.step(*state);
    iterated();
  }
  const Tensor sites = physics::sites_tensor(crystal) + state->shift;
  const physics::TranslationGroup group = physics::symmetry_of(crystal).translations;
  const physics::StiffenedBase found = physics::stiffened_base({group, state->stiffness / beta}, sites, crystal.cell, beta);
  fitted.floored = std::max(fitted.floored, found.floored);
  fitted.iterations += state->iteration;
  add(fitted, found.base, crystal);
}

artifacts::Artifact result_of(const Fitted& fitted, const physics::CallCount& calls) {
  artifacts::Artifact result;
  if (fitted.count() > 0) add_to(result, fitted);
  const auto count = [&](const char* name, std::int64_t number, const char* words) {
    result.results.push_back({name, static_cast<double>(number), {}, "", {}, words});
  };
  count("nodes", fitted.count(), "states at which the base is fitted, polynomials between");
  result.results.push_back({"lowest_mode", fitted.softest, {}, "1/angstrom^2", {}, "beta times a force constant, softest of all nodes"});
  result.results.push_back({"highest_mode", fitted.stiffest, {}, "1/angstrom^2", {}, "beta times a force constant, stiffest of all nodes"});
  count("imaginary_modes", fitted.imaginary, "of the static lattice, at the node with the most");
  count("floored_modes", fitted.floored, "made stiffer, at the node with the most");
  count("iterations", fitted.iterations, "of all nodes");
  result.cost = cost_of(calls);
  return result;
}

}  // namespace

bool is_conditional(const schema::Value& arguments) {
  return arguments.has("system") && arguments.has("ensemble") && !Conditions(arguments.at("system"), arguments.at("ensemble")).empty();
}

artifacts::Artifact conditional_base(engine::TaskContext& context) {
  const schema::Value& arguments = context.arguments();
  const Conditions conditions(arguments.at("system"), arguments.at("ensemble"));
  const std::string& kind = arguments.at("kind").as_string();
  const auto grid = kind == "einstein_crystal" ? std::vector<std::vector<double>>{}
                                               : physics::node_grid(std::ssize(conditions.axes()), arguments.int_or("nodes", kNodes));
  Fitted fitted;
  std::optional<physics::SchaState> iterating;
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    fitted = fitted_from(*checkpoint);
    if (checkpoint->arrays.contains("scha/progress")) iterating = physics::scha_state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  }
  while (fitted.count() < std::ssize(grid)) {
    const std::int64_t node = fitted.count();
    const StateValues values = conditions.values(grid[static_cast<std::size_t>(node)]);
    const schema::Value system = conditions.system(values);
    const crystal::Crystal crystal = physics::make_crystal(system);
    const auto model = physics::make_energy_model(system);
    const double beta = physics::inverse_temperature(conditions.ensemble(values));
    const auto state = [&] {
      artifacts::Artifact artifact;
      add_to(artifact, fitted);
      if (iterating) physics::add_to(artifact, *iterating);
      artifact.cost = cost_of(before + model->calls());
      return artifact;
    };
    context.report({fmt::format("node {} of {}", node + 1, grid.size()), node, std::ssize(grid), {}});
    try {
      if (kind == "scha") {
        fit_scha(*model, crystal, arguments, beta, context.spec().stream_key, iterating, fitted, [&] { context.step_done(state); });
      } else {
        add(fitted, physics::phonon_base(*model, crystal, beta, arguments.bool_or("relax_sites", true)), crystal);
      }
    } catch (const NumericalError& error) {
      throw NumericalError(fmt::format("the base fails at a node of its ranges, {}: {}; take narrower ranges that leave this state out{}",
                                       conditions.in_words(values), error.what(), kind == "phonon" ? ", or kind = scha" : ""));
    }
    iterating.reset();
    before = before + model->calls();
    context.step_done([&] {
      artifacts::Artifact artifact;
      add_to(artifact, fitted);
      artifact.cost = cost_of(before);
      return artifact;
    });
  }
  return result_of(fitted, before);
}

ConditionalBase::ConditionalBase(const plan::TaskSpec& base_spec, const artifacts::Artifact& base)
    : name_(base_spec.name),
      kind_(base_spec.arguments.at("kind").as_string()),
      width_(base_spec.arguments.number_or("width", 0.0)),
      conditions_(base_spec.arguments.at("system"), base_spec.arguments.at("ensemble")) {
  if (kind_ != "einstein_crystal") family_ = physics::base_family_from(base, std::ssize(conditions_.axes()));
}

Ground ConditionalBase::at(const StateValues& values) const {
  conditions_.expect_inside(values, name_);
  const schema::Value system = conditions_.system(values), ensemble = conditions_.ensemble(values);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const Tensor sites = physics::sites_tensor(crystal);
  const double beta = physics::inverse_temperature(ensemble);
  if (kind_ == "einstein_crystal") {
    return make_ground(system, ensemble, physics::einstein_base(physics::translations_of(crystal.sites, crystal.cell), sites, crystal.cell, 0.0, beta, width_));
  }
  const physics::FamilyMember member = physics::interpolated(family_, conditions_.coordinates(values));
  if (kind_ == "scha") return make_ground(system, ensemble, physics::stiffened_base(member.constants, sites + member.shift, crystal.cell, beta).base);
  const physics::Spectrum spectrum = physics::spectrum_of({member.constants.group, beta * member.constants.blocks});
  if (physics::soft_modes(spectrum).count > 0) {
    throw NumericalError(fmt::format("the base {} has imaginary modes at {}; write kind = scha, or take narrower ranges", name_, conditions_.in_words(values)));
  }
  return make_ground(system, ensemble,
                     physics::make_gaussian_base(spectrum, member.constants.blocks, sites + member.shift, crystal.cell, 0.0, beta));
}

}  // namespace bgw::tasks
