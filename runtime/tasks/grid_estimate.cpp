#include "runtime/tasks/grid_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "runtime/crystal/lattice_value.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/reweighted.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/conditional_flow.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/make_flow.h"
#include "runtime/tasks/model.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/thermodynamic_state.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

using schema::Value;

constexpr std::int64_t kNumbers = 5;  // F / N, U / N and three pressures
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kPressureUnit = "eV/angstrom^3";

std::vector<double> numbers_in(const Value& one_or_list) {
  if (!one_or_list.is_list()) return {one_or_list.as_double()};
  std::vector<double> numbers;
  for (const Value& one : one_or_list.as_list()) numbers.push_back(one.as_double());
  return numbers;
}

/// All combinations of what the estimate lists, the last axis fastest.
std::vector<StateValues> states_of(const Value& arguments, const Conditions& conditions) {
  std::vector<StateValues> states{{}};
  for (const Conditions::Axis& axis : conditions.axes()) {
    if (!arguments.has(axis.name)) {
      throw InputError(fmt::format("the estimate does not say at which {} the model is asked, which was trained over a range; write `{} = …`, a value or a list", axis.name, axis.name));
    }
    std::vector<StateValues> finer;
    for (const StateValues& state : states) {
      for (const double value : numbers_in(arguments.at(axis.name))) {
        finer.push_back(state);
        finer.back().push_back(value);
      }
    }
    states = std::move(finer);
  }
  return states;
}

/// One result of all states.
struct Column {
  std::vector<double> value, sigma;  // not a number where a state has none
  std::string unit, convention;
};

/// What is known of the states so far.
struct Grid {
  std::map<std::string, Column> columns;
  std::vector<double> table;       // [K, 4]
  std::vector<double> numbers;     // [K, 5], with stress
  std::vector<double> covariance;  // [K, 5, 5], since draws of different states are independent
  std::int64_t count() const { return std::ssize(table) / 4; }

  void add(const std::vector<artifacts::Result>& results) {
    const auto before = static_cast<std::size_t>(count());
    for (const artifacts::Result& result : results) {
      Column& column = columns[result.name];
      column.value.resize(before, kMissing);
      column.sigma.resize(before, kMissing);
      column.value.push_back(result.value);
      column.sigma.push_back(result.sigma.value_or(kMissing));
      column.unit = result.unit;
      column.convention = result.convention;
    }
  }
  /// Results that a state lacks.
  void fill() {
    for (auto& [name, column] : columns) {
      column.value.resize(static_cast<std::size_t>(count()), kMissing);
      column.sigma.resize(static_cast<std::size_t>(count()), kMissing);
    }
  }
};

artifacts::Array array_of(std::vector<std::int64_t> shape, std::vector<double> numbers, std::string unit = "") {
  return {std::move(shape), std::move(numbers), {}, std::move(unit)};
}

void add_to(artifacts::Artifact& artifact, const Grid& grid) {
  if (grid.count() == 0) return;
  schema::Map conventions;
  for (const auto& [name, column] : grid.columns) {
    artifact.arrays["grid/" + name + "/value"] = array_of({grid.count()}, column.value, column.unit);
    artifact.arrays["grid/" + name + "/sigma"] = array_of({grid.count()}, column.sigma, column.unit);
    conventions[name] = column.convention;
  }
  artifact.attributes["conventions"] = std::move(conventions);
  artifact.arrays["states/table"] = array_of({grid.count(), 4}, grid.table);
  if (grid.numbers.empty()) return;
  artifact.arrays["states/numbers"] = array_of({kNumbers * grid.count()}, grid.numbers);
  artifact.arrays["states/blocks"] = array_of({grid.count(), kNumbers, kNumbers}, grid.covariance);
}

Grid grid_from(const artifacts::Artifact& checkpoint) {
  Grid grid;
  if (!checkpoint.arrays.contains("states/table")) return grid;
  grid.table = checkpoint.array("states/table").doubles;
  if (checkpoint.arrays.contains("states/numbers")) {
    grid.numbers = checkpoint.array("states/numbers").doubles;
    grid.covariance = checkpoint.array("states/blocks").doubles;
  }
  for (const auto& [name, convention] : checkpoint.attributes.at("conventions").as_map()) {
    const artifacts::Array& value = checkpoint.array("grid/" + name + "/value");
    grid.columns[name] = {value.doubles, checkpoint.array("grid/" + name + "/sigma").doubles, value.unit, convention.as_string()};
  }
  return grid;
}

