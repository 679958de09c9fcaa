#include <array>

#include "runtime/engine/extension.h"
#include "runtime/flows/generate.h"
#include "runtime/flows/trainer.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

flows::LearningRate learning_rate(const schema::Value& value) {
  if (value.is_number()) return {flows::LearningRate::Kind::constant, value.as_double()};
  const std::string& name = value.at("call").as_string();
  if (name == "one_cycle") return {flows::LearningRate::Kind::one_cycle, value.at("peak").as_double()};
  if (name == "cosine") return {flows::LearningRate::Kind::cosine, value.at("peak").as_double()};
  throw InputError("no learning rate schedule '" + name + "'");
}

flows::KlGradient gradient_of(const schema::Value& loss) {
  const std::string& name = loss.at("call").as_string();
  if (name != "reverse_kl") throw InputError("no loss '" + name + "' for a mode_split flow");
  return loss.string_or("gradient", "path") == "total" ? flows::KlGradient::total : flows::KlGradient::path;
}

std::vector<flows::Stage> stages_of(const schema::Value& arguments) {
  std::vector<flows::Stage> stages;
  for (const schema::Value& value : arguments.at("stages").as_list()) {
    stages.push_back({value.at("name").as_string(), gradient_of(value.at("loss")), value.at("steps").as_int(),
                      value.at("batch").as_int(), learning_rate(value.at("learning_rate"))});
  }
  return stages;
}

artifacts::Artifact checkpoint_of(const flows::TrainingState& state, const physics::CallCount& calls) {
  return checkpoint_from(flows::to_named_tensors(state), calls);
}

flows::TrainingState state_from(const artifacts::Artifact& checkpoint) {
  return flows::training_state_from(named_tensors_of(checkpoint));
}

/// As it was after the last step, before the last stage was left: a longer last stage goes on from there.
flows::TrainingState at_the_last_step(flows::TrainingState state, const std::vector<flows::Stage>& stages) {
  state.stage = std::ssize(stages) - 1;
  state.step = stages.back().steps;
  return state;
}

engine::Progress progress_of(const flows::TrainingState& state, const std::vector<flows::Stage>& stages) {
  const auto stage = static_cast<std::size_t>(std::min<std::int64_t>(state.stage, std::ssize(stages) - 1));
  engine::Progress progress;
  progress.phase = "stage " + stages[stage].name;
  for (const flows::Stage& each : stages) progress.steps += each.steps;
  progress.step = state.total;
  if (!state.history.loss.empty()) {
    progress.numbers = {{"loss", state.history.loss.back()}, {"ess", state.history.ess.back()}};
  }
  return progress;
}

// What the five numbers are, in the order of kModeSplitParameters; the formulas stand in runtime/flows/mode_split.h.
constexpr std::array<const char*, flows::kModeSplitParameters.size()> kMeanings = {
    "flow: weight of the force by which one half of the modes moves the other",
    "flow: amplification of the half that acts", "flow: weight of the look-ahead correction",
    "flow: step of the look-ahead", "flow: logarithm of the overall widening of the Gaussian"};

artifacts::Artifact result_of(const flows::TrainingState& state, const physics::CallCount& calls) {
  artifacts::Artifact result;
  for (std::size_t i = 0; i < flows::kModeSplitParameters.size(); ++i) {
    const double value = state.parameters.data_ptr<double>()[i];
    result.arrays[std::string("parameters/") + flows::kModeSplitParameters[i]] = {{1}, {value}, {}, ""};
    result.results.push_back({flows::kModeSplitParameters[i], value, {}, "", {}, kMeanings[i]});
  }
  const auto steps = std::ssize(state.history.loss);
  std::vector<double> step(static_cast<std::size_t>(steps));
  for (std::size_t i = 0; i < step.size(); ++i) step[i] = static_cast<double>(i + 1);
  result.arrays["history/step"] = {{steps}, step, {}, ""};
  result.arrays["history/loss"] = {{steps}, state.history.loss, {}, "kT"};
  result.arrays["history/ess"] = {{steps}, state.history.ess, {}, ""};
  result.results.push_back({"loss",
                            -state.latest_log_weights.mean().item<double>(),
                            {},
                            "kT",
                            state.latest_log_weights.numel(),
                            "reverse KL up to a constant, over the last training samples"});
  result.results.push_back({"ess",
                            state.history.ess.back(),
                            {},
                            "",
                            state.latest_log_weights.numel(),
                            "running, over the last training samples"});
  result.cost = cost_of(calls);
  return result;
}

}  // namespace

artifacts::Artifact train(engine::TaskContext& context) {
  const Ground ground = make_ground(context.input_spec("base"), *context.input("base"));
  const auto flow = make_flow(context.arguments(), ground);
  const std::vector<flows::Stage> stages = stages_of(context.arguments());

  flows::TrainingState state = flows::start_training(flows::mode_split_start());
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  }
  const auto calls = [&] { return before + ground.model->calls(); };
  const auto checkpoint = [&] { return checkpoint_of(state, calls()); };
  const Listening listening = stop_in_interludes(context, checkpoint);
  flows::train(flows::reverse_kl_of(*flow), ground.target->dimension(), stages, context.spec().stream_key,
               configurations_at_once(ground.particles()), state, [&](const flows::TrainingState& now) {
                 context.report(progress_of(now, stages));
                 context.step_done(checkpoint);
               });
  if (engine::can_be_extended(context.spec())) {
    context.keep_state(checkpoint_of(at_the_last_step(state, stages), calls()));
  }
  return result_of(state, calls());
}

}  // namespace bgw::tasks
