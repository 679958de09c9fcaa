#include "runtime/tasks/training_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/make_flow.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

using schema::Value;

/// The value of that name, or nullptr when it is absent or none.
const Value* given(const Value& map, const char* name) {
  const Value* value = map.find(name);
  return value == nullptr || value->is_none() ? nullptr : value;
}

flows::LearningRate learning_rate(const Value& value) {
  using Kind = flows::LearningRate::Kind;
  if (value.is_number()) return {Kind::constant, value.as_double()};
  const std::string& name = value.at("call").as_string();
  if (name == "one_cycle") return {Kind::one_cycle, value.at("peak").as_double()};
  if (name == "cosine") return {Kind::cosine, value.at("peak").as_double()};
  if (name != "decay") throw InputError("no learning rate schedule '" + name + "'");
  flows::LearningRate rate{Kind::decay, value.at("rate").as_double()};
  for (const Value& step : value.at("at").as_list()) rate.drops.push_back(step.as_int());
  rate.factor = value.at("factor").as_double();
  return rate;
}

bool matches_forces(const Value& loss) { return loss.at("call").as_string() == "force_matching"; }

double forward_share(const Value& loss) {
  const std::string& name = loss.at("call").as_string();
  if (name == "reverse_kl" || matches_forces(loss)) return 0.0;
  if (name == "forward_kl") return 1.0;
  if (name == "mixed") return loss.at("alpha").as_double();
  throw InputError("no loss '" + name + "'");
}

/// Temperatures that a stage goes through, in equal parts of its steps.
std::vector<double> temperatures_of(const Value& stage, double own) {
  const Value* schedule = given(stage, "temperature");
  if (schedule == nullptr) return {own};
  if (!schedule->is_list()) return {schedule->as_double()};
  std::vector<double> all;
  for (const Value& one : schedule->as_list()) all.push_back(one.as_double());
  return all;
}

/// Draws of the harmonic crystal, as displacements from the sites of another base of it.
flows::DataSource harmonic_draws(const Value& call, const Ground& ground, const plan::Key& stream_key) {
  const crystal::Crystal crystal = physics::make_crystal(call.at("system"));
  const auto model = physics::make_energy_model(call.at("system"));
  const double beta = physics::inverse_temperature(call.at("ensemble"));
  const auto base = std::make_shared<physics::GaussianBase>(physics::phonon_base(*model, crystal, beta, true));
  const Tensor shift = base->sites - ground.base.sites;
  const tensor::RandomStream stream(stream_key, "train.harmonic");
  return [base, shift, stream](const flows::Portion& p) {
    const Tensor latent = stream.normal(p.total, p.first, p.count, base->stiffness.size(0));
    return physics::displacements_from_latents(*base, latent) + shift;
  };
}

}  // namespace

flows::Stage stage_of(const Value& value, std::int64_t particles) {
  flows::Stage stage{value.at("name").as_string(), value.at("steps").as_int(), value.at("batch").as_int(),
                     learning_rate(value.at("learning_rate"))};
  if (const Value* memory = given(value, "optimizer")) {
    stage.adam.beta1 = memory->at("first").as_double();
    stage.adam.beta2 = memory->at("second").as_double();
  }
  if (const Value* longest = given(value, "grad_clip")) stage.largest_gradient = longest->as_double();
  if (const Value* memory = given(value, "average")) stage.averaging = memory->as_double();
  if (const Value* ess = given(value, "until_ess")) stage.stop.ess = ess->as_double();
  if (const Value* error = given(value, "until_error")) {
    stage.stop.error = error->as_double() * static_cast<double>(particles);
  }
  return stage;
}

flows::ForceLabelOptions label_options(const Value& loss) {
  flows::ForceLabelOptions options;
  options.smallest = loss.at("smallest").as_double();
  options.largest = loss.at("largest").as_double();
  if (const Value* count = given(loss, "labels")) options.count = count->as_int();
  return options;
}

void set_what_moves(const flows::Generator& flow, bool matching, flows::Stage& stage) {
  const flows::ParameterRange weights = flow.learned_force();
  if (matching && weights.count == 0) {
    throw InputError(fmt::format("stage {} matches forces, the flow learns none; write `force = learned(…)` in the flow", stage.name));
  }
  stage.weighs = !matching;
  if (weights.count > 0) stage.moves = matching ? weights : flows::ParameterRange{0, weights.first};
}

Tensor displacements_on(const Ground& ground, const artifacts::Artifact& data) {
  const Tensor sites = tensor::to_tensor(data.array("sites"));
  if (sites.sizes() != ground.base.sites.sizes()) {
    throw InputError(fmt::format("the data has {} atoms, the model {}", sites.size(0), ground.particles()));
  }
  return tensor::to_tensor(data.array("displacements")) + (sites - ground.base.sites);
}

