#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "compiler/lowering/program.h"
#include "compiler/source/diagnostic.h"

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
  if (const auto dot = head.find('.'); dot != std::string::npos) {
    spelling.noun = head.substr(0, dot);
    head = head.substr(dot + 1);
  }
  spelling.block = head;
  return spelling;
}

/// True when the instance has those indices; `problem` says what is wrong with the spelling itself.
bool matches(const NamedInstance& instance, const Spelling& spelling, std::string& problem) {
  if (!spelling.indexed) return true;
  if (spelling.indices.size() != instance.indices.size()) {
    problem = fmt::format("`{}` has {} {}, got {}", instance.block, instance.indices.size(), instance.indices.size() == 1 ? "index" : "indices", spelling.indices.size());
    return false;
  }
  for (std::size_t i = 0; i < spelling.indices.size(); ++i) {
    std::string wanted = spelling.indices[i];
    std::size_t at = i;
    if (const auto equals = wanted.find('='); equals != std::string::npos) {
      const std::string axis = wanted.substr(0, equals);
      wanted = wanted.substr(equals + 1);
      at = 0;
      while (at < instance.indices.size() && instance.indices[at].first != axis) ++at;
      if (at == instance.indices.size()) {
        problem = fmt::format("`{}` has no axis `{}`", instance.block, axis);
        return false;
      }
    }
    if (wanted != "*" && wanted != instance.indices[at].second) return false;
  }
  return true;
}

/// "100 is not in axis `size` (64, 216)".
std::string missing_index(const Program& program, const Spelling& spelling) {
  for (std::size_t i = 0; i < spelling.indices.size(); ++i) {
    const auto equals = spelling.indices[i].find('=');
    const std::string wanted = equals == std::string::npos ? spelling.indices[i] : spelling.indices[i].substr(equals + 1);
    if (wanted == "*") continue;
    std::vector<std::string> values;
    std::string axis;
    for (const NamedInstance& instance : program.instances) {
      if (instance.block != spelling.block || (!spelling.noun.empty() && instance.noun != spelling.noun)) continue;
      for (std::size_t k = 0; k < instance.indices.size(); ++k) {
        if (equals == std::string::npos ? k != i : instance.indices[k].first != spelling.indices[i].substr(0, equals)) continue;
        axis = instance.indices[k].first;
        if (std::find(values.begin(), values.end(), instance.indices[k].second) == values.end()) values.push_back(instance.indices[k].second);
      }
    }
    if (!axis.empty() && std::find(values.begin(), values.end(), wanted) == values.end()) {
      return fmt::format("{} is not in axis `{}` ({})", wanted, axis, fmt::join(values, ", "));
    }
  }
  return "";
}

}  // namespace

Found find_instances(const Program& program, const std::string& spelling) {
  Found found;
  const auto tasks = program.plan.targets.find(spelling);
  const auto checks = program.plan.target_checks.find(spelling);
  if (tasks != program.plan.targets.end()) found.tasks = tasks->second;
  if (checks != program.plan.target_checks.end()) found.checks = checks->second;
  if (tasks != program.plan.targets.end() || checks != program.plan.target_checks.end()) return found;

  const auto parts = take_apart(spelling);
  if (!parts) {
    found.problem = fmt::format("`{}` is no name: write `F`, `F[64]` or `F[*]`", spelling);
    return found;
  }
  std::set<std::string> nouns, known;
  bool family = false;
  for (const NamedInstance& instance : program.instances) {
    known.insert(instance.block);
    if (instance.block != parts->block || (!parts->noun.empty() && instance.noun != parts->noun)) continue;
    family = true;
    if (!matches(instance, *parts, found.problem)) continue;
    nouns.insert(instance.noun);
    if (instance.task) found.tasks.push_back(*instance.task);
    else if (instance.check) found.checks.push_back(*instance.check);
    else found.values.push_back(instance.noun + "." + instance.name);
  }
  for (const auto& [name, indices] : program.plan.targets) known.insert(name);
  if (nouns.size() > 1) {
    std::vector<std::string> choices;
    for (const std::string& noun : nouns) choices.push_back(fmt::format("{}.{}", noun, spelling));
    found = {};
    found.problem = fmt::format("`{}` names several blocks: write {}", spelling, fmt::join(choices, " or "));
  } else if (!nouns.empty()) {
    found.problem.clear();
  } else if (family) {
    const std::string missing = missing_index(program, *parts);
    if (!missing.empty()) found.problem = missing;
  } else {
    const std::string nearest = source::nearest(parts->block, {known.begin(), known.end()});
    found.problem = fmt::format("nothing in {} is named `{}`", program.plan.program, spelling);
    if (!nearest.empty()) found.problem += fmt::format("; did you mean `{}`?", nearest);
  }
  std::sort(found.tasks.begin(), found.tasks.end());
  found.tasks.erase(std::unique(found.tasks.begin(), found.tasks.end()), found.tasks.end());
  return found;
}

}  // namespace bgw::lowering
