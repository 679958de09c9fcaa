#include "runtime/tasks/conditional_flow.h"

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/tasks/make_flow.h"

namespace bgw::tasks {
namespace {

StateValues middle_of(const Conditions& conditions) {
  return conditions.values(std::vector<double>(conditions.axes().size(), 0.0));
}

/// Gains follow the state; their scale of stiffness is a constant of the model. Of a network the large matrices are the same
/// everywhere, and what follows the state are its biases and what its last layer gives, beta times a force.
flows::Dependence dependence_of(const std::string& name) {
  if (!name.starts_with("force.")) return name == "stiffness" ? flows::Dependence::none : flows::Dependence::polynomial;
  if (name.ends_with(".bias")) return flows::Dependence::polynomial;
  const bool gives = name.ends_with("out.weight") || name.ends_with("linear.weight");
  return gives ? flows::Dependence::scaled : flows::Dependence::none;
}

const schema::Value& of_mode_split(const schema::Value& train_arguments) {
  const std::string& type = train_arguments.at("flow").at("type").as_string();
  if (type == "mode_split") return train_arguments;
  throw InputError(fmt::format("a flow of type '{}' is a function of no state in this version; write `type = mode_split`, or one "
                               "value in the place of each interval", type));
}

}  // namespace

ConditionalFlow::ConditionalFlow(ConditionalBase base, schema::Value train_arguments)
    : base_(std::move(base)),
      train_arguments_(of_mode_split(train_arguments)),
      ground_(base_.at(middle_of(base_.conditions()))),
      learned_(learned_force_of(train_arguments_, ground_)),
      flow_(on(ground_)),
      parameters_(std::make_unique<flows::ConditionalParameters>(flow_->layout(), std::ssize(conditions().axes()), dependence_of)) {}

std::unique_ptr<flows::Generator> ConditionalFlow::on(const Ground& ground) const {
  return make_flow(train_arguments_, ground, *ground.target, learned_);
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
