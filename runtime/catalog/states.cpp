#include "runtime/catalog/states.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bgw::catalog {

using schema::CheckContext;
using schema::Map;
using schema::Type;
using schema::TypeKind;
using schema::UpstreamTask;
using schema::Value;

const std::vector<Variable>& variables() {
  static const std::vector<Variable> all{{"temperature", "ensemble", "temperature"}, {"pressure", "ensemble", "pressure"},
                                         {"density", "lattice", "density"},          {"c_over_a", "lattice", ""},
                                         {"b_over_a", "lattice", ""},                {"delta", "lattice", ""},
                                         {"lambda", "potential", ""}};
  return all;
}

std::vector<std::string> variable_names() {
  std::vector<std::string> names;
  for (const Variable& variable : variables()) names.push_back(variable.name);
  return names;
}

std::vector<schema::Attribute> variable_attributes(const std::function<Type(const Type&)>& of, const char* doc) {
  std::vector<schema::Attribute> attributes;
  for (const Variable& variable : variables()) {
    const Type single = variable.dimension.empty() ? Type::of(TypeKind::number) : Type::quantity(variable.dimension);
    const schema::Attribute attribute{variable.name, of(single), doc, false, {}};
    attributes.push_back(variable.name == "pressure" ? later(attribute) : attribute);
  }
  return attributes;
}

namespace {

Value with(const Value& map, const std::string& name, Value value) {
  Map changed = map.as_map();
  changed[name] = std::move(value);
  return changed;
}

/// The state with its variables fixed as the arguments of `at(…)` say.
State fixed(State state, const Value& call) {
  for (const Variable& variable : variables()) {
    const Value* value = given(call, variable.name);
    if (value == nullptr || !state.system || !state.ensemble) continue;
    if (variable.holder == "ensemble") state.ensemble = with(*state.ensemble, variable.name, *value);
    else state.system = with(*state.system, variable.holder, with(state.system->at(variable.holder), variable.name, *value));
  }
  return state;
}

/// `value` with every interval of `wide` in the place of a number within it.
Value widened(const Value& value, const Value& wide) {
  if (is_interval(wide) && value.is_number()) return range_of(wide).holds(value.as_double()) ? wide : value;
  if (!value.is_map() || !wide.is_map()) return value;
  Map map = value.as_map();
  for (auto& [name, member] : map) {
    if (const Value* other = wide.find(name)) member = widened(member, *other);
  }
  return map;
}

}  // namespace

const Value* State::find(const Variable& variable) const {
  if (!system || !ensemble) return nullptr;
  if (variable.holder == "ensemble") return given(*ensemble, variable.name);
  const Value* holder = given(*system, variable.holder);
  return holder == nullptr ? nullptr : given(*holder, variable.name);
}

std::vector<Variable> State::open() const {
  std::vector<Variable> found;
  for (const Variable& variable : variables()) {
    const Value* value = find(variable);
    if (value != nullptr && is_interval(*value)) found.push_back(variable);
  }
  return found;
}

State state_of(const Map& arguments) {
  State state;
  if (const Value* system = given(arguments, "system")) state.system = *system;
  if (const Value* ensemble = given(arguments, "ensemble")) state.ensemble = *ensemble;
  return state;
}

State state_of(const UpstreamTask& task, const CheckContext& context) {
  if (task.arguments == nullptr) return {};
  if (given(*task.arguments, "system") != nullptr) return state_of(*task.arguments);
  const Value* model = given(*task.arguments, "model");
  return model == nullptr ? State{} : state_of_model(*model, context);
}

State state_of_model(const Value& model, const CheckContext& context) {
  const Value* call = model.find("call");
  if (call == nullptr) return state_of(context.upstream(model), context);
  if (call->as_string() == "at") return fixed(state_of(context.upstream(model.at("model")), context), model);
  return state_of(context.upstream(model.at("base")), context);
}

UpstreamTask training_of(const Value& task_or_call, const CheckContext& context) {
  if (task_or_call.find("call") != nullptr) return training_of(task_or_call.at("model"), context);
  const UpstreamTask task = context.upstream(task_or_call);
  const Value* model = task.arguments == nullptr || task.noun == "train" ? nullptr : given(*task.arguments, "model");
  return model == nullptr ? task : training_of(*model, context);
}

bool carries_weights(const UpstreamTask& task) {
  if (task.noun == "sample") return true;
  const Value* method = task.noun == "reference" && task.arguments != nullptr ? given(*task.arguments, "method") : nullptr;
  return method != nullptr && method->as_string() == "ais";
}

void expect_weights(const Map& arguments, const UpstreamTask& samples, CheckContext& context) {
  const Value* weighted = given(arguments, "weighted");
  if (weighted == nullptr || !weighted->as_bool() || samples.arguments == nullptr) return;
  if (samples.noun == "data" || carries_weights(samples)) return;
  context.complain({"E0405", "weighted", fmt::format("the samples of `{}` carry no weights", samples.name), {}, {"leave `weighted` out"}});
}

void expect_same(const std::optional<Value>& mine, const std::optional<Value>& theirs, const char* what, const std::string& attribute,
                 const std::string& other, CheckContext& context) {
  if (!mine || !theirs || *mine == *theirs) return;
  context.complain({"E0404", attribute, fmt::format("{} and {} differ in their {}", context.block, other, what), {},
                    {fmt::format("give both the same {}", what)}});
}

void expect_within(const State& wide, const State& state, const std::string& attribute, const std::string& other, CheckContext& context) {
  const auto widened_or_none = [](const std::optional<Value>& value, const std::optional<Value>& range) {
    return value && range ? std::optional<Value>(widened(*value, *range)) : std::nullopt;
  };
  expect_same(widened_or_none(state.system, wide.system), wide.system, "system", attribute, other, context);
  expect_same(widened_or_none(state.ensemble, wide.ensemble), wide.ensemble, "ensemble", attribute, other, context);
}

void expect_one_state(const Map& arguments, CheckContext& context) {
  for (const Variable& variable : state_of(arguments).open()) {
    const std::string attribute = variable.holder == "ensemble" ? "ensemble" : "system";
    context.complain({"E0413", attribute, fmt::format("{} computes at one state, its {} leaves `{}` open", context.block, attribute, variable.name),
                      {fmt::format("`{}` is an interval in the {}", variable.name, variable.holder)},
                      {fmt::format("write for instance `{} = at(…, {} = {})`", attribute, variable.name, shown(context, range_of(*state_of(arguments).find(variable)).middle(), variable.dimension))}});
  }
}

void expect_constant_volume(const Map& arguments, const char* noun, CheckContext& context) {
  const Value* ensemble = given(arguments, "ensemble");
  const Value* kind = ensemble == nullptr || !ensemble->is_map() ? nullptr : given(*ensemble, "kind");
  if (kind != nullptr && kind->as_string() == "npt") context.not_yet(fmt::format("`ensemble.kind = npt` of a {}", noun));
}

}  // namespace bgw::catalog
