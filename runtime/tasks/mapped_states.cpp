#include "runtime/tasks/mapped_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/estimators/anchored.h"
#include "runtime/estimators/drift.h"
#include "runtime/estimators/joint_bar.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/mapped_states.h"
#include "runtime/tasks/anchors.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/conditional_base.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/grid_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/thermodynamic_state.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

constexpr double kDisagreement = 4.0;  // standard errors, from which on it is said loudly
constexpr double kCreep = 3.0;         // standard errors between the halves of the chains

/// What the task is made of, from its arguments.
struct Grid {
  Conditions conditions;
  std::vector<StateValues> states;
  std::vector<Ground> grounds;
  sampling::MappedCrystals crystals;
  std::vector<std::int64_t> axes;     // of the pairs, along which they are neighbours
  std::vector<std::string> remedies;  // of the pairs, where they do not overlap
  bool stress = false;

  std::int64_t count() const { return std::ssize(states); }
  const Ground& ground(std::int64_t k) const { return grounds[static_cast<std::size_t>(k)]; }
  double beta(std::int64_t k) const { return ground(k).base.beta; }
  double atoms() const { return static_cast<double>(grounds.front().particles()); }
  const std::string& name(std::int64_t k) const { return crystals.names[static_cast<std::size_t>(k)]; }
  /// Numbers that are averaged in every state: U / N and, with stress, the virials along the axes.
  std::int64_t observables() const { return stress ? 4 : 1; }
  /// Pairs connect all states; those of a line are a tree.
  bool has_loops() const { return std::ssize(crystals.pairs) >= count(); }
};

/// Neighbours along every coordinate; the last one runs fastest.
void add_pairs(Grid& grid) {
  const auto differs = [&](std::size_t a, std::size_t b, std::size_t axis) { return grid.states[a][axis] != grid.states[b][axis]; };
  std::size_t stride = grid.states.size();
  for (std::size_t axis = 0; axis < grid.conditions.axes().size(); ++axis) {
    std::size_t run = 1;  // rows with one value of this axis, and of all before
    while (run < stride && !differs(0, run, axis)) ++run;
    const std::size_t values = stride / run;
    for (std::size_t k = 0; k + run < grid.states.size(); ++k) {
      if (k / run % values + 1 == values) continue;
      grid.crystals.pairs.push_back({static_cast<std::int64_t>(k), static_cast<std::int64_t>(k + run)});
      grid.axes.push_back(static_cast<std::int64_t>(axis));
      grid.remedies.push_back(fmt::format("list another `{}` between them", grid.conditions.axes()[axis].name));
    }
    stride = run;
  }
}

Grid make_grid(engine::TaskContext& context) {
  const schema::Value& arguments = context.arguments();
  const plan::TaskSpec base_spec = context.input_spec("path.base");
  if (!is_conditional(base_spec.arguments)) throw InputError(fmt::format("{} is of one state, a grid needs a base over ranges; leave numbers open in its system or ensemble", base_spec.name));
  const ConditionalBase base(base_spec, *context.input("path.base"));
  Grid grid{base.conditions(), grid_states(arguments, base.conditions(), "the reference"), {}, {}, {}, {}, arguments.bool_or("stress", false)};
  for (const StateValues& values : grid.states) {
    grid.grounds.push_back(base.at(values));
    grid.crystals.names.push_back(grid.conditions.in_words(values));
  }
  for (const Ground& ground : grid.grounds) {
    grid.crystals.targets.push_back(ground.target.get());
    grid.crystals.basins.emplace_back(ground.base.sites, ground.base.cell);
  }
  add_pairs(grid);
  return grid;
}

sampling::MappedOptions options_of(const Grid& grid, const schema::Value& arguments) {
  sampling::MappedOptions options;
  options.chains = arguments.at("sampler").at("chains").as_int();
  options.steps = arguments.at("sampler").at("steps").as_int();
  if (!grid.stress) return options;
  options.observables = 3;
  options.observe = [&grid](std::int64_t k, const Tensor& displacements) { return axial_virials(grid.ground(k), displacements); };
  return options;
}

