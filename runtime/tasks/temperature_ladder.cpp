#include "runtime/tasks/temperature_ladder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/units/unit_table.h"
#include "runtime/estimators/anchored.h"
#include "runtime/estimators/drift.h"
#include "runtime/estimators/joint_mbar.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/temperature_ladder.h"
#include "runtime/tasks/anchors.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/thermodynamic_state.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

constexpr double kCreep = 3.0;  // standard errors between the halves of the chains

/// What a ladder is made of, from the arguments of the task.
struct Ladder {
  Ground ground;                     // of the base, at the temperature of the base
  std::vector<double> temperatures;  // [K], K, rising
  std::int64_t own = 0;              // the rung of the ensemble
  bool stress = false;

  std::int64_t rungs() const { return std::ssize(temperatures); }
  double beta(std::int64_t rung) const { return 1.0 / (units::kBoltzmann * temperatures[static_cast<std::size_t>(rung)]); }
  /// Numbers that are averaged in every state: U / N and, with stress, the virials along the axes.
  std::int64_t observables() const { return stress ? 4 : 1; }
};

/// "600 K", or "0.6 lj" where the potential has no scales.
std::string shown(const Ladder& ladder, double temperature) {
  const schema::Value& potential = ladder.ground.system.at("potential");
  const bool reduced = potential.string_or("style", "") == "lennard_jones" && potential.at("epsilon").as_double() == 1.0 && potential.at("sigma").as_double() == 1.0;
  return reduced ? fmt::format("{:.5g} lj", units::kBoltzmann * temperature) : fmt::format("{:.5g} K", temperature);
}

std::int64_t rung_at(const Ladder& ladder, double temperature, const std::string& whose) {
  for (std::int64_t k = 0; k < ladder.rungs(); ++k) {
    const double rung = ladder.temperatures[static_cast<std::size_t>(k)];
    if (std::abs(rung - temperature) <= 1e-9 * rung) return k;
  }
  throw InputError(fmt::format("the ladder has no rung at {}, the temperature of {}", shown(ladder, temperature), whose));
}

Ladder make_ladder(engine::TaskContext& context) {
  const schema::Value& arguments = context.arguments();
  Ladder ladder;
  ladder.ground = make_ground(context.input_spec("path.base"), *context.input("path.base"));
  for (const schema::Value& t : arguments.at("path").at("temperatures").as_list()) ladder.temperatures.push_back(t.as_double());
  ladder.own = rung_at(ladder, arguments.at("ensemble").at("temperature").as_double(), "the ensemble");
  ladder.stress = arguments.bool_or("stress", false);
  return ladder;
}

sampling::LadderOptions options_of(const Ladder& ladder, const schema::Value& arguments) {
  sampling::LadderOptions options;
  for (std::int64_t k = 0; k < ladder.rungs(); ++k) {
    options.scales.push_back(ladder.beta(k) / ladder.ground.base.beta);
    options.names.push_back(shown(ladder, ladder.temperatures[static_cast<std::size_t>(k)]));
  }
  options.chains = arguments.at("sampler").at("chains").as_int();
  options.steps = arguments.at("sampler").at("steps").as_int();
  options.exchange = arguments.at("path").at("call").as_string() == "replica_exchange";
  options.kept = ladder.own;
  options.basin.emplace(ladder.ground.base.sites, ladder.ground.base.cell);
  if (ladder.stress) {
    options.observables = 3;
    options.observe = [&ground = ladder.ground](const Tensor& displacements) { return axial_virials(ground, displacements); };
  }
  return options;
}

engine::Progress progress_of(const sampling::LadderState& state, const sampling::LadderOptions& options) {
  engine::Progress progress;
  progress.phase = fmt::format("rounds of {} temperatures", options.scales.size());
  progress.step = state.round;
  progress.steps = options.steps / 4 + options.steps;
  progress.numbers = {{"acceptance", state.chains[static_cast<std::size_t>(options.kept)].acceptance()}};
  if (options.exchange && state.recorded > 1) progress.numbers["exchange"] = state.exchange_rates().min().item<double>();
  return progress;
}

