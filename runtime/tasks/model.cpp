#include "runtime/tasks/model.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "runtime/flows/mode_split_generator.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/conditional_flow.h"

namespace bgw::tasks {
namespace {

Ground ground_at(engine::TaskContext& context, const plan::Key& base) {
  return make_ground(context.object_spec(base), *context.object(base));
}

/// The state that `at(model, temperature = …)` names.
StateValues values_of_call(const Conditions& conditions, const schema::Value& call) {
  StateValues values;
  for (const Conditions::Axis& axis : conditions.axes()) {
    if (!call.has(axis.name)) throw InputError("the model is one over ranges, and `" + axis.name + "` is not given; write `at(model, " + axis.name + " = …)`");
    values.push_back(call.at(axis.name).as_double());
  }
  return values;
}

/// Runs pieces of `chunk` samples side by side; where they begin does not depend on the threads.
template <class Result, class Function>
std::vector<Result> by_chunks(std::int64_t samples, std::int64_t chunk, const Function& function) {
  const std::int64_t pieces = (samples + chunk - 1) / chunk;
  std::vector<Result> results(static_cast<std::size_t>(pieces));
  at::parallel_for(0, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;
    for (std::int64_t p = begin; p < end; ++p) {
      results[static_cast<std::size_t>(p)] = function(p * chunk, std::min(samples, (p + 1) * chunk));
    }
  });
  return results;
}

}  // namespace

Model::Model(Ground ground)
    : ground_(std::move(ground)),
      basin_(ground_.base.sites, ground_.base.cell),
      flow_(std::make_unique<flows::GaussianGenerator>(*ground_.target)),
      parameters_(flow_->start({})) {}

Model::Model(Ground ground, const schema::Value& train_arguments, const artifacts::Artifact& training)
    : ground_(std::move(ground)),
      basin_(ground_.base.sites, ground_.base.cell),
      flow_(make_flow(train_arguments, ground_, *ground_.target)),
      parameters_(parameters_of(training, *flow_)) {}

Model::Model(Ground ground, const schema::Value& train_arguments, Tensor parameters, const Common& common)
    : ground_(std::move(ground)),
      basin_(ground_.base.sites, ground_.base.cell),
      flow_(make_flow(train_arguments, ground_, *ground_.target, common)),
      parameters_(std::move(parameters)) {}

std::int64_t Model::at_once() const { return flow_->chunk() * at::get_num_threads(); }

flows::Draws Model::generate(const Tensor& z) const {
  const auto parts = by_chunks<flows::Draws>(z.size(0), flow_->chunk(), [&](std::int64_t begin, std::int64_t end) {
    return flow_->generate(z.slice(0, begin, end), parameters_);
  });
  std::vector<Tensor> displacements, energy, log_weight;
  for (const flows::Draws& part : parts) {
    displacements.push_back(part.displacements);
    energy.push_back(part.energy);
    log_weight.push_back(part.log_weight);
  }
  flows::Draws draws{at::cat(displacements), at::cat(energy), at::cat(log_weight)};
  draws.log_weight.masked_fill_(left_basin(draws.displacements), -INFINITY);
  return draws;
}

Tensor Model::left_basin(const Tensor& displacements) const {
  const sampling::Excursion excursion = basin_.excursion(displacements);
  return basin_.holds(excursion).logical_or(excursion.furthest.isnan()).logical_not();
}

Tensor Model::log_weight_of(const Tensor& displacements, const Tensor& auxiliary) const {
  return at::cat(by_chunks<Tensor>(displacements.size(0), flow_->chunk(), [&](std::int64_t begin, std::int64_t end) {
    return flow_->log_weight_of(displacements.slice(0, begin, end), auxiliary.slice(0, begin, end), parameters_);
  }));
}

std::unique_ptr<Model> load_model(engine::TaskContext& context, const plan::TaskSpec& sample_spec) {
  const schema::Value& model = sample_spec.arguments.at("model");
  const std::string call = model.string_or("call", "");
  const plan::Key& model_key = input_key(sample_spec, call.empty() ? "model" : "model.model");
  const plan::TaskSpec model_spec = context.object_spec(model_key);
  if (model_spec.kind == "base") return std::make_unique<Model>(ground_at(context, model_key));

  const plan::Key& own_base = input_key(model_spec, "base");
  const plan::Key& base_key = call == "transfer" ? input_key(sample_spec, "model.base") : own_base;
  const plan::TaskSpec own_spec = context.object_spec(own_base);
  if (!is_conditional(own_spec.arguments)) {
    return std::make_unique<Model>(ground_at(context, base_key), model_spec.arguments, *context.object(model_key));
  }
  const ConditionalFlow flow(ConditionalBase(own_spec, *context.object(own_base)), model_spec.arguments);
  const Tensor parameters = parameters_of(*context.object(model_key), flow.layout(), flow.parameters().constant(flow.middle().start({})));
  if (call == "transfer") {
    Ground there = ground_at(context, base_key);
    const StateValues values = flow.conditions().values_in(there.system, there.ensemble);
    flow.conditions().expect_inside(values, model_spec.name);
    const Common common = flow.common_on(there);
    return std::make_unique<Model>(std::move(there), flow.train_arguments(), flow.at_state(parameters, values), common);
  }
  const StateValues values = values_of_call(flow.conditions(), model);
  return std::make_unique<Model>(flow.ground(values), flow.train_arguments(), flow.at_state(parameters, values), flow.common());
}

}  // namespace bgw::tasks
