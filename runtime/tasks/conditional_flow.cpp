#include "runtime/tasks/conditional_flow.h"

#include <functional>

#include "runtime/physics/make_energy_model.h"

namespace bgw::tasks {
namespace {

StateValues middle_of(const Conditions& conditions) {
  return conditions.values(std::vector<double>(conditions.axes().size(), 0.0));
}

/// Gains follow the state; their scale of stiffness is a constant of the model. Of a network the large matrices are the same
/// everywhere, and what follows the state are its biases and what its last layer gives, beta times a force.
flows::Dependence of_mode_split(const std::string& name) {
  if (!name.starts_with("force.")) return name == "stiffness" ? flows::Dependence::none : flows::Dependence::polynomial;
  if (name.ends_with(".bias")) return flows::Dependence::polynomial;
  const bool gives = name.ends_with("out.weight") || name.ends_with("linear.weight");
  return gives ? flows::Dependence::scaled : flows::Dependence::none;
}

/// Biases follow the state, and the shifts of all axes of a global flow, which are biases too.
flows::Dependence of_couplings(const std::string& name) {
  return name.ends_with(".bias") || name.ends_with(".shift") ? flows::Dependence::polynomial : flows::Dependence::none;
}

std::function<flows::Dependence(const std::string&)> dependence_of(const schema::Value& flow) {
  return flow.at("type").as_string() == "mode_split" ? of_mode_split : of_couplings;
}

schema::Value in_the_middle(const schema::Value& train_arguments, const Conditions& conditions) {
  schema::Map arguments = train_arguments.as_map();
  arguments["system"] = conditions.system(middle_of(conditions));
  arguments["ensemble"] = conditions.ensemble(middle_of(conditions));
  return arguments;
}

}  // namespace

ConditionalFlow::ConditionalFlow(ConditionalBase base, const schema::Value& train_arguments)
    : base_(std::move(base)),
      train_arguments_(in_the_middle(train_arguments, base_.conditions())),
      ground_(base_.at(middle_of(base_.conditions()))),
      common_{learned_force_of(train_arguments_, ground_), std::make_shared<const crystal::Crystal>(physics::make_crystal(ground_.system))},
      flow_(on(ground_)),
      parameters_(std::make_unique<flows::ConditionalParameters>(flow_->layout(), std::ssize(conditions().axes()),
                                                                 dependence_of(train_arguments_.at("flow")))) {}

Common ConditionalFlow::common_on(const Ground& there) const {
  const schema::Value middle = conditions().moved(there.system, middle_of(conditions()));
  return {nullptr, std::make_shared<const crystal::Crystal>(physics::make_crystal(middle))};
}

std::unique_ptr<flows::Generator> ConditionalFlow::on(const Ground& ground) const {
  Common few = common_;
  few.batch = kSamplesOfAState;
  return make_flow(train_arguments_, ground, *ground.target, few);
}

double ConditionalFlow::scale(const StateValues& values) const {
  const auto& axes = conditions().axes();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].name == "temperature") return 0.5 * (axes[i].low + axes[i].high) / values.at(i);
  }
  return 1.0;
}

Tensor ConditionalFlow::at_state(const Tensor& parameters, const StateValues& values) const {
  return parameters_->at_state(parameters, conditions().coordinates(values), scale(values));
}

Tensor ConditionalFlow::gradient(const Tensor& of_one_state, const StateValues& values) const {
  return parameters_->gradient(of_one_state, conditions().coordinates(values), scale(values));
}

}  // namespace bgw::tasks