/// U / N of every sample in eV, and its virials; rung after rung, [K C S, k].
Tensor observables_of(const Ladder& ladder, const sampling::LadderState& state) {
  const Ground& ground = ladder.ground;
  const Tensor energy = (state.energy.reshape({-1, 1}) / ground.base.beta + ground.base.static_energy) / static_cast<double>(ground.particles());
  return ladder.stress ? at::cat({energy, state.observed.reshape({-1, 3})}, 1) : energy;
}

/// beta F / N of all rungs up to a constant, and the means after them, with their covariance.
estimators::Anchored tied(const Ladder& ladder, const estimators::JointMbarResult& mbar, const std::vector<NamedAnchor>& anchors) {
  const double atoms = static_cast<double>(ladder.ground.particles());
  const std::int64_t rungs = ladder.rungs();
  Tensor values = at::cat({mbar.free_energies / atoms, mbar.means.reshape({-1})});
  for (std::int64_t k = 0; k < rungs; ++k) values[k].add_(ladder.beta(k) * ladder.ground.base.static_energy / atoms);
  Tensor scale = at::ones_like(values);
  scale.slice(0, 0, rungs).div_(atoms);
  return estimators::anchored(values, mbar.covariance * scale.unsqueeze(0) * scale.unsqueeze(1), rungs, plain(anchors));
}

artifacts::Result result_of(std::string name, double value, double variance, std::string unit, std::int64_t n, std::string words) {
  artifacts::Result result{std::move(name), value, {}, std::move(unit), n, std::move(words)};
  if (std::isfinite(variance)) result.sigma = std::sqrt(std::max(0.0, variance));
  return result;
}

/// Temperature (K), volume of an atom, c/a and b/a of the lattice's cell, [K, 4]; empty for a box that has other than right angles.
Tensor table_of_states(const Ladder& ladder) {
  const crystal::Cell& cell = ladder.ground.base.cell;
  const schema::Value* repeats = ladder.ground.system.at("lattice").find("repeats");
  if (!cell.is_orthorhombic()) return {};
  std::array<double, 3> edges{};
  for (std::size_t d = 0; d < 3; ++d) {
    edges[d] = cell.vectors[d][d] / (repeats == nullptr || repeats->is_none() ? 1.0 : static_cast<double>(repeats->as_list()[d].as_int()));
  }
  Tensor table = at::empty({ladder.rungs(), 4}, at::kDouble);
  auto t = table.accessor<double, 2>();
  for (std::int64_t k = 0; k < ladder.rungs(); ++k) {
    t[k][0] = ladder.temperatures[static_cast<std::size_t>(k)];
    t[k][1] = cell.volume() / static_cast<double>(ladder.ground.particles());
    t[k][2] = edges[2] / edges[0];
    t[k][3] = edges[1] / edges[0];
  }
  return table;
}

/// All states for a fit, and the pressures of the ensemble's own.
void add_states(artifacts::Artifact& artifact, const Ladder& ladder, const estimators::Anchored& tie, std::int64_t samples) {
  const double motion = static_cast<double>(ladder.ground.particles()) / ladder.ground.base.cell.volume();
  std::vector<double> betas, motions;
  for (std::int64_t k = 0; k < ladder.rungs(); ++k) {
    betas.push_back(ladder.beta(k));
    motions.push_back(motion / ladder.beta(k));
  }
  const auto [numbers, covariance] = state_numbers(tie, betas, motions);
  const Tensor table = table_of_states(ladder);
  if (table.defined()) {
    artifact.arrays["states/table"] = tensor::to_array(table);
    artifact.arrays["states/numbers"] = tensor::to_array(numbers);
    artifact.arrays["states/covariance"] = tensor::to_array(covariance);
  }
  const std::int64_t first = 5 * ladder.own;
  const Tensor own = covariance.slice(0, first, first + 5).slice(1, first, first + 5).contiguous();
  artifact.arrays["state/numbers"] = tensor::to_array(numbers.slice(0, first, first + 5).contiguous());
  artifact.arrays["state/covariance"] = tensor::to_array(own);
  add_pressures(artifact, numbers.slice(0, first + 2, first + 5), own.slice(0, 2, 5).slice(1, 2, 5), samples);
}