TrainingPlan::TrainingPlan(engine::TaskContext& context, const Ground& ground,
                           std::shared_ptr<const flows::Generator> flow)
    : ground_(ground), flow_(std::move(flow)) {
  const schema::List& stages = context.arguments().at("stages").as_list();
  const double own = ground.ensemble.at("temperature").as_double();
  for (std::size_t s = 0; s < stages.size(); ++s) {
    stages_.push_back(stage_of(stages[s], ground.particles()));
    const Value& loss = stages[s].at("loss");
    flows::Objective objective;
    const bool matching = matches_forces(loss);
    set_what_moves(*flow_, matching, stages_.back());
    objective.forward_share = forward_share(loss);
    objective.gradient = loss.string_or("gradient", "path") == "total" ? flows::KlGradient::total : flows::KlGradient::path;
    if (objective.forward_share > 0) objective.data = data_of(context, s);
    stretches_.emplace_back();
    for (const double temperature : temperatures_of(stages[s], own)) {
      objective.generator = flow_at(context.arguments(), stages[s], temperature);
      if (matching) objective.labels = labels_of(loss, *objective.generator, context.spec().stream_key);
      stretches_.back().push_back(objective);
    }
    stages_.back().stretches = std::ssize(stretches_.back());
  }
}

flows::LabelSource TrainingPlan::labels_of(const Value& loss, const flows::Generator& flow, const plan::Key& stream_key) {
  const flows::ForceLabelOptions options = label_options(loss);
  const auto same = [&](const auto& labels) { return &labels->target() == &flow.target() && labels->options() == options; };
  auto found = std::find_if(labels_.begin(), labels_.end(), same);
  if (found == labels_.end()) {
    const physics::CrystalSymmetry symmetry = physics::symmetry_of(physics::make_crystal(ground_.system));
    labels_.push_back(std::make_unique<flows::ForceLabels>(flow.target(), symmetry.rotations, options, stream_key));
    found = labels_.end() - 1;
  }
  return [labels = found->get()](const flows::Portion& portion) { return labels->of(portion); };
}

// The base stays that of the temperature asked for: only the target walks.
std::shared_ptr<const flows::Generator> TrainingPlan::flow_at(const Value& arguments, const Value& stage,
                                                              double temperature) {
  const Value* below = given(stage, "linearize_below");
  const double own = ground_.ensemble.at("temperature").as_double();
  if (below == nullptr && temperature == own) return flow_;
  auto crystal = std::make_unique<Crystal>();
  if (below != nullptr) {
    physics::PotentialForm form;
    form.linearize_below = below->as_double();
    crystal->model = physics::make_energy_model(ground_.system, ground_.site_vectors(), ground_.base.cell, form);
  }
  const physics::EnergyModel& model = crystal->model ? *crystal->model : *ground_.model;
  crystal->target = std::make_unique<physics::WhitenedTarget>(
      model, ground_.base.modes, ground_.base.beta * own / temperature, ground_.base.static_energy);
  others_.push_back(std::move(crystal));
  return make_flow(arguments, ground_, *others_.back()->target);
}

flows::DataSource TrainingPlan::data_of(engine::TaskContext& context, std::size_t stage) const {
  const Value* data = given(context.arguments().at("stages").as_list()[stage], "data");
  if (data == nullptr) throw InputError(fmt::format("stage {} has no data to learn from", stages_[stage].name));
  const plan::Key& stream_key = context.spec().stream_key;
  if (!data->has("task")) return harmonic_draws(*data, ground_, stream_key);
  const auto samples = context.input(fmt::format("stages.{}.data", stage));
  if (samples->arrays.contains("deformation")) {
    throw InputError("the cells of `data` change, the flow has one cell; take data at constant volume");
  }
  if (samples->arrays.contains("log_weight")) {
    throw InputError("the configurations of `data` carry weights, forward_kl takes those of Markov chains or of dynamics");
  }
  return flows::rows_of(displacements_on(ground_, *samples), stream_key);
}

const flows::Objective& TrainingPlan::objective(std::int64_t stage, std::int64_t step) const {
  const std::vector<flows::Objective>& parts = stretches_.at(static_cast<std::size_t>(stage));
  const std::int64_t steps = stages_[static_cast<std::size_t>(stage)].steps;
  return parts[static_cast<std::size_t>(step * std::ssize(parts) / steps)];
}

std::map<std::string, Tensor> TrainingPlan::known_labels() const {
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const flows::ForceLabels::Known known = labels_[i]->known();
    named[fmt::format("labels/{}/gradients", i)] = known.gradients;
    named[fmt::format("labels/{}/numbers", i)] = known.numbers;
  }
  return named;
}

void TrainingPlan::restore_labels(const std::map<std::string, Tensor>& named) {
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    labels_[i]->restore({named.at(fmt::format("labels/{}/gradients", i)), named.at(fmt::format("labels/{}/numbers", i))});
  }
}

physics::CallCount TrainingPlan::other_calls() const {
  physics::CallCount sum;
  for (const auto& crystal : others_) {
    if (crystal->model) sum = sum + crystal->model->calls();
  }
  for (const auto& parts : stretches_) {
    for (const flows::Objective& part : parts) {
      if (part.generator != flow_) sum = sum + part.generator->other_calls();
    }
  }
  return sum;
}

}  // namespace bgw::tasks