engine::Progress progress_of(const sampling::MappedState& state, const sampling::MappedOptions& options) {
  const std::int64_t states = state.work.size(0), moves = options.steps + options.steps / 4;
  engine::Progress progress;
  progress.phase = fmt::format("state {} of {}", std::min(state.state + 1, states), states);
  progress.step = state.state * moves + state.chains.move;
  progress.steps = states * moves;
  progress.numbers = {{"acceptance", state.chains.acceptance()}};
  return progress;
}

// ---- anchors -------------------------------------------------------------------------------------------------------------------

std::int64_t state_at(const Grid& grid, const StateValues& values, const std::string& whose) {
  constexpr double kRounding = 1e-9;
  for (std::int64_t k = 0; k < grid.count(); ++k) {
    const StateValues& here = grid.states[static_cast<std::size_t>(k)];
    const auto same = [](double a, double b) { return std::abs(a - b) <= kRounding * std::abs(b); };
    if (std::equal(here.begin(), here.end(), values.begin(), values.end(), same)) return k;
  }
  throw InputError(fmt::format("anchor `{}` is at {}, which is no state of the grid; list its values, or take a reference at a state that is listed", whose, grid.conditions.in_words(values)));
}

// ---- estimates -----------------------------------------------------------------------------------------------------------------

/// U / N of the counted samples of a state, eV, and their virials. [n, 1 or 4]
Tensor observables_of(const Grid& grid, const sampling::MappedState& state, std::int64_t k) {
  const Tensor counted = sampling::counted_samples(state, k);
  const Tensor energy = ((state.energy[k] / grid.beta(k) + grid.ground(k).base.static_energy) / grid.atoms()).masked_select(counted).unsqueeze(1);
  if (!grid.stress) return energy;
  return at::cat({energy, state.observed[k].masked_select(counted.unsqueeze(2)).view({-1, 3})}, 1);
}

estimators::JointBarResult compared(const Grid& grid, const sampling::MappedState& state) {
  std::vector<estimators::StateSamples> samples;
  std::vector<Tensor> counted;
  for (std::int64_t k = 0; k < grid.count(); ++k) {
    samples.push_back({sampling::chain_of_samples(state, k), observables_of(grid, state, k)});
    counted.push_back(sampling::counted_samples(state, k));
  }
  std::vector<estimators::StatePair> pairs;
  for (std::size_t e = 0; e < grid.crystals.pairs.size(); ++e) {
    const auto [from, to] = grid.crystals.pairs[e];
    const auto row = static_cast<std::int64_t>(e);
    pairs.push_back({from, to, (state.forward[row] - state.work[from]).masked_select(counted[static_cast<std::size_t>(from)]),
                     (state.reverse[row] - state.work[to]).masked_select(counted[static_cast<std::size_t>(to)]), grid.axes[e]});
  }
  estimators::JointBarOptions options;
  options.names = grid.crystals.names;
  options.remedies = grid.remedies;
  return estimators::joint_bar(samples, pairs, options);
}

/// Anchors that disagree by more than they and the grid allow have their own errors widened first: that they do says nothing of the
/// differences of neighbours, which are checked by their loops, and nothing of energies and pressures. Where no pair lies in a loop
/// nothing checks the differences, and all errors are widened, as in a ladder. They are as well where the grid has so much of the errors
/// between anchors that wider anchors leave chi^2 above its degrees: `anchored` widens everything by the rest.
estimators::Anchored tied(const Tensor& values, const Tensor& covariance, std::int64_t states, bool loops, const std::vector<NamedAnchor>& anchors) {
  estimators::Anchored result = estimators::anchored(values, covariance, states, plain(anchors));
  if (!loops || anchors.size() < 2 || result.chi_square <= static_cast<double>(anchors.size() - 1)) return result;
  const double widening = std::sqrt(result.chi_square / static_cast<double>(anchors.size() - 1));
  std::vector<estimators::Anchor> wider = plain(anchors);
  for (estimators::Anchor& anchor : wider) anchor.value.sigma *= widening;
  std::vector<estimators::Disagreement> disagreements = std::move(result.disagreements);  // by the errors that were claimed
  result = estimators::anchored(values, covariance, states, wider);
  result.disagreements = std::move(disagreements);
  return result;
}

