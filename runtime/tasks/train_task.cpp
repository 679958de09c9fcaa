#include <functional>
#include <map>

#include "runtime/engine/extension.h"
#include "runtime/flows/trainer.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/conditional_training.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/make_flow.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tasks/training_plan.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

artifacts::Artifact checkpoint_of(const flows::TrainingState& state, std::map<std::string, Tensor> labels, const physics::CallCount& calls) {
  std::map<std::string, Tensor> named = flows::to_named_tensors(state);
  named.merge(labels);
  return checkpoint_from(named, calls);
}

flows::TrainingState state_from(const artifacts::Artifact& checkpoint, const Tensor& like) {
  return flows::training_state_from(named_tensors_of(checkpoint), like.scalar_type());
}

/// Where a training without a checkpoint begins: at the flow's own start, or at the end of another training.
Tensor first_parameters(engine::TaskContext& context, const flows::Generator& flow) {
  const schema::Value* other = context.arguments().find("warm_start");
  if (other == nullptr || other->is_none()) return flow.start(context.spec().stream_key);
  return parameters_of(*context.input("warm_start"), flow);
}

engine::Progress progress_of(const flows::TrainingState& state, const std::vector<flows::Stage>& stages) {
  const auto stage = static_cast<std::size_t>(std::min<std::int64_t>(state.stage, std::ssize(stages) - 1));
  engine::Progress progress;
  progress.phase = "stage " + stages[stage].name;
  for (const flows::Stage& each : stages) progress.steps += each.steps;
  progress.step = state.total;
  if (!state.history.loss.empty()) {
    progress.numbers = {{"loss", state.history.loss.back()}};
    if (stages[stage].weighs) progress.numbers["ess"] = state.history.ess.back();
  }
  return progress;
}

// What the numbers of a mode-split flow are; the formulas stand in runtime/flows/mode_split.h.
const std::map<std::string, const char*> kMeanings = {
    {"a", "flow: weight of the force by which one half of the modes moves the other"},
    {"h", "flow: amplification of the half that acts"},
    {"a2", "flow: weight of the look-ahead correction"},
    {"lambda", "flow: step of the look-ahead"},
    {"s0", "flow: logarithm of the overall widening of the Gaussian"}};

/// Parameters that are single numbers with a meaning are results of their own.
void add_single_parameters(artifacts::Artifact& result, const flows::Generator& flow, const Tensor& parameters) {
  for (const flows::ParameterEntry& entry : flow.layout().entries()) {
    const auto meaning = kMeanings.find(entry.name);
    if (meaning == kMeanings.end()) continue;
    result.results.push_back({entry.name, parameters[entry.offset].item<double>(), {}, "", {}, meaning->second});
  }
}

artifacts::Artifact result_of(const flows::TrainingState& state, const flows::ParameterLayout& layout,
                              const physics::CallCount& calls) {
  artifacts::Artifact result;
  add_parameters(result, layout, state.parameters);
  const auto steps = std::ssize(state.history.loss);
  std::vector<double> step(static_cast<std::size_t>(steps));
  for (std::size_t i = 0; i < step.size(); ++i) step[i] = static_cast<double>(i + 1);
  result.arrays["history/step"] = {{steps}, step, {}, ""};
  result.arrays["history/loss"] = {{steps}, state.history.loss, {}, "kT"};
  result.arrays["history/ess"] = {{steps}, state.history.ess, {}, ""};
  for (const char* name : {"loss", "ess"}) {
    const std::string curve = std::string("curves/") + name + "_history/";
    result.arrays[curve + "x"] = result.arrays["history/step"];
    result.arrays[curve + "y"] = result.arrays[std::string("history/") + name];
  }
  result.attributes = schema::Map{{"x_name", "step"}, {"y_name", "loss or effective fraction"}};
  result.results.push_back({"loss",
                            -state.latest_log_weights.mean().item<double>(),
                            {},
                            "kT",
                            state.latest_log_weights.numel(),
                            "mean over the last training samples; up to a constant"});
  result.results.push_back({"ess",
                            state.history.ess.back(),
                            {},
                            "",
                            state.latest_log_weights.numel(),
                            "running, over the last training samples"});
  result.results.push_back({"outside", static_cast<double>(state.outside), {}, "", {},
                            "configurations of data, as often as they were taken, where the model had no density: left out"});
  result.cost = cost_of(calls);
  return result;
}

