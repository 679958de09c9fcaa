#include "runtime/tasks/conditional_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/training_plan.h"

namespace bgw::tasks {
namespace {

using schema::Value;

constexpr std::int64_t kLabelsOfAState = 32;

/// What a stage says of a number: one value, a list taken in order, or an interval; all of the range when it says nothing.
std::vector<std::pair<double, double>> walk_of(const Value* schedule, const Conditions::Axis& axis) {
  if (schedule == nullptr || schedule->is_none()) return {{axis.low, axis.high}};
  if (schedule->is_number()) return {{schedule->as_double(), schedule->as_double()}};
  if (schedule->is_list()) {
    std::vector<std::pair<double, double>> walk;
    for (const Value& one : schedule->as_list()) walk.emplace_back(one.as_double(), one.as_double());
    return walk;
  }
  const schema::List& ends = schedule->at("interval").as_list();
  const auto [low, high] = std::minmax(ends.at(0).as_double(), ends.at(1).as_double());
  return {{low, high}};
}

/// Log weights less that of their mean: what is left of a state is how they differ.
Tensor centred(const Tensor& log_weight) {
  const Tensor mean = at::logsumexp(log_weight, {0}) - std::log(static_cast<double>(log_weight.size(0)));
  return log_weight - mean;
}

/// Of the crystal at its own state: a family can pass a shape of higher symmetry.
std::vector<physics::PointOperation> operations_at(const Ground& ground) {
  return physics::symmetry_of(physics::make_crystal(ground.system)).rotations;
}

/// Which part of a walk a step of a stage belongs to.
std::int64_t part_at(std::int64_t step, std::int64_t parts, std::int64_t steps) { return step * parts / steps; }

/// The same crystal with a pair energy that goes on as its tangent below a distance.
void soften(Ground& ground, double linearize_below) {
  physics::PotentialForm form;
  form.linearize_below = linearize_below;
  ground.model = physics::make_energy_model(ground.system, ground.site_vectors(), ground.base.cell, form);
  ground.target = std::make_unique<physics::WhitenedTarget>(*ground.model, ground.base.modes, ground.base.beta, ground.base.static_energy);
}

}  // namespace

ConditionalTraining::ConditionalTraining(engine::TaskContext& context)
    : stream_key_(context.spec().stream_key),
      flow_(std::make_unique<ConditionalFlow>(ConditionalBase(context.input_spec("base"), *context.input("base")), context.arguments())),
      latent_(stream_key_, "train.latent"),
      state_(stream_key_, "train.state"),
      label_state_(stream_key_, "train.label_state"),
      choice_(stream_key_, "train.label") {
  const Ground& middle = flow_->middle_ground();
  for (const Value& stage : context.arguments().at("stages").as_list()) {
    const Value& loss = stage.at("loss");
    const std::string& name = loss.at("call").as_string();
    if (name != "reverse_kl" && name != "force_matching") {
      throw InputError(fmt::format("stage {} learns by {}, a flow over ranges learns by reverse_kl, or by force_matching; data are of one state",
                                   stage.at("name").as_string(), name));
    }
    StageForm form;
    form.gradient = loss.string_or("gradient", "path") == "total" ? flows::KlGradient::total : flows::KlGradient::path;
    form.matching = name == "force_matching";
    form.linearize_below = stage.number_or("linearize_below", 0.0);
    stages_.push_back(stage_of(stage, middle.particles()));
    for (const Conditions::Axis& axis : flow_->conditions().axes()) {
      form.axes.push_back(walk_of(stage.find(axis.name), axis));
      stages_.back().stretches = std::max(stages_.back().stretches, std::ssize(form.axes.back()));
    }
    set_what_moves(flow_->middle(), form.matching, stages_.back());
    if (stages_.back().moves) stages_.back().moves = flow_->parameters().range(*stages_.back().moves);
    forms_.push_back(std::move(form));
    if (forms_.back().matching) {
      forms_.back().labels = label_options(loss);
      add_label_states(forms_.back(), forms_.size() - 1);
    }
  }
}

Tensor ConditionalTraining::start() const { return flow_->parameters().constant(flow_->middle().start(stream_key_)); }

StateValues ConditionalTraining::drawn_state(const tensor::RandomStream& stream, const flows::Portion& portion) const {
  const StageForm& form = forms_.at(static_cast<std::size_t>(portion.stage));
  const std::int64_t steps = stages_[static_cast<std::size_t>(portion.stage)].steps;
  StateValues low, high;
  for (const Walk& walk : form.axes) {
    const auto& [from, to] = walk.at(static_cast<std::size_t>(part_at(portion.step, std::ssize(walk), steps)));
    low.push_back(from);
    high.push_back(to);
  }
  const std::vector<double> first = flow_->conditions().coordinates(low), last = flow_->conditions().coordinates(high);
  const Tensor uniform = stream.uniform(portion.total, portion.first / kSamplesOfAState, 1, std::ssize(first)).contiguous();
  std::vector<double> x(first.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = first[i] + (last[i] - first[i]) * uniform.data_ptr<double>()[i];
  return flow_->conditions().values(x);
}

flows::SampleLoss ConditionalTraining::loss(const flows::Portion& portion, const Tensor& parameters) const {
  if (portion.first % kSamplesOfAState != 0 || portion.count > kSamplesOfAState) throw std::logic_error("a portion of a training over ranges is of one state");
  const StageForm& form = forms_.at(static_cast<std::size_t>(portion.stage));
  return form.matching ? force_matching(form, portion, parameters) : reverse_kl(form, portion, parameters);
}

flows::SampleLoss ConditionalTraining::reverse_kl(const StageForm& form, const flows::Portion& portion, const Tensor& parameters) const {
  const StateValues values = drawn_state(state_, portion);
  Ground ground = flow_->ground(values);
  if (form.linearize_below > 0) soften(ground, form.linearize_below);
  const auto generator = flow_->on(ground);
  const Tensor latent = latent_.normal(portion.total, portion.first, portion.count, generator->latent_dimension());
  flows::SampleLoss loss = generator->reverse_kl(form.gradient, latent, flow_->at_state(parameters, values));
  count(ground.model->calls() + generator->other_calls());
  return {centred(loss.log_weight), flow_->gradient(loss.gradient, values), loss.outside};
}

flows::SampleLoss ConditionalTraining::force_matching(const StageForm& form, const flows::Portion& portion, const Tensor& parameters) const {
  const auto match = [&](const Ground& ground, const StateValues& values, const flows::ForceLabels& labels) {
    const auto generator = flow_->on(ground);
    const flows::SampleLoss loss = generator->force_matching(labels.of(portion), flow_->at_state(parameters, values));
    return flows::SampleLoss{loss.log_weight, flow_->gradient(loss.gradient, values), loss.outside};
  };
  if (!form.label_states.empty()) {
    const auto after = std::upper_bound(form.stretches.begin(), form.stretches.end(), portion.step);
    const LabelStates& present = form.label_states[static_cast<std::size_t>(after - form.stretches.begin()) - 1];
    const double uniform = choice_.uniform(portion.total, portion.first / kSamplesOfAState, 1, 1).item<double>();
    const auto which = std::min(present.size() - 1, static_cast<std::size_t>(uniform * static_cast<double>(present.size())));
    const Labelled& known = labelled_[present[which]];
    return match(known.ground, known.values, *known.labels);
  }
  const StateValues values = drawn_state(state_, portion);
  const Ground ground = flow_->ground(values);
  const flows::ForceLabels fresh(*ground.target, operations_at(ground), form.labels, stream_key_);
  const flows::SampleLoss loss = match(ground, values, fresh);
  count(ground.model->calls());
  return loss;
}

/// Where the walk of any coordinate enters its next part.
std::vector<std::int64_t> ConditionalTraining::stretches_of(const std::vector<Walk>& axes, std::int64_t steps) {
  std::vector<std::int64_t> begins{0};
  for (std::int64_t step = 1; step < steps; ++step) {
    const bool next = std::any_of(axes.begin(), axes.end(), [&](const Walk& walk) { return part_at(step, std::ssize(walk), steps) != part_at(step - 1, std::ssize(walk), steps); });
    if (next) begins.push_back(step);
  }
  return begins;
}

/// So many states as share the labels, each with fields of its own; each stretch of the stage has as many of them as another.
void ConditionalTraining::add_label_states(StageForm& form, std::size_t stage) {
  if (!form.labels.count) return;
  form.stretches = stretches_of(form.axes, stages_[stage].steps);
  form.label_states.resize(form.stretches.size());
  const auto stretches = std::ssize(form.stretches);
  if (*form.labels.count < stretches) {
    throw InputError(fmt::format("a stage that matches forces has {} labels for {} stretches of its states; give it more labels, or list fewer states", *form.labels.count, stretches));
  }
  const std::int64_t states = std::max(stretches, (*form.labels.count + kLabelsOfAState - 1) / kLabelsOfAState);
  for (std::int64_t s = 0; s < states; ++s) {
    const auto number = static_cast<std::int64_t>(stage);
    const auto stretch = static_cast<std::size_t>(part_at(s, stretches, states));
    const StateValues values = drawn_state(label_state_, {number, form.stretches[stretch], number, s * kSamplesOfAState, 1});
    flows::ForceLabelOptions options = form.labels;
    options.count = (s + 1) * *form.labels.count / states - s * *form.labels.count / states;
    Labelled known{values, flow_->ground(values), nullptr};
    const plan::Key key = plan::sha256(fmt::format("{} labels {} {}", stream_key_.hex(), stage, s));
    known.labels = std::make_unique<flows::ForceLabels>(*known.ground.target, operations_at(known.ground), options, key);
    form.label_states[stretch].push_back(labelled_.size());
    labelled_.push_back(std::move(known));
  }
}

void ConditionalTraining::count(const physics::CallCount& calls) const {
  const std::lock_guard lock(mutex_);
  calls_ = calls_ + calls;
}

physics::CallCount ConditionalTraining::calls() const {
  const std::lock_guard lock(mutex_);
  physics::CallCount sum = calls_ + flow_->middle_ground().model->calls();
  for (const Labelled& known : labelled_) sum = sum + known.ground.model->calls();
  return sum;
}

std::map<std::string, Tensor> ConditionalTraining::known_labels() const {
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < labelled_.size(); ++i) {
    const flows::ForceLabels::Known known = labelled_[i].labels->known();
    named[fmt::format("labels/{}/gradients", i)] = known.gradients;
    named[fmt::format("labels/{}/numbers", i)] = known.numbers;
  }
  return named;
}

void ConditionalTraining::restore_labels(const std::map<std::string, Tensor>& named) {
  for (std::size_t i = 0; i < labelled_.size(); ++i) {
    labelled_[i].labels->restore({named.at(fmt::format("labels/{}/gradients", i)), named.at(fmt::format("labels/{}/numbers", i))});
  }
}

}  // namespace bgw::tasks
