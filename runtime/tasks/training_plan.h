#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/engine/task.h"
#include "runtime/flows/force_labels.h"
#include "runtime/flows/training_loss.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// The stages of a train task, and what each of their steps makes small. Not movable: objectives refer to crystals of
/// other temperatures and energy forms that live in here.
class TrainingPlan {
 public:
  /// @param flow  on the ground's own target, which must outlive the plan
  /// @throws InputError for stages that cannot run: a loss that no flow knows, data of another crystal, a linear part that
  ///         the potential has not, force matching of a flow that learns no force, or such a flow that nothing has matched
  TrainingPlan(engine::TaskContext& context, const Ground& ground, std::shared_ptr<const flows::Generator> flow);
  TrainingPlan(const TrainingPlan&) = delete;
  TrainingPlan& operator=(const TrainingPlan&) = delete;

  const std::vector<flows::Stage>& stages() const { return stages_; }
  const flows::Objective& objective(std::int64_t stage, std::int64_t step) const;
  /// Calls of the energies that stages have beside the ground's own.
  physics::CallCount other_calls() const;
  /// What stages know of the true force, labels/<number>/…, for a checkpoint: it is dear.
  std::map<std::string, Tensor> known_labels() const;
  /// @throws std::out_of_range when a name is missing
  void restore_labels(const std::map<std::string, Tensor>& named);

 private:
  /// The crystal of a stretch, where it is not the one that is asked for.
  struct Crystal {
    std::unique_ptr<physics::EnergyModel> model;  // none: that of the ground
    std::unique_ptr<physics::WhitenedTarget> target;
  };
  std::shared_ptr<const flows::Generator> flow_at(const schema::Value& arguments, const schema::Value& stage,
                                                  double temperature);
  flows::DataSource data_of(engine::TaskContext& context, std::size_t stage) const;
  /// Stages of one crystal with the same options share their labels.
  flows::LabelSource labels_of(const schema::Value& loss, const flows::Generator& flow, const plan::Key& stream_key);

  const Ground& ground_;
  std::shared_ptr<const flows::Generator> flow_;
  std::vector<flows::Stage> stages_;
  std::vector<std::vector<flows::Objective>> stretches_;  // of each stage, in equal parts of its steps
  std::vector<std::unique_ptr<Crystal>> others_;
  std::vector<std::unique_ptr<flows::ForceLabels>> labels_;
};

/// What a stage says of its steps. @param particles  `until_error` is of one particle, the trainer's of the whole crystal
flows::Stage stage_of(const schema::Value& stage, std::int64_t particles);
flows::ForceLabelOptions label_options(const schema::Value& loss);
/// Force matching moves the weights of the network, every other loss what is left.
/// @throws InputError where forces are matched and the flow learns none
void set_what_moves(const flows::Generator& flow, bool matching, flows::Stage& stage);

/// The configurations of samples, of chains or of a file, as displacements from the sites of a ground. [n, N, 3]
/// @throws InputError for another number of atoms
Tensor displacements_on(const Ground& ground, const artifacts::Artifact& data);

}  // namespace bgw::tasks
