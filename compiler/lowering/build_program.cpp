#include "compiler/lowering/build_program.h"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "compiler/plan/sha256.h"

namespace bgw::lowering {
namespace {

using schema::List;
using schema::Makes;
using schema::Map;
using schema::Value;
using semantics::Instance;

constexpr double kSecondsPerFemtosecond = 1e-15;
constexpr double kMostBytes = 9e18;  // of an int

bool is_work(const Instance& instance) {
  const Makes makes = instance.kind->makes;
  return makes == Makes::task || makes == Makes::inline_task || makes == Makes::check;
}

/// Rewrites {"task": name} to {"task": role}, where the role is the place at which the map stands. Expressions of
/// tables, figures and checks name a task often: there the first place serves for all.
class RoleWriter {
 public:
  explicit RoleWriter(bool one_role_a_task) : one_role_a_task_(one_role_a_task) {}

  Value rewrite(const Value& value, const std::string& path) {
    if (value.is_list()) {
      List list;
      for (std::size_t i = 0; i < value.as_list().size(); ++i) list.push_back(rewrite(value.as_list()[i], join(path, std::to_string(i))));
      return list;
    }
    if (!value.is_map()) return value;
    Map map;
    for (const auto& [name, member] : value.as_map()) {
      if (name == "task" && member.is_string()) map[name] = role_of(member.as_string(), path);
      else map[name] = rewrite(member, join(path, name));
    }
    return map;
  }

  const std::map<std::string, std::string>& tasks() const { return tasks_; }  // role -> full name

 private:
  static std::string join(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

  std::string role_of(const std::string& task, const std::string& path) {
    if (one_role_a_task_) {
      const auto known = role_of_task_.find(task);
      if (known != role_of_task_.end()) return known->second;
      role_of_task_[task] = path;
    }
    tasks_[path] = task;
    return path;
  }

  bool one_role_a_task_;
  std::map<std::string, std::string> tasks_, role_of_task_;
};

Value without_lengths(const Value& value) {
  static const std::set<std::string> kLengths{"steps", "count", "produce"};
  if (value.is_list()) {
    List list;
    for (const Value& item : value.as_list()) list.push_back(without_lengths(item));
    return list;
  }
  if (!value.is_map()) return value;
  Map map;
  for (const auto& [name, member] : value.as_map()) {
    if (!kLengths.count(name)) map[name] = without_lengths(member);
  }
  return map;
}

std::string preimage(const std::string& kind, int version, const Value& arguments, const Map& inputs) {
  return schema::to_json(Map{{"record", "bgw-key/1"}, {"kind", kind}, {"version", version}, {"arguments", arguments}, {"inputs", inputs}});
}

/// Durations in seconds, memory in whole bytes.
Value policy_of(const Map& resolved) {
  Map policy = resolved;
  const auto in_seconds = [](Map& map, const char* from, const char* to) {
    const auto found = map.find(from);
    if (found == map.end()) return;
    const Value value = found->second;
    map.erase(found);
    if (value.is_number()) map[to] = value.as_double() * kSecondsPerFemtosecond;
  };
  in_seconds(policy, "walltime", "walltime");
  if (const auto memory = policy.find("memory"); memory != policy.end()) {
    if (memory->second.is_number()) memory->second = static_cast<std::int64_t>(std::min(memory->second.as_double(), kMostBytes));
    else policy.erase(memory);
  }
  for (const auto& [block, from, to] : {std::tuple{"checkpoint", "every", "every_s"}, std::tuple{"retry", "backoff", "backoff_s"}}) {
    const auto found = policy.find(block);
    if (found == policy.end()) continue;
    Map members = found->second.as_map();
    in_seconds(members, from, to);
    found->second = std::move(members);
  }
  return policy;
}

Value presentation_of(const Instance& instance) {
  Map indices;
  for (const auto& index : instance.indices) indices[index.variable] = index.value;
  return Map{{"noun", instance.kind->noun}, {"block", instance.block}, {"indices", std::move(indices)},
             {"energy_unit", instance.energy_unit}, {"length_unit", instance.length_unit}};
}

class Builder {
 public:
  Builder(const semantics::Model& model, const source::SourceFile& text) : model_(model) {
    program_.plan.program = text.path();
    program_.plan.program_sha256 = plan::sha256(text.text()).hex();
    program_.plan.overridden = model.overridden;
    for (const Instance& instance : model.instances) by_name_[instance.full_name] = &instance;
  }

  Program build() {
    for (const Instance& instance : model_.instances) {
      if (instance.kind->makes == Makes::check) continue;
      if (is_work(instance)) add_task(instance);
    }
    for (const Instance& instance : model_.instances) {
      if (instance.kind->makes == Makes::check) add_check(instance);
      if (instance.kind->makes == Makes::value) add_value(instance);
    }
    for (const Instance& instance : model_.instances) add_name(instance);
    add_targets();
    return std::move(program_);
  }

