#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/schema/kind_schema.h"
#include "runtime/catalog/values.h"

// Which crystal under which conditions a task computes on, and which of their numbers an interval leaves open.
namespace bgw::catalog {

/// A number that may be an interval in a system or an ensemble: the flow is then conditioned on it.
struct Variable {
  std::string name;
  std::string holder;     // "ensemble", "lattice" or "potential"
  std::string dimension;  // "" is a number without a unit
};
const std::vector<Variable>& variables();
std::vector<std::string> variable_names();

/// One attribute a variable, of the type that `of` makes of the type of a single value.
std::vector<schema::Attribute> variable_attributes(const std::function<schema::Type(const schema::Type&)>& of, const char* doc);

/// The resolved system and ensemble of a task; empty when it has none or they are wrong.
struct State {
  std::optional<schema::Value> system;
  std::optional<schema::Value> ensemble;
  const schema::Value* find(const Variable& variable) const;
  /// The variables that are intervals.
  std::vector<Variable> open() const;
};
State state_of(const schema::Map& arguments);

/// The state that a task computes on, through `at(…)` and `transfer(…)`.
State state_of(const schema::UpstreamTask& task, const schema::CheckContext& context);
/// The same of what a sample draws from.
State state_of_model(const schema::Value& model, const schema::CheckContext& context);
/// The training behind a task, a model or samples.
schema::UpstreamTask training_of(const schema::Value& task_or_call, const schema::CheckContext& context);

/// True for samples that count by their weights: draws of a model, ends of annealed trajectories.
bool carries_weights(const schema::UpstreamTask& task);

/// Complains where weights are wanted of samples that carry none. Those of a file are known when it is read.
void expect_weights(const schema::Map& arguments, const schema::UpstreamTask& samples, schema::CheckContext& context);

/// Complains at `attribute` when two values that should describe the same crystal or conditions differ.
/// @param what   "system" or "ensemble"
/// @param other  what carries `theirs`, as it stands in the message
void expect_same(const std::optional<schema::Value>& mine, const std::optional<schema::Value>& theirs, const char* what,
                 const std::string& attribute, const std::string& other, schema::CheckContext& context);
/// The same where an interval of `wide` stands for each number within it.
void expect_within(const State& wide, const State& state, const std::string& attribute, const std::string& other, schema::CheckContext& context);

/// Notes that the task cannot run at constant pressure yet.
void expect_constant_volume(const schema::Map& arguments, const char* noun, schema::CheckContext& context);
/// Complains where an interval stands in a task that computes at one state.
void expect_one_state(const schema::Map& arguments, schema::CheckContext& context);

}  // namespace bgw::catalog