void add_free_energies(artifacts::Artifact& artifact, const Ladder& ladder, const estimators::Anchored& tie, std::int64_t samples) {
  const std::int64_t rungs = ladder.rungs(), own = ladder.own;
  const Tensor variances = tie.covariance.diagonal();
  const double variance = variances[own].item<double>();
  std::optional<double> sigma;
  if (std::isfinite(variance)) sigma = std::sqrt(variance);
  add_free_energy(artifact, ladder.ground, ladder.beta(own), tie.values[own].item<double>(), sigma, samples);
  const std::int64_t energy = rungs + ladder.observables() * own;
  artifact.results.push_back(result_of("mean_energy", tie.values[energy].item<double>(), variances[energy].item<double>(), "eV", samples, "per atom"));
  artifact.arrays["temperatures"] = {{rungs}, ladder.temperatures, {}, "K"};
  artifact.arrays["free_energies"] = tensor::to_array(tie.values.slice(0, 0, rungs).contiguous(), "kT");
  artifact.arrays["free_energy_errors"] = tensor::to_array(variances.slice(0, 0, rungs).clamp_min(0.0).sqrt(), "kT");
  artifact.arrays["curves/over_temperature/x"] = artifact.arrays["temperatures"];
  artifact.arrays["curves/over_temperature/y"] = artifact.arrays["free_energies"];
  artifact.attributes["x_name"] = "T";
  artifact.attributes["y_name"] = "beta F / N, or rate of exchange";
}

void add_exchange(artifacts::Artifact& artifact, const Ladder& ladder, const sampling::LadderState& state) {
  const Tensor rates = state.exchange_rates();
  const std::int64_t worst = rates.argmin().item<std::int64_t>();
  const auto t = [&](std::int64_t k) { return shown(ladder, ladder.temperatures[static_cast<std::size_t>(k)]); };
  artifact.results.push_back({"exchange", rates[worst].item<double>(), {}, "", state.exchanges[0][worst].item<std::int64_t>(),
                              fmt::format("lowest rate of neighbours, {} and {}", t(worst), t(worst + 1))});
  const std::int64_t trips = state.round_trips.sum().item<std::int64_t>();
  std::string words = "of configurations from the cold end to the hot one and back, in all chains";
  if (trips < state.round_trips.numel()) words += "; fewer than chains: what is slow at the cold end has hardly been renewed, and errors may be too small";
  artifact.results.push_back({"round_trips", static_cast<double>(trips), {}, "", {}, std::move(words)});
  artifact.arrays["exchange_rates"] = tensor::to_array(rates);
  std::vector<double> colder(ladder.temperatures.begin(), ladder.temperatures.end() - 1);
  artifact.arrays["curves/exchange_rates/x"] = {{std::ssize(colder)}, std::move(colder), {}, "K"};
  artifact.arrays["curves/exchange_rates/y"] = artifact.arrays["exchange_rates"];
}

/// How well the chains moved.
void add_chains(artifacts::Artifact& artifact, const Ladder& ladder, const sampling::LadderState& state) {
  const std::int64_t own = ladder.own;
  const Tensor series = state.energy[own];
  const double samples = static_cast<double>(series.numel());
  const sampling::HmcState& chains = state.chains[static_cast<std::size_t>(own)];
  artifact.results.push_back({"acceptance", chains.acceptance(), {}, "", {}, "of the moves at the temperature of the ensemble"});
  artifact.results.push_back({"angle", chains.angle, {}, "", {}, "radians of a step there"});
  if (series.size(1) > 1) {
    const double moves = estimators::statistical_inefficiency(series);
    artifact.results.push_back({"inefficiency", moves, {}, "", {}, "moves of a chain for one independent energy there"});
    artifact.results.push_back({"independent", samples / moves, {}, "", series.numel(), "configurations there that are worth independent ones, by their energies"});
  }
  if (const auto creep = estimators::drift(series)) {
    std::string words = "standard errors by which the second half of the energies there lies above the first";
    if (std::abs(*creep) > kCreep) words += "; THEY CREEP: give the chains more steps";
    artifact.results.push_back({"drift", *creep, {}, "", series.numel(), std::move(words)});
  }
  artifact.results.push_back({"lindemann", std::sqrt(state.lindemann_squares[own].item<double>() / samples), {}, "", {},
                              "rms displacement from the sites over the distance of nearest neighbours, there"});
  artifact.results.push_back({"largest_displacement", state.furthest.max().item<double>(), {}, "angstrom", {}, "of an atom from its site, at any temperature"});
  artifact.results.push_back({"left_basin", static_cast<double>(state.outside.sum().item<std::int64_t>()), {}, "", state.energy.numel(),
                              "configurations outside of the basin of the crystal, at all temperatures; they count"});
  std::vector<double> acceptance;
  for (const sampling::HmcState& rung : state.chains) acceptance.push_back(rung.acceptance());
  artifact.arrays["acceptances"] = {{ladder.rungs()}, std::move(acceptance), {}, ""};
}

