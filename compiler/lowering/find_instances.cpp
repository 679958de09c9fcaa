#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "compiler/lowering/program.h"
#include "compiler/source/diagnostic.h"
#include "compiler/units/unit_expression.h"

namespace bgw::lowering {
namespace {

/// `noun.block[index, …]` taken apart.
struct Spelling {
  std::string noun, block;
  bool indexed = false;
  std::vector<std::string> indices;  // "64", "*", "size=64"
};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<Spelling> take_apart(const std::string& text) {
  Spelling spelling;
  const auto bracket = text.find('[');
  std::string head = trimmed(text.substr(0, bracket));
  if (bracket != std::string::npos) {
    const auto close = text.rfind(']');
    if (close == std::string::npos || close < bracket || !trimmed(text.substr(close + 1)).empty()) return std::nullopt;
    spelling.indexed = true;
    std::string rest = text.substr(bracket + 1, close - bracket - 1);
    for (std::size_t begin = 0;;) {
      const auto comma = rest.find(',', begin);
      std::string item = trimmed(rest.substr(begin, comma == std::string::npos ? comma : comma - begin));
      std::erase(item, ' ');
      spelling.indices.push_back(item);
      if (comma == std::string::npos) break;
      begin = comma + 1;
    }
  }
  spelling.block = head;
  return spelling;
}

/// "200 K" is the index 200 of a family over temperatures, whose names hold base units.
std::string in_base_units(const std::string& index) {
  try {
    return fmt::format("{}", units::parse_quantity(index).value + 0.0);
  } catch (const std::invalid_argument&) {
    return index;
  }
}

bool same_index(const std::string& wanted, const std::string& index) { return wanted == "*" || wanted == index || in_base_units(wanted) == index; }

/// The axis that the i-th index of a spelling is for, and the value it wants; nullopt when there is no such axis.
std::optional<std::pair<std::size_t, std::string>> wanted_at(const NamedInstance& instance, const Spelling& spelling, std::size_t i) {
  const std::string& index = spelling.indices[i];
  const auto equals = index.find('=');
  if (equals == std::string::npos) return std::pair{i, index};
  for (std::size_t at = 0; at < instance.indices.size(); ++at) {
    if (instance.indices[at].first == index.substr(0, equals)) return std::pair{at, index.substr(equals + 1)};
  }
  return std::nullopt;
}

/// True when the instance has those indices; `problem` says what is wrong with the spelling itself.
bool matches(const NamedInstance& instance, const Spelling& spelling, std::string& problem) {
  if (!spelling.indexed) return true;
  if (spelling.indices.size() != instance.indices.size()) {
    problem = fmt::format("`{}` has {} {}, got {}", instance.block, instance.indices.size(), instance.indices.size() == 1 ? "index" : "indices", spelling.indices.size());
    return false;
  }
  for (std::size_t i = 0; i < spelling.indices.size(); ++i) {
    const auto wanted = wanted_at(instance, spelling, i);
    if (!wanted) {
      problem = fmt::format("`{}` has no axis `{}`", instance.block, spelling.indices[i].substr(0, spelling.indices[i].find('=')));
      return false;
    }
    if (!same_index(wanted->second, instance.indices[wanted->first].second)) return false;
  }
  return true;
}

std::vector<const NamedInstance*> candidates(const Program& program, const Spelling& spelling) {
  std::vector<const NamedInstance*> found;
  const auto block = program.blocks.find(spelling.block);
  if (block == program.blocks.end()) return found;
  for (const std::size_t index : block->second) {
    const NamedInstance& instance = program.instances[index];
    if (spelling.noun.empty() || instance.noun == spelling.noun) found.push_back(&instance);
  }
  return found;
}

/// "100 is not in axis `size` (64, 216)".
std::string missing_index(const std::vector<const NamedInstance*>& family, const Spelling& spelling) {
  for (std::size_t i = 0; i < spelling.indices.size(); ++i) {
    const auto wanted = wanted_at(*family.front(), spelling, i);
    if (!wanted || wanted->second == "*" || wanted->first >= family.front()->indices.size()) continue;
    std::vector<std::string> values;
    bool there = false;
    for (const NamedInstance* instance : family) {
      const std::string& value = instance->indices[wanted->first].second;
      there = there || same_index(wanted->second, value);
      if (values.size() < 8 && std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
    }
    if (!there) return fmt::format("{} is not in axis `{}` ({})", wanted->second, family.front()->indices[wanted->first].first, fmt::join(values, ", "));
  }
  return "";
}

void sort_and_thin(std::vector<std::size_t>& indices) {
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
}

std::string nothing_named(const Program& program, const std::string& spelling, const Spelling& parts) {
  std::set<std::string> known;
  for (const auto& [block, instances] : program.blocks) known.insert(block);
  for (const auto& [name, indices] : program.plan.targets) known.insert(name);
  const std::string nearest = source::nearest(parts.block, {known.begin(), known.end()});
  std::string problem = fmt::format("nothing in {} is named `{}`", program.plan.program, spelling);
  if (!nearest.empty()) return problem + fmt::format("; did you mean `{}`?", nearest);
  std::vector<std::string> targets;
  for (const auto& [name, tasks] : program.plan.targets) targets.push_back(name);
  for (const auto& [name, checks] : program.plan.target_checks) {
    if (!program.plan.targets.count(name)) targets.push_back(name);
  }
  constexpr std::size_t kShown = 8;
  if (!targets.empty()) {
    const auto end = targets.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, targets.size()));
    problem += fmt::format("; its targets are {}{}", fmt::join(targets.begin(), end, ", "), targets.size() > kShown ? ", …" : "");
  }
  return problem;
}

}  // namespace

