#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/engine/task.h"
#include "runtime/flows/force_labels.h"
#include "runtime/flows/trainer.h"
#include "runtime/tasks/conditional_flow.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {

/// The stages of a training over ranges, and the loss of each of their steps. Every eight samples of a batch are at a state of
/// their own, drawn evenly over the ranges of the stage, with its own base and weights. The mean of the weights of eight is
/// taken from each of them: constants of a state, which no gradient sees, would pass for differences between samples.
class ConditionalTraining {
 public:
  /// @throws InputError for losses other than reverse_kl and force_matching, and as ConditionalFlow does
  explicit ConditionalTraining(engine::TaskContext& context);
  ConditionalTraining(const ConditionalTraining&) = delete;
  ConditionalTraining& operator=(const ConditionalTraining&) = delete;

  static constexpr std::int64_t kSamplesOfAState = ConditionalFlow::kSamplesOfAState;

  const ConditionalFlow& flow() const { return *flow_; }
  const std::vector<flows::Stage>& stages() const { return stages_; }
  std::int64_t dimension() const { return flow_->middle().latent_dimension(); }
  /// Theta to begin with.
  Tensor start() const;
  /// Of a portion of at most eight samples, all at one state. Called from several threads at once.
  flows::SampleLoss loss(const flows::Portion& portion, const Tensor& parameters) const;
  physics::CallCount calls() const;

  std::map<std::string, Tensor> known_labels() const;
  void restore_labels(const std::map<std::string, Tensor>& named);

 private:
  /// From where to where a coordinate of the state is drawn, in equal parts of the steps of a stage.
  using Walk = std::vector<std::pair<double, double>>;
  using LabelStates = std::vector<std::size_t>;  // of `labelled_`
  struct StageForm {
    std::vector<Walk> axes;
    flows::KlGradient gradient = flows::KlGradient::path;
    bool matching = false;
    double linearize_below = 0;  // angstrom; 0: the energy itself
    flows::ForceLabelOptions labels;
    std::vector<std::int64_t> stretches;    // step with which each stretch of one and the same walk begins
    std::vector<LabelStates> label_states;  // of each stretch; none where every step has new labels
  };
  /// A state at which forces are known.
  struct Labelled {
    StateValues values;
    Ground ground;
    std::unique_ptr<flows::ForceLabels> labels;
  };
  StateValues drawn_state(const tensor::RandomStream& stream, const flows::Portion& portion) const;
  flows::SampleLoss reverse_kl(const StageForm& form, const flows::Portion& portion, const Tensor& parameters) const;
  flows::SampleLoss force_matching(const StageForm& form, const flows::Portion& portion, const Tensor& parameters) const;
  static std::vector<std::int64_t> stretches_of(const std::vector<Walk>& axes, std::int64_t steps);
  void add_label_states(StageForm& form, std::size_t stage);
  void count(const physics::CallCount& calls) const;

  plan::Key stream_key_;
  std::unique_ptr<ConditionalFlow> flow_;
  std::vector<flows::Stage> stages_;
  std::vector<StageForm> forms_;
  std::vector<Labelled> labelled_;
  tensor::RandomStream latent_, state_, label_state_, choice_;
  mutable std::mutex mutex_;
  mutable physics::CallCount calls_;
};

}  // namespace bgw::tasks