/// beta F / N of all states up to a constant, and the means after them, tied to the anchors.
estimators::Anchored tied(const Grid& grid, const estimators::JointBarResult& found, const std::vector<NamedAnchor>& anchors) {
  if (!found.covariance.isfinite().all().item<bool>()) {
    throw NumericalError("the errors of the grid are not known: the samples of a state are one block; give it more chains, or more steps");
  }
  const std::int64_t states = grid.count();
  Tensor values = at::cat({at::zeros({states}, at::kDouble), found.means.reshape({-1})});
  for (std::int64_t k = 0; k < states; ++k) values[k] = grid.ground(k).free_energy(-found.free_energies[k].item<double>());
  Tensor scale = at::ones_like(values);
  scale.slice(0, 0, states).div_(grid.atoms());
  return tied(values, found.covariance * scale.unsqueeze(0) * scale.unsqueeze(1), states, grid.has_loops(), anchors);
}

StateNumbers numbers_of(const Grid& grid, const estimators::Anchored& tie) {
  std::vector<double> betas, motions;
  for (const Ground& ground : grid.grounds) {
    betas.push_back(ground.base.beta);
    motions.push_back(grid.atoms() / (ground.base.cell.volume() * ground.base.beta));
  }
  return state_numbers(tie, betas, motions);
}

// ---- results -------------------------------------------------------------------------------------------------------------------

/// Series of the chains that stayed, [chains, steps].
Tensor energies_of_stayed(const sampling::MappedState& state, std::int64_t k) {
  return state.energy[k].index_select(0, (state.counted[k] == state.energy.size(2)).nonzero().view({-1}));
}

void add_chains(artifacts::Artifact& one, const sampling::MappedState& state, std::int64_t k) {
  const Tensor series = energies_of_stayed(state, k);
  const std::int64_t samples = state.counted[k].sum().item<std::int64_t>();
  const auto plain = [&](const char* name, double value, const char* unit, const char* words) { one.results.push_back({name, value, {}, unit, samples, words}); };
  plain("acceptance", state.acceptance[k].item<double>(), "", "of the moves");
  plain("angle", state.angle[k].item<double>(), "", "radians of a step");
  if (series.size(0) > 0 && series.size(1) > 1) plain("inefficiency", estimators::statistical_inefficiency(series), "", "moves of a chain for one independent energy");
  const auto creep = series.size(0) > 0 ? estimators::drift(series) : std::nullopt;
  if (creep) plain("drift", *creep, "", "standard errors by which the second half of the energies lies above the first");
  plain("lindemann", std::sqrt(state.lindemann_squares[k].item<double>() / static_cast<double>(samples)), "", "rms displacement from the sites over the distance of nearest neighbours");
  plain("largest_displacement", state.furthest[k].item<double>(), "angstrom", "of an atom from its site, in any sample");
  plain("left_basin", static_cast<double>((state.counted[k] < state.work.size(2)).sum().item<std::int64_t>()), "", "chains that left the basin of the crystal, not counted from there on");
}

GridResults results_of_states(const Grid& grid, const sampling::MappedState& state, const estimators::Anchored& tie, const StateNumbers& numbers) {
  GridResults results;
  const Tensor variance = tie.covariance.diagonal();
  for (std::int64_t k = 0; k < grid.count(); ++k) {
    artifacts::Artifact one;
    const std::int64_t samples = state.counted[k].sum().item<std::int64_t>(), energy = grid.count() + grid.observables() * k;
    add_free_energy(one, grid.ground(k), grid.beta(k), tie.values[k].item<double>(), std::sqrt(std::max(0.0, variance[k].item<double>())), samples);
    one.results.push_back({"mean_energy", tie.values[energy].item<double>(), std::sqrt(std::max(0.0, variance[energy].item<double>())), "eV", samples, "per atom"});
    if (grid.stress) {
      const std::int64_t first = 5 * k + 2;
      add_pressures(one, numbers.values.slice(0, first, first + 3).contiguous(), numbers.covariance.slice(0, first, first + 3).slice(1, first, first + 3).contiguous(), samples);
    }
    add_chains(one, state, k);
    results.add(one.results);
  }
  return results;
}