/// What is trained, and how.
struct Training {
  const std::vector<flows::Stage>& stages;
  flows::LossFunction loss;
  std::int64_t chunk = 0, dimension = 0;
  std::function<physics::CallCount()> calls;  // of this attempt
  std::function<std::map<std::string, Tensor>()> known_labels;
  std::function<void(const std::map<std::string, Tensor>&)> restore_labels;
};

/// All steps, from the checkpoint where there is one.
flows::TrainingState trained(engine::TaskContext& context, const Training& training, const Tensor& first, physics::CallCount& before) {
  flows::TrainingState state = flows::start_training(first);
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(*checkpoint, state.parameters);
    training.restore_labels(named_tensors_of(*checkpoint));
    before = calls_of(checkpoint->cost);
  }
  const auto checkpoint = [&] { return checkpoint_of(state, training.known_labels(), before + training.calls()); };
  const Listening listening = stop_in_interludes(context, checkpoint);
  const bool is_kept = engine::can_be_extended(context.spec());
  flows::TrainingState last = state;  // before the last stage is left: a longer one goes on from there
  flows::train(training.loss, training.stages, training.chunk, training.dimension, state, [&](const flows::TrainingState& now) {
    const auto& stage = training.stages[static_cast<std::size_t>(now.stage)];
    if (is_kept && (now.step == stage.steps || stage.stop.ess || stage.stop.error)) last = now;
    context.report(progress_of(now, training.stages));
    context.step_done(checkpoint);
  });
  if (is_kept) context.keep_state(checkpoint_of(last, training.known_labels(), before + training.calls()));
  return state;
}

/// A training over ranges.
artifacts::Artifact conditional_train(engine::TaskContext& context) {
  ConditionalTraining plan(context);
  Tensor first = plan.start();
  const schema::Value* other = context.arguments().find("warm_start");
  const bool begun = other != nullptr && !other->is_none();
  if (begun) first = parameters_of(*context.input("warm_start"), plan.flow().layout(), first);
  else check_for_training(plan.flow().train_arguments(), plan.flow().middle_ground());
  const Training training{plan.stages(),
                          [&](const flows::Portion& portion, const Tensor& parameters) { return plan.loss(portion, parameters); },
                          ConditionalTraining::kSamplesOfAState,
                          plan.dimension(),
                          [&] { return plan.calls(); },
                          [&] { return plan.known_labels(); },
                          [&](const std::map<std::string, Tensor>& named) { plan.restore_labels(named); }};
  physics::CallCount before;
  const flows::TrainingState state = trained(context, training, first, before);
  return result_of(state, plan.flow().layout(), before + plan.calls());
}

}  // namespace

artifacts::Artifact train(engine::TaskContext& context) {
  if (is_conditional(context.input_spec("base").arguments)) return conditional_train(context);
  const Ground ground = make_ground(context.input_spec("base"), *context.input("base"));
  const std::shared_ptr<const flows::Generator> flow = make_flow(context.arguments(), ground, *ground.target);
  if (const schema::Value* other = context.arguments().find("warm_start"); other == nullptr || other->is_none())
    check_for_training(context.arguments(), ground);
  TrainingPlan plan(context, ground, flow);
  const auto schedule = [&](std::int64_t stage, std::int64_t step) -> const flows::Objective& {
    return plan.objective(stage, step);
  };
  const auto calls = [&] { return ground.model->calls() + flow->other_calls() + plan.other_calls(); };
  const Training training{plan.stages(),
                          flows::training_loss(schedule, context.spec().stream_key),
                          flow->chunk(),
                          flow->latent_dimension(),
                          calls,
                          [&] { return plan.known_labels(); },
                          [&](const std::map<std::string, Tensor>& named) { plan.restore_labels(named); }};
  physics::CallCount before;
  const flows::TrainingState state = trained(context, training, first_parameters(context, *flow), before);
  artifacts::Artifact result = result_of(state, flow->layout(), before + calls());
  add_single_parameters(result, *flow, state.parameters);
  return result;
}

}  // namespace bgw::tasks