/// The draws of the state that is at work.
struct Drawn {
  std::vector<Tensor> log_weight, observables;  // [b]; [b, 4], or U / N alone, [b, 1]
  std::int64_t count = 0;

  void add(const Tensor& weights, const Tensor& rows) {
    log_weight.push_back(weights);
    observables.push_back(rows);
    count += weights.size(0);
  }
};

std::vector<double> flat(const Tensor& tensor) {
  const Tensor dense = tensor.to(at::kDouble).contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

/// T, volume of an atom, c/a and b/a of the unit cell.
std::vector<double> row_of(const Ground& ground) {
  const crystal::LatticeKind kind = crystal::kind_of(ground.system.at("lattice"));
  const auto edge = [&](std::size_t d) { return std::hypot(kind.shape.vectors[d][0], kind.shape.vectors[d][1], kind.shape.vectors[d][2]); };
  return {ground.ensemble.at("temperature").as_double(), ground.base.cell.volume() / static_cast<double>(ground.particles()), edge(2) / edge(0), edge(1) / edge(0)};
}

void refuse_lost(const Tensor& log_weight) {
  constexpr std::int64_t kFew = 20;
  constexpr double kAll = 0.999;
  if (number_left(log_weight) == log_weight.numel()) {
    throw NumericalError(fmt::format("the model does not draw the crystal: all of {} draws are outside of its basin; train over narrower ranges or longer", log_weight.numel()));
  }
  const double largest = estimators::summarise(log_weight).largest_weight;
  if (log_weight.numel() < kFew || largest < kAll) return;
  throw NumericalError(fmt::format("the model does not reach the crystal: of {} draws one carries {:.4g} of the weight, so that no average is left; train over "
                                   "narrower ranges or longer, give the flow more `splits` or `layers`, or leave this state out",
                                   log_weight.numel(), largest));
}

artifacts::Result measured(const char* name, double value, double variance, const char* unit, std::int64_t n, const char* words) {
  artifacts::Result result{name, value, {}, unit, n, words};
  if (std::isfinite(variance)) result.sigma = std::sqrt(variance);
  return result;
}

/// Pressures, and what a surface is fitted to.
void add_pressures(Grid& grid, std::vector<artifacts::Result>& results, const Ground& ground, const estimators::Reweighted& all, std::int64_t n) {
  const auto mean = all.means.accessor<double, 1>();
  const auto c = all.covariance.accessor<double, 2>();
  double variance = 0;
  for (std::int64_t i = 2; i < kNumbers; ++i) {
    for (std::int64_t j = 2; j < kNumbers; ++j) variance += c[i][j] / 9.0;
  }
  results.push_back(measured("pressure", (mean[1] + mean[2] + mean[3]) / 3, variance, kPressureUnit, n, "(N kT - virial / 3) / V, classical"));
  results.push_back(measured("pressure_xx", mean[1], c[2][2], kPressureUnit, n, "along x"));
  results.push_back(measured("pressure_yy", mean[2], c[3][3], kPressureUnit, n, "along y"));
  results.push_back(measured("pressure_zz", mean[3], c[4][4], kPressureUnit, n, "along z"));

  grid.numbers.push_back(ground.free_energy(all.log_mean) / ground.base.beta);
  for (std::int64_t i = 0; i < kNumbers - 1; ++i) grid.numbers.push_back(mean[i]);
  Tensor scale = at::ones({kNumbers}, at::kDouble);
  scale[0] = -1.0 / (ground.base.beta * static_cast<double>(ground.particles()));  // of F / N against ln mean w
  const std::vector<double> block = flat(all.covariance * scale.unsqueeze(0) * scale.unsqueeze(1));
  grid.covariance.insert(grid.covariance.end(), block.begin(), block.end());
}

/// A finished state becomes a row of everything.
void finish(Grid& grid, const Ground& ground, const Drawn& drawn, const plan::Key& stream_key, std::int64_t number, std::int64_t bootstrap) {
  const Tensor log_weight = at::cat(drawn.log_weight);
  refuse_lost(log_weight);
  const tensor::RandomStream stream(stream_key, fmt::format("bootstrap {}", number));
  const estimators::Reweighted all = estimators::reweighted(log_weight, at::cat(drawn.observables), stream, bootstrap);
  const std::int64_t n = drawn.count;
  const auto c = all.covariance.accessor<double, 2>();

  artifacts::Artifact one;
  add_free_energy(one, ground, {all.log_mean, std::sqrt(c[0][0])}, n);
  add_weights(one, log_weight, stream_key, bootstrap);
  const estimators::Estimate cumulant = estimators::second_cumulant(log_weight, stream, bootstrap);
  one.results.push_back({"cumulant", ground.free_energy(-cumulant.value), error_per_particle(cumulant.sigma, ground), "kT", n, kConvention});
  one.results.push_back({"left_basin", static_cast<double>(number_left(log_weight)), {}, "", n, "draws outside of the basin of the crystal, which weigh nothing"});
  one.results.push_back(measured("mean_energy", all.means[0].item<double>(), c[1][1], "eV", n, "per atom"));
  if (all.means.size(0) > 1) add_pressures(grid, one.results, ground, all, n);
  grid.add(one.results);

  const std::vector<double> row = row_of(ground);
  grid.table.insert(grid.table.end(), row.begin(), row.end());
  grid.fill();
}

/// The blocks of the states along the diagonal, [5 K, 5 K].
Tensor whole_covariance(const Grid& grid) {
  const std::int64_t k = grid.count();
  Tensor whole = at::zeros({kNumbers * k, kNumbers * k}, at::kDouble);
  const Tensor blocks = at::tensor(at::ArrayRef<double>(grid.covariance), at::kDouble).view({k, kNumbers, kNumbers});
  for (std::int64_t s = 0; s < k; ++s) whole.narrow(0, kNumbers * s, kNumbers).narrow(1, kNumbers * s, kNumbers).copy_(blocks[s]);
  return whole;
}

void add_summary(artifacts::Artifact& result, const Grid& grid, std::int64_t count) {
  const std::vector<double>& ess = grid.columns.at("ess").value;
  const std::vector<double>& error = grid.columns.at("per_particle").sigma;
  const std::int64_t states = grid.count(), calls = result.cost.energy_call_equivalents();
  result.results.push_back({"least_ess", *std::min_element(ess.begin(), ess.end()), {}, "", count, "fraction of the draws, at the state where it is least"});
  const auto tails = grid.columns.find("pareto_k");
  if (tails != grid.columns.end()) {
    const double heaviest = *std::max_element(tails->second.value.begin(), tails->second.value.end(), [](double a, double b) { return std::isnan(a) || a < b; });
    result.results.push_back({"largest_pareto_k", heaviest, {}, "", count, "of the tail of the weights, at the state where it is heaviest; above 0.7 few draws decide there"});
  }
  result.results.push_back({"largest_error", *std::max_element(error.begin(), error.end()), {}, "kT", count, "standard error of beta F / N, at the state where it is largest"});
  result.results.push_back({"calls_per_state", static_cast<double>(calls) / static_cast<double>(states), {}, "", {}, "evaluations of the energy"});
  result.results.push_back({"states", static_cast<double>(states), {}, "", {}, "of the grid"});
}

/// Draws at one state until they are as many as asked for, or the task is stopped.
class StateAtWork {
 public:
  /// @param stress  of each draw too
  StateAtWork(const ConditionalFlow& flow, const Tensor& parameters, const StateValues& values, bool stress)
      : model_(flow.ground(values), flow.train_arguments(), flow.at_state(parameters, values), flow.common()), stress_(stress) {}

  const Ground& ground() const { return model_.ground(); }
  physics::CallCount calls() const { return model_.calls(); }

  void draw(engine::TaskContext& context, const tensor::RandomStream& latent, std::int64_t number, std::int64_t most, Drawn& drawn) const {
    const std::int64_t size = std::min(model_.at_once(), most - drawn.count);
    const flows::Draws draws = model_.generate(latent.normal(number, drawn.count, size, model_.latent_dimension()));
    drawn.add(draws.log_weight, observables(context, draws));
  }

 private:
  /// U / N and the pressures; those of draws that weigh nothing are not asked for.
  Tensor observables(engine::TaskContext& context, const flows::Draws& draws) const {
    const Tensor counted = draws.log_weight.isneginf().logical_not().nonzero().view({-1});
    if (!stress_) return (draws.energy / static_cast<double>(ground().particles())).unsqueeze(1);
    Tensor rows = at::zeros({draws.log_weight.size(0), kNumbers - 1}, at::kDouble);
    if (counted.numel() == 0) return rows;
    return rows.index_copy_(0, counted, state_observables(context, ground(), draws.displacements.index_select(0, counted), draws.energy.index_select(0, counted)));
  }

  Model model_;
  bool stress_;
};

}  // namespace

