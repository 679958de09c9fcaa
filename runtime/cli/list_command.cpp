#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <optional>
#include <set>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"

namespace bgw::cli {
namespace {

using lowering::NamedInstance;

// The instances a pattern picks, in the order of the program.
std::vector<const NamedInstance*> pick(const lowering::Program& program, const std::string& pattern) {
  std::vector<const NamedInstance*> picked;
  if (pattern.empty()) {
    for (const NamedInstance& instance : program.instances) picked.push_back(&instance);
    return picked;
  }
  const lowering::Found found = lowering::find_instances(program, pattern);
  if (!found.problem.empty()) throw CommandFailure(kWrongProgram, found.problem);
  const std::set<std::size_t> tasks(found.tasks.begin(), found.tasks.end()), checks(found.checks.begin(), found.checks.end());
  const std::set<std::string> values(found.values.begin(), found.values.end());
  const auto has = [](const std::set<std::size_t>& indices, std::optional<std::size_t> index) { return index && indices.count(*index) != 0; };
  for (const NamedInstance& instance : program.instances) {
    const bool value = values.count(instance.noun + "." + instance.name) != 0;
    if (has(tasks, instance.task) || has(checks, instance.check) || value) picked.push_back(&instance);
  }
  return picked;
}

std::string key_of(const lowering::Program& program, const NamedInstance& instance) {
  return instance.task ? program.plan.tasks[*instance.task].key.hex() : "";
}

void print_counts(const std::vector<const NamedInstance*>& picked, bool json) {
  std::map<std::string, std::int64_t> counts;
  for (const NamedInstance* instance : picked) ++counts[instance->noun];
  if (json) {
    schema::Map map;
    for (const auto& [noun, count] : counts) map.insert_or_assign(noun, count);
    put_document(schema::Map{{"count", static_cast<std::int64_t>(picked.size())}, {"kinds", std::move(map)}});
    return;
  }
  std::vector<std::string> parts;
  for (const auto& [noun, count] : counts) parts.push_back(fmt::format("{} {}", noun, count));
  fmt::print("{} {}{}{}\n", picked.size(), picked.size() == 1 ? "instance" : "instances", parts.empty() ? "" : ": ",
             fmt::join(parts, ", "));
}

}  // namespace

int list(const ListOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const std::vector<const NamedInstance*> picked = pick(loaded.program, options.pattern);
  if (options.count) {
    print_counts(picked, options.json);
    return kDone;
  }
  schema::List names;
  for (const NamedInstance* instance : picked) {
    if (options.json)
      names.push_back(
          schema::Map{{"name", instance->name}, {"kind", instance->noun}, {"key", key_of(loaded.program, *instance)}});
    else
      fmt::print("{}.{}\n", instance->noun, instance->name);
  }
  if (options.json) put_document(names);
  return kDone;
}

}  // namespace bgw::cli