 private:
  /// Adds the tasks it reads first, so the plan is in an order in which it can run.
  std::size_t add_task(const Instance& instance) {
    const auto done = task_of_.find(&instance);
    if (done != task_of_.end()) return done->second;
    plan::TaskSpec spec;
    spec.name = instance.name;
    spec.kind = instance.kind->noun;
    spec.version = instance.kind->version;
    spec.placement = instance.kind->makes == Makes::inline_task ? plan::Placement::inline_ : plan::Placement::child;
    spec.policy = policy_of(instance.policy);
    spec.presentation = presentation_of(instance);
    RoleWriter roles(spec.placement == plan::Placement::inline_);
    spec.arguments = roles.rewrite(instance.arguments, "");
    Map keys, stream_keys;
    spec.inputs = inputs_of(roles, &keys, &stream_keys);
    spec.key = plan::sha256(preimage(spec.kind, spec.version, spec.arguments, keys));
    spec.stream_key = plan::sha256(preimage(spec.kind, spec.version, without_lengths(spec.arguments), stream_keys));
    const auto [same, fresh] = task_of_key_.emplace(spec.key, program_.plan.tasks.size());
    if (fresh) program_.plan.tasks.push_back(std::move(spec));
    else program_.plan.tasks[same->second].also_named.push_back(instance.name);
    task_of_[&instance] = same->second;
    return same->second;
  }

  std::vector<plan::TaskInput> inputs_of(const RoleWriter& roles, Map* keys, Map* stream_keys) {
    std::vector<plan::TaskInput> inputs;
    for (const auto& [role, name] : roles.tasks()) {
      const std::size_t task = add_task(*by_name_.at(name));
      const plan::TaskSpec& upstream = program_.plan.tasks[task];
      inputs.push_back({role, upstream.key, task});
      if (keys) (*keys)[role] = upstream.key.hex();
      if (stream_keys) (*stream_keys)[role] = upstream.stream_key.hex();
    }
    return inputs;
  }

  void add_check(const Instance& instance) {
    plan::CheckSpec check;
    check.name = instance.name;
    check.kind = instance.kind->noun;
    RoleWriter roles(true);
    check.arguments = roles.rewrite(instance.arguments, "");
    check.inputs = inputs_of(roles, nullptr, nullptr);
    check_of_[&instance] = program_.plan.checks.size();
    program_.plan.checks.push_back(std::move(check));
  }

  void add_value(const Instance& instance) {
    for (const std::string& name : {instance.name, instance.full_name}) {
      if (program_.values.count(name)) continue;
      program_.values[name] = instance.arguments;
      program_.presentations[name] = presentation_of(instance);
    }
  }

  void add_name(const Instance& instance) {
    NamedInstance named{instance.kind->noun, instance.block, instance.name, {}, {}, {}};
    for (const auto& index : instance.indices) {
      // `rdf(draws[64])` keeps the indices of what it is made of for show; its own name has none.
      if (instance.name != instance.full_name) named.indices.emplace_back(index.axis, index.text);
    }
    if (const auto task = task_of_.find(&instance); task != task_of_.end()) named.task = task->second;
    if (const auto check = check_of_.find(&instance); check != check_of_.end()) named.check = check->second;
    program_.instances.push_back(std::move(named));
  }

  void want(const std::string& name, const NamedInstance& instance) {
    if (instance.task) program_.plan.targets[name].push_back(*instance.task);
    if (instance.check) program_.plan.target_checks[name].push_back(*instance.check);
  }

  void add_targets() {
    std::map<std::string, std::set<std::string>> nouns_of_block;
    std::set<std::string> declared;
    for (const auto& target : model_.targets) declared.insert(target.name);
    if (!declared.count("default")) add_sinks();
    declared.insert("default");
    for (const NamedInstance& instance : program_.instances) nouns_of_block[instance.block].insert(instance.noun);
    for (const NamedInstance& instance : program_.instances) {
      if (!instance.task && !instance.check) continue;
      std::set<std::string> names{instance.noun + "." + instance.block, instance.noun + "." + instance.name};
      if (nouns_of_block[instance.block].size() == 1) names.insert({instance.block, instance.name});
      for (const std::string& name : names) {
        if (!declared.count(name)) want(name, instance);
      }
    }
    for (const auto& target : model_.targets) {
      program_.plan.targets[target.name];
      for (const Instance* instance : target.wanted) {
        if (const auto task = task_of_.find(instance); task != task_of_.end()) program_.plan.targets[target.name].push_back(task->second);
        if (const auto check = check_of_.find(instance); check != check_of_.end()) program_.plan.target_checks[target.name].push_back(check->second);
      }
    }
    for (auto* targets : {&program_.plan.targets, &program_.plan.target_checks}) {
      for (auto& [name, indices] : *targets) {
        std::sort(indices.begin(), indices.end());
        indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
      }
    }
  }

  /// Without a target, what nothing else reads is wanted, and every check.
  void add_sinks() {
    std::vector<bool> read(program_.plan.tasks.size(), false);
    for (const auto& task : program_.plan.tasks) {
      for (const auto& input : task.inputs) read[input.task] = true;
    }
    auto& tasks = program_.plan.targets["default"];
    for (std::size_t i = 0; i < read.size(); ++i) {
      if (!read[i]) tasks.push_back(i);
    }
    for (std::size_t i = 0; i < program_.plan.checks.size(); ++i) program_.plan.target_checks["default"].push_back(i);
  }

  const semantics::Model& model_;
  Program program_;
  std::map<std::string, const Instance*> by_name_;
  std::map<const Instance*, std::size_t> task_of_, check_of_;
  std::map<plan::Key, std::size_t> task_of_key_;
};

}  // namespace

Program build_program(const semantics::Model& model, const source::SourceFile& text) { return Builder(model, text).build(); }

}  // namespace bgw::lowering