artifacts::Artifact grid_estimate(engine::TaskContext& context) {
  const Value& arguments = context.arguments();
  const plan::TaskSpec training = context.input_spec("model");
  const plan::Key& base_key = input_key(training, "base");
  const plan::TaskSpec base_spec = context.object_spec(base_key);
  if (!is_conditional(base_spec.arguments)) {
    throw InputError(fmt::format("{} was trained at one state; write `samples = …` of a sample block, or leave numbers open in its system or ensemble", training.name));
  }
  const ConditionalFlow flow(ConditionalBase(base_spec, *context.object(base_key)), training.arguments);
  const Tensor parameters = parameters_of(*context.input("model"), flow.layout(), flow.parameters().constant(flow.middle().start({})));
  const std::vector<StateValues> states = states_of(arguments, flow.conditions());
  for (const StateValues& values : states) flow.conditions().expect_inside(values, training.name);
  const std::int64_t count = arguments.at("count").as_int(), bootstrap = arguments.int_or("bootstrap", 200);
  const tensor::RandomStream latent(context.spec().stream_key, "latent");

  Grid grid;
  Drawn drawn;
  physics::CallCount before = flow.middle_ground().model->calls();
  if (const auto checkpoint = context.load_checkpoint()) {
    grid = grid_from(*checkpoint);
    if (checkpoint->arrays.contains("draws/log_weight")) {
      drawn.add(tensor::to_tensor(checkpoint->array("draws/log_weight")), tensor::to_tensor(checkpoint->array("draws/observables")));
    }
    before = calls_of(checkpoint->cost);
  }
  while (grid.count() < std::ssize(states)) {
    const std::int64_t number = grid.count();
    const StateValues& values = states[static_cast<std::size_t>(number)];
    const StateAtWork work(flow, parameters, values, arguments.bool_or("stress", false));
    const auto state = [&] {
      artifacts::Artifact artifact;
      add_to(artifact, grid);
      if (drawn.count > 0) {
        artifact.arrays["draws/log_weight"] = tensor::to_array(at::cat(drawn.log_weight), "kT");
        artifact.arrays["draws/observables"] = tensor::to_array(at::cat(drawn.observables));
      }
      artifact.cost = cost_of(before + (grid.count() == number ? work.calls() : physics::CallCount{}));
      return artifact;
    };
    while (drawn.count < count) {
      work.draw(context, latent, number, count, drawn);
      context.report({fmt::format("state {} of {}", number + 1, states.size()), number * count + drawn.count, std::ssize(states) * count, {}});
      context.step_done(state);
    }
    const Listening listening = stop_in_interludes(context, state);
    try {
      finish(grid, work.ground(), drawn, context.spec().stream_key, number, bootstrap);
    } catch (const NumericalError& error) {
      throw NumericalError(fmt::format("at {}: {}", flow.conditions().in_words(values), error.what()));
    }
    drawn = {};
    before = before + work.calls();
  }
  artifacts::Artifact result;
  add_to(result, grid);
  result.arrays.erase("states/blocks");
  if (!grid.covariance.empty()) result.arrays["states/covariance"] = tensor::to_array(whole_covariance(grid));
  artifacts::Array coordinates{{grid.count(), std::ssize(flow.conditions().axes())}, {}, {}, ""};
  schema::List names;
  for (const Conditions::Axis& axis : flow.conditions().axes()) names.push_back(axis.name);
  for (const StateValues& values : states) coordinates.doubles.insert(coordinates.doubles.end(), values.begin(), values.end());
  result.arrays["grid/coordinates"] = std::move(coordinates);
  result.attributes["coordinates"] = std::move(names);
  add_crystal(result, flow.middle_ground());
  result.cost = cost_of(before);
  add_summary(result, grid, count);
  return result;
}

}  // namespace bgw::tasks