/// Configurations at the temperature of the ensemble, chain after chain.
void add_samples(artifacts::Artifact& artifact, const Ladder& ladder, const sampling::LadderState& state, const sampling::LadderOptions& options) {
  const Ground& ground = ladder.ground;
  const Tensor energy = state.energy[ladder.own].reshape({-1});
  const Tensor y = state.positions.transpose(0, 1).reshape({energy.numel(), -1});
  const double root = std::sqrt(options.scales[static_cast<std::size_t>(ladder.own)]);
  artifact.arrays["displacements"] = tensor::to_array(ground.target->displacements(y / root), "angstrom");
  artifact.arrays["energy"] = tensor::to_array(energy / ground.base.beta + ground.base.static_energy, "eV");
  artifact.arrays["chain"] = tensor::to_array(sampling::chain_of_slices(state));
  add_crystal(artifact, ground);
}

void add_mbar(artifacts::Artifact& artifact, const estimators::JointMbarResult& mbar) {
  artifact.results.push_back({"overlap", mbar.least_overlap, {}, "", {}, "smallest overlap of neighbouring states"});
  artifact.results.push_back({"eigenvalue_gap", mbar.eigenvalue_gap, {}, "", {}, "1 - second eigenvalue of the overlap matrix"});
  artifact.results.push_back({"residual", mbar.residual, {}, "", {}, "of the MBAR equations"});
  artifact.arrays["overlap_matrix"] = tensor::to_array(mbar.overlap_matrix);
}

}  // namespace

bool is_temperature_ladder(const schema::Value& path) {
  const std::string& name = path.at("call").as_string();
  return name == "replica_exchange" || name == "temperature_ladder";
}

artifacts::Artifact temperature_ladder(engine::TaskContext& context) {
  const Ladder ladder = make_ladder(context);
  const std::vector<NamedAnchor> anchors = anchors_of(context, "ladder", [&](const plan::TaskSpec& spec) {
    return rung_at(ladder, spec.arguments.at("ensemble").at("temperature").as_double(), fmt::format("anchor `{}`", spec.name));
  });
  const sampling::LadderOptions options = options_of(ladder, context.arguments());

  sampling::LadderState state = sampling::start_ladder(*ladder.ground.target, options);
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = sampling::ladder_state_from(named_tensors_of(*checkpoint));
    before = calls_of(checkpoint->cost);
  }
  const auto calls = [&] { return before + ladder.ground.model->calls(); };
  const auto checkpoint = [&] { return checkpoint_from(sampling::to_named_tensors(state), calls()); };
  sampling::run_ladder(*ladder.ground.target, options, context.spec().stream_key, state, [&](const sampling::LadderState& now) {
    context.report(progress_of(now, options));
    context.step_done(checkpoint);
  });

  const Listening listening = stop_in_interludes(context, checkpoint);
  estimators::JointMbarOptions mbar_options;
  mbar_options.names = options.names;
  const estimators::JointMbarResult mbar = estimators::joint_mbar(sampling::reduced_energies(state, options), observables_of(ladder, state),
                                                                  sampling::chain_of_slices(state), context.spec().stream_key, mbar_options);
  const estimators::Anchored tie = tied(ladder, mbar, anchors);
  const std::int64_t samples = state.energy[ladder.own].numel();

  artifacts::Artifact artifact;
  add_free_energies(artifact, ladder, tie, samples);
  add_consistency(artifact, "ladder", tie, anchors, [&](std::int64_t k) { return shown(ladder, ladder.temperatures[static_cast<std::size_t>(k)]); });
  if (ladder.stress) add_states(artifact, ladder, tie, samples);
  if (options.exchange) add_exchange(artifact, ladder, state);
  add_mbar(artifact, mbar);
  add_chains(artifact, ladder, state);
  add_samples(artifact, ladder, state, options);
  artifact.cost = cost_of(calls());
  return artifact;
}

}  // namespace bgw::tasks