/// Standard errors of the differences of beta F / N of neighbours, [E].
Tensor difference_errors(const Grid& grid, const estimators::Anchored& tie) {
  const auto c = tie.covariance.accessor<double, 2>();
  std::vector<double> errors;
  for (const auto& [from, to] : grid.crystals.pairs) errors.push_back(std::sqrt(std::max(0.0, c[from][from] + c[to][to] - 2.0 * c[from][to])));
  return at::tensor(at::ArrayRef<double>(errors), at::kDouble);
}

/// The state whose energies differ most between the halves of its chains: words of one state are not kept for each.
void add_largest_drift(artifacts::Artifact& artifact, const Grid& grid, const GridResults& results) {
  if (!results.has("drift")) return;
  const std::vector<double>& drifts = results.values("drift");
  const auto less = [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : std::abs(a) < std::abs(b); };
  const auto worst = std::max_element(drifts.begin(), drifts.end(), less);
  const double largest = std::abs(*worst);
  std::string words = fmt::format("standard errors between the halves of the energies, {}, where it is most", grid.name(worst - drifts.begin()));
  // Of many numbers the largest is larger than one by itself.
  if (largest > std::sqrt(kCreep * kCreep + 2.0 * std::log(static_cast<double>(grid.count())))) words += "; THEY CREEP: give the chains more steps";
  artifact.results.push_back({"largest_drift", largest, {}, "", {}, std::move(words)});
}

void add_pair_results(artifacts::Artifact& artifact, const Grid& grid, const estimators::JointBarResult& found, const estimators::Anchored& tie) {
  const auto named = [&](std::int64_t pair) {
    const auto [from, to] = grid.crystals.pairs[static_cast<std::size_t>(pair)];
    return fmt::format("{} and {}", grid.name(from), grid.name(to));
  };
  const std::int64_t least = found.overlaps.argmin().item<std::int64_t>(), open = found.closures.abs().argmax().item<std::int64_t>();
  artifact.results.push_back({"overlap", found.overlaps[least].item<double>(), {}, "", {}, fmt::format("smallest of neighbours, {}", named(least))});
  const double apart = found.closures[open].abs().item<double>();
  if (found.closures.ne(0.0).any().item<bool>()) {
    std::string words = fmt::format("standard errors between what {} have by themselves and by way of their neighbours, of the pair where it is most", named(open));
    if (apart > kDisagreement) words += "; LOOPS DO NOT CLOSE: some chains have not sampled the whole crystal, give them more steps";
    artifact.results.push_back({"closure", apart, {}, "", {}, std::move(words)});
  }
  const Tensor errors = difference_errors(grid, tie);
  artifact.results.push_back({"largest_difference_error", errors.max().item<double>(), {}, "kT", {}, fmt::format("standard error of the difference of beta F / N between neighbours, {}", named(errors.argmax().item<std::int64_t>()))});
  artifact.arrays["pair_errors"] = tensor::to_array(errors, "kT");
  Tensor pairs = at::empty({std::ssize(grid.crystals.pairs), 2}, at::kLong);
  auto p = pairs.accessor<std::int64_t, 2>();
  for (std::int64_t e = 0; e < pairs.size(0); ++e) {
    p[e][0] = grid.crystals.pairs[static_cast<std::size_t>(e)].from;
    p[e][1] = grid.crystals.pairs[static_cast<std::size_t>(e)].to;
  }
  artifact.arrays["pairs"] = tensor::to_array(pairs);
  artifact.arrays["pair_overlaps"] = tensor::to_array(found.overlaps);
  artifact.arrays["pair_closures"] = tensor::to_array(found.closures);
}

