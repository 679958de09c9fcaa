#include "runtime/tasks/grid_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "runtime/estimators/lfep.h"
#include "runtime/estimators/reweighted.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/conditional_flow.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/grid_results.h"
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
constexpr const char* kPressureUnit = "eV/angstrom^3";

/// What is known of the states so far.
struct Grid {
  GridResults results;
  std::vector<double> table;       // [K, 4]
  std::vector<double> numbers;     // [K, 5], with stress
  std::vector<double> covariance;  // [K, 5, 5], since draws of different states are independent
  std::int64_t count() const { return std::ssize(table) / 4; }
};

artifacts::Array array_of(std::vector<std::int64_t> shape, std::vector<double> numbers, std::string unit = "") {
  return {std::move(shape), std::move(numbers), {}, std::move(unit)};
}

void add_to(artifacts::Artifact& artifact, const Grid& grid) {
  if (grid.count() == 0) return;
  grid.results.add_to(artifact);
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
  grid.results = GridResults::from(checkpoint);
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
  grid.results.add(one.results);

  const std::vector<double> row = table_row(ground);
  grid.table.insert(grid.table.end(), row.begin(), row.end());
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
  const std::vector<double>& ess = grid.results.values("ess");
  const std::vector<double>& error = grid.results.sigmas("per_particle");
  const std::int64_t states = grid.count(), calls = result.cost.energy_call_equivalents();
  result.results.push_back({"least_ess", *std::min_element(ess.begin(), ess.end()), {}, "", count, "fraction of the draws, at the state where it is least"});
  if (grid.results.has("pareto_k")) {
    const std::vector<double>& tails = grid.results.values("pareto_k");
    const double heaviest = *std::max_element(tails.begin(), tails.end(), [](double a, double b) { return std::isnan(a) || a < b; });
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

ConditionalFlow flow_of(engine::TaskContext& context, const plan::TaskSpec& training) {
  const plan::Key& base_key = input_key(training, "base");
  const plan::TaskSpec base_spec = context.object_spec(base_key);
  if (!is_conditional(base_spec.arguments)) {
    throw InputError(fmt::format("{} was trained at one state; write `samples = …` of a sample block, or leave numbers open in its system or ensemble", training.name));
  }
  return {ConditionalBase(base_spec, *context.object(base_key)), training.arguments};
}

/// The states of a grid, one after the other.
class GridEstimate {
 public:
  GridEstimate(engine::TaskContext& context, const plan::TaskSpec& training)
      : context_(context),
        flow_(flow_of(context, training)),
        parameters_(parameters_of(*context.input("model"), flow_.layout(), flow_.parameters().constant(flow_.middle().start({})))),
        states_(grid_states(context.arguments(), flow_.conditions(), "the estimate")),
        count_(context.arguments().at("count").as_int()),
        latent_(context.spec().stream_key, "latent") {
    for (const StateValues& values : states_) flow_.conditions().expect_inside(values, training.name);
    before_ = flow_.middle_ground().model->calls();
    if (const auto checkpoint = context.load_checkpoint()) go_on_from(*checkpoint);
  }

  artifacts::Artifact run() {
    while (grid_.count() < std::ssize(states_)) complete_next();
    return whole();
  }

 private:
  void go_on_from(const artifacts::Artifact& checkpoint) {
    grid_ = grid_from(checkpoint);
    if (checkpoint.arrays.contains("draws/log_weight")) {
      drawn_.add(tensor::to_tensor(checkpoint.array("draws/log_weight")), tensor::to_tensor(checkpoint.array("draws/observables")));
    }
    before_ = calls_of(checkpoint.cost);
  }

  artifacts::Artifact checkpoint(const physics::CallCount& calls) const {
    artifacts::Artifact artifact;
    add_to(artifact, grid_);
    if (drawn_.count > 0) {
      artifact.arrays["draws/log_weight"] = tensor::to_array(at::cat(drawn_.log_weight), "kT");
      artifact.arrays["draws/observables"] = tensor::to_array(at::cat(drawn_.observables));
    }
    artifact.cost = cost_of(calls);
    return artifact;
  }

  void complete_next() {
    const std::int64_t number = grid_.count(), total = std::ssize(states_);
    const StateValues& values = states_[static_cast<std::size_t>(number)];
    const StateAtWork work(flow_, parameters_, values, context_.arguments().bool_or("stress", false));
    // Where draws of the state were kept, so were the calls of its beginning.
    const physics::CallCount again = drawn_.count > 0 ? work.calls() : physics::CallCount{};
    const auto calls = [&] { return before_ + (work.calls() - again); };
    const auto state = [&] { return checkpoint(calls()); };
    while (drawn_.count < count_) {
      work.draw(context_, latent_, number, count_, drawn_);
      context_.report({fmt::format("state {} of {}", number + 1, total), number * count_ + drawn_.count, total * count_, {}});
      context_.step_done(state);
    }
    const Listening listening = stop_in_interludes(context_, state);
    try {
      finish(grid_, work.ground(), drawn_, context_.spec().stream_key, number, context_.arguments().int_or("bootstrap", 200));
    } catch (const NumericalError& error) {
      throw NumericalError(fmt::format("at {}: {}", flow_.conditions().in_words(values), error.what()));
    }
    drawn_ = {};
    before_ = calls();
  }

  artifacts::Artifact whole() const {
    artifacts::Artifact result;
    add_to(result, grid_);
    result.arrays.erase("states/blocks");
    if (!grid_.covariance.empty()) result.arrays["states/covariance"] = tensor::to_array(whole_covariance(grid_));
    if (!has_right_angles(flow_.middle_ground().base.cell)) {  // of which a surface has no coordinates
      for (const char* name : {"states/table", "states/numbers", "states/covariance"}) result.arrays.erase(name);
    }
    add_coordinates(result, flow_.conditions(), states_);
    add_crystal(result, flow_.middle_ground());
    result.cost = cost_of(before_);
    add_summary(result, grid_, count_);
    return result;
  }

  engine::TaskContext& context_;
  ConditionalFlow flow_;
  Tensor parameters_;
  std::vector<StateValues> states_;
  std::int64_t count_;
  tensor::RandomStream latent_;
  Grid grid_;
  Drawn drawn_;
  physics::CallCount before_;  // of states that are done, and of what was done before a stop
};

}  // namespace

artifacts::Artifact grid_estimate(engine::TaskContext& context) { return GridEstimate(context, context.input_spec("model")).run(); }

}  // namespace bgw::tasks
