#include "compiler/lowering/program.h"

namespace bgw::lowering {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

Value doc_of(const Program& program, const NamedInstance& instance) {
  const auto found = program.docs.find(instance.noun + "." + instance.block);
  return found == program.docs.end() ? Value() : Value(found->second);
}

Value inputs_value(const std::vector<plan::TaskInput>& inputs) {
  Map map;
  for (const plan::TaskInput& input : inputs) map[input.role] = input.key.hex();
  return map;
}

}  // namespace

Value describe_model(const Program& program) {
  List blocks;
  for (const NamedInstance& instance : program.instances) {
    List indices;
    for (const auto& [axis, value] : instance.indices) indices.push_back(Map{{"axis", axis}, {"value", value}});
    Map block{{"kind", instance.noun}, {"name", instance.name}, {"indices", std::move(indices)}, {"doc", doc_of(program, instance)}};
    if (instance.task) {
      const plan::TaskSpec& task = program.plan.tasks[*instance.task];
      block["arguments"] = task.arguments;
      block["inputs"] = inputs_value(task.inputs);
      block["not_yet_run"] = List(task.later.begin(), task.later.end());
    } else if (instance.check) {
      block["arguments"] = program.plan.checks[*instance.check].arguments;
    } else if (const auto value = program.values.find(instance.noun + "." + instance.name); value != program.values.end()) {
      block["arguments"] = value->second;
    }
    blocks.push_back(std::move(block));
  }
  return Map{{"blocks", std::move(blocks)}};
}

Value describe_plan(const Program& program) {
  List tasks, checks, imports;
  for (const plan::TaskSpec& task : program.plan.tasks) {
    tasks.push_back(Map{{"name", task.name}, {"kind", task.kind}, {"version", task.version}, {"key", task.key.hex()},
                        {"stream_key", task.stream_key.hex()}, {"inline", task.placement == plan::Placement::inline_},
                        {"arguments", task.arguments}, {"inputs", inputs_value(task.inputs)}, {"policy", task.policy},
                        {"also_named", List(task.also_named.begin(), task.also_named.end())}, {"not_yet_run", List(task.later.begin(), task.later.end())}});
  }
  for (const plan::CheckSpec& check : program.plan.checks) {
    checks.push_back(Map{{"name", check.name}, {"kind", check.kind}, {"arguments", check.arguments}, {"inputs", inputs_value(check.inputs)}});
  }
  for (const auto& import : program.plan.imports) imports.push_back(Map{{"path", import.path}, {"sha256", import.sha256}});
  Map targets;
  for (const auto& [name, indices] : program.plan.targets) {
    List names;
    for (const std::size_t index : indices) names.push_back(program.plan.tasks[index].name);
    targets[name] = std::move(names);
  }
  return Map{{"program", program.plan.program}, {"sha256", program.plan.program_sha256}, {"imports", std::move(imports)}, {"overridden", program.plan.overridden},
             {"tasks", std::move(tasks)}, {"checks", std::move(checks)}, {"targets", std::move(targets)}};
}

}  // namespace bgw::lowering