void add_whole(artifacts::Artifact& artifact, const Grid& grid, const estimators::Anchored& tie, const physics::CallCount& calls) {
  const Tensor covariance = tie.covariance.slice(0, 0, grid.count()).slice(1, 0, grid.count()).contiguous();
  artifact.cost = cost_of(calls);
  artifact.arrays["free_energies"] = tensor::to_array(tie.values.slice(0, 0, grid.count()).contiguous(), "kT");
  artifact.arrays["free_energy_covariance"] = tensor::to_array(covariance);
  artifact.results.push_back({"largest_error", std::sqrt(covariance.diagonal().max().item<double>()), {}, "kT", {}, "standard error of beta F / N, at the state where it is largest"});
  artifact.results.push_back({"calls_per_state", static_cast<double>(artifact.cost.energy_call_equivalents()) / static_cast<double>(grid.count()), {}, "", {}, "evaluations of the energy, without the anchors"});
  artifact.results.push_back({"states", static_cast<double>(grid.count()), {}, "", {}, "of the grid"});
}

/// All states for a fit.
void add_table(artifacts::Artifact& artifact, const Grid& grid, const StateNumbers& numbers) {
  artifacts::Array table{{grid.count(), 4}, {}, {}, ""};
  for (const Ground& ground : grid.grounds) {
    const std::vector<double> row = table_row(ground);
    table.doubles.insert(table.doubles.end(), row.begin(), row.end());
  }
  artifact.arrays["states/table"] = std::move(table);
  artifact.arrays["states/numbers"] = tensor::to_array(numbers.values);
  artifact.arrays["states/covariance"] = tensor::to_array(numbers.covariance);
}

/// Calls of all models since some count of them.
class Calls {
 public:
  Calls(const Grid& grid, const physics::CallCount& before) : grid_(grid), before_(before) {}
  physics::CallCount now() const {
    physics::CallCount sum = before_;
    for (const Ground& ground : grid_.grounds) sum = sum + ground.model->calls();
    return sum;
  }

 private:
  const Grid& grid_;
  physics::CallCount before_;
};

}  // namespace

artifacts::Artifact mapped_states(engine::TaskContext& context) {
  const Grid grid = make_grid(context);
  const std::vector<NamedAnchor> anchors = anchors_of(context, "grid", [&](const plan::TaskSpec& spec) {
    return state_at(grid, grid.conditions.values_in(spec.arguments.at("system"), spec.arguments.at("ensemble")), spec.name);
  });
  const sampling::MappedOptions options = options_of(grid, context.arguments());

  sampling::MappedState state = sampling::start_mapped(grid.crystals, options);
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = sampling::mapped_state_from(named_tensors_of(*checkpoint));
    before = calls_of(checkpoint->cost);
    const physics::CallCount again = Calls(grid, {}).now();  // of the grounds, which the checkpoint has counted
    before = {before.energy - again.energy, before.gradient - again.gradient, before.hessian - again.hessian};
  }
  const Calls calls(grid, before);
  const auto checkpoint = [&] { return checkpoint_from(sampling::to_named_tensors(state), calls.now()); };
  sampling::run_mapped(grid.crystals, options, context.spec().stream_key, state, [&](const sampling::MappedState& now) {
    context.report(progress_of(now, options));
    context.step_done(checkpoint);
  });

  const Listening listening = stop_in_interludes(context, checkpoint);
  const estimators::JointBarResult found = compared(grid, state);
  const estimators::Anchored tie = tied(grid, found, anchors);
  StateNumbers numbers;
  if (grid.stress) numbers = numbers_of(grid, tie);

  artifacts::Artifact artifact;
  const GridResults results = results_of_states(grid, state, tie, numbers);
  results.add_to(artifact);
  add_coordinates(artifact, grid.conditions, grid.states);
  add_pair_results(artifact, grid, found, tie);
  add_consistency(artifact, "grid", tie, anchors, [&](std::int64_t k) { return grid.name(k); });
  add_largest_drift(artifact, grid, results);
  add_whole(artifact, grid, tie, calls.now());
  if (grid.stress && has_right_angles(grid.ground(0).base.cell)) add_table(artifact, grid, numbers);
  add_crystal(artifact, grid.ground(grid.count() / 2));
  return artifact;
}

}  // namespace bgw::tasks