Found find_instances(const Program& program, const std::string& spelling) {
  Found found;
  const auto tasks = program.plan.targets.find(spelling);
  const auto checks = program.plan.target_checks.find(spelling);
  if (tasks != program.plan.targets.end()) found.tasks = tasks->second;
  if (checks != program.plan.target_checks.end()) found.checks = checks->second;
  if (tasks != program.plan.targets.end() || checks != program.plan.target_checks.end()) return found;

  // A task made by an expression is named by it: `rdf(draws[64])`, `at(phonons, temperature = 600.0)`.
  const bool whole = program.blocks.count(spelling) != 0;
  const auto parts = whole ? std::optional(Spelling{{}, spelling, false, {}}) : take_apart(spelling);
  if (!parts) {
    found.problem = fmt::format("`{}` is no name: write `F`, `F[64]` or `F[*]`", spelling);
    return found;
  }
  // `sample.draws`, or `water.draws` of an import: the part in front is a kind when no block has the whole name.
  Spelling named = *parts;
  if (const auto dot = named.block.find('.'); dot != std::string::npos && !program.blocks.count(named.block)) {
    named.noun = named.block.substr(0, dot);
    named.block = named.block.substr(dot + 1);
  }
  const std::vector<const NamedInstance*> family = candidates(program, named);
  std::set<std::string> nouns;
  for (const NamedInstance* instance : family) {
    if (!matches(*instance, named, found.problem)) continue;
    nouns.insert(instance->noun);
    if (instance->task) found.tasks.push_back(*instance->task);
    else if (instance->check) found.checks.push_back(*instance->check);
    else found.values.push_back(instance->noun + "." + instance->name);
  }
  if (nouns.size() > 1) {
    std::vector<std::string> choices;
    for (const std::string& noun : nouns) choices.push_back(fmt::format("{}.{}", noun, spelling));
    found = {};
    found.problem = fmt::format("`{}` names several blocks: write {}", spelling, fmt::join(choices, " or "));
  } else if (!nouns.empty()) {
    found.problem.clear();
  } else if (!family.empty()) {
    const std::string missing = found.problem.empty() ? missing_index(family, named) : "";
    if (!missing.empty()) found.problem = missing;
  } else {
    found.problem = nothing_named(program, spelling, named);
  }
  sort_and_thin(found.tasks);
  return found;
}

}  // namespace bgw::lowering
