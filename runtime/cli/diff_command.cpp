#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/known_tasks.h"
#include "runtime/report/number_format.h"
#include "runtime/report/program_units.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

using artifacts::Result;
using schema::Map;
using schema::Value;

std::string count_of(std::size_t count, const char* one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

// ---- two tasks -------------------------------------------------------------------------------------------------------

// A number that both results have or one of them.
struct ResultPair {
  std::string name, unit;
  std::optional<Result> before, now;
  std::optional<double> difference() const {
    if (!before || !now || before->unit != now->unit) return std::nullopt;
    return now->value - before->value;
  }
  // In standard errors of the difference; the two are taken as independent.
  std::optional<double> sigmas() const {
    const std::optional<double> distance = difference();
    if (!distance) return std::nullopt;
    const double sigma = std::hypot(before->sigma.value_or(0), now->sigma.value_or(0));
    return sigma > 0 ? std::optional(*distance / sigma) : std::nullopt;
  }
};

std::map<std::string, Result> results_of(const KnownTask& task, const store::Cache& cache) {
  std::map<std::string, Result> results;
  const std::optional<store::Manifest> manifest = cache.manifest(task.key);
  if (!manifest) return results;
  plan::TaskSpec units;
  units.presentation = task.presentation;
  for (const Result& result : manifest->results) results.emplace(result.name, report::in_unit_of_program(result, units));
  return results;
}

std::vector<ResultPair> result_pairs(const KnownTask& a, const KnownTask& b, const store::Cache& cache) {
  const std::map<std::string, Result> before = results_of(a, cache);
  const std::map<std::string, Result> now = results_of(b, cache);
  std::set<std::string> names;
  for (const auto& [name, result] : before) names.insert(name);
  for (const auto& [name, result] : now) names.insert(name);
  std::vector<ResultPair> pairs;
  for (const std::string& name : names) {
    ResultPair pair{name, "", std::nullopt, std::nullopt};
    if (const auto found = before.find(name); found != before.end()) pair.before = found->second;
    if (const auto found = now.find(name); found != now.end()) pair.now = found->second;
    pair.unit = pair.before ? pair.before->unit : pair.now->unit;
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

std::string number_text(const std::optional<Result>& result) {
  return result ? report::format_result(result->value, result->sigma) : "none";
}

void print_results(const std::vector<ResultPair>& pairs) {
  if (pairs.empty()) return;
  report::TextTable table{{{"result"}, {"first", true}, {"second", true}, {"difference", true}, {"sigmas", true}, {"unit"}}, {}};
  for (const ResultPair& pair : pairs) {
    const std::optional<double> difference = pair.difference();
    const std::optional<double> sigmas = pair.sigmas();
    table.rows.push_back({pair.name, number_text(pair.before), number_text(pair.now), difference ? fmt::format("{:.3g}", *difference) : "",
                          sigmas ? fmt::format("{:.1f}", *sigmas) : "", pair.unit});
  }
  fmt::print("{}", report::render(table, "  "));
}

std::string called(const std::optional<plan::Key>& key, KnownTasks& tasks) {
  if (!key) return "none";
  const std::optional<KnownTask> known = tasks.find(*key);
  return known && !known->name.empty() ? fmt::format("{} {}", known->name, key->short_hex()) : key->short_hex();
}

std::string headline(const KnownTask& task, const store::Cache& cache, KnownTasks& tasks) {
  const bool there = cache.manifest(task.key) || (tasks.history() && tasks.history()->has_row(task.key));
  return fmt::format("{}  {} ({}){}", task.key.short_hex(), task.called(), task.kind, there ? "" : ", no result");
}

void print_text(const KnownTask& a, const KnownTask& b, const engine::Comparison& comparison, KnownTasks& tasks) {
  fmt::print("first   {}\nsecond  {}\n", headline(a, tasks.cache(), tasks), headline(b, tasks.cache(), tasks));
  if (a.key == b.key) fmt::print("  the same key: all that decides their numbers is equal\n");
  for (const ShownChange& change : shown_changes(comparison, a, b)) fmt::print("  {}\n", to_text(change));
  for (const engine::InputChange& input : comparison.inputs) {
    fmt::print("  input {}: {} -> {}\n", input.role, called(input.before, tasks), called(input.now, tasks));
  }
  fmt::print("  equal: {}, {}\n", count_of(comparison.same_fields, "field"), count_of(comparison.same_inputs, "input"));
  print_results(result_pairs(a, b, tasks.cache()));
}

Value number_json(const std::optional<Result>& result) {
  if (!result) return {};
  return Map{{"value", artifacts::number_or_none(result->value)},
             {"sigma", result->sigma ? artifacts::number_or_none(*result->sigma) : Value()}};
}

Value side_json(const KnownTask& task) { return Map{{"key", task.key.hex()}, {"name", task.name}, {"kind", task.kind}}; }

Value to_value(const KnownTask& a, const KnownTask& b, const engine::Comparison& comparison, KnownTasks& tasks) {
  const auto key = [](const std::optional<plan::Key>& k) { return k ? Value(k->hex()) : Value(); };
  schema::List inputs, results;
  for (const engine::InputChange& input : comparison.inputs)
    inputs.push_back(Map{{"role", input.role}, {"before", key(input.before)}, {"now", key(input.now)}});
  for (const ResultPair& pair : result_pairs(a, b, tasks.cache())) {
    const std::optional<double> difference = pair.difference();
    const std::optional<double> sigmas = pair.sigmas();
    results.push_back(Map{{"name", pair.name},
                          {"unit", pair.unit},
                          {"before", number_json(pair.before)},
                          {"now", number_json(pair.now)},
                          {"difference", difference ? artifacts::number_or_none(*difference) : Value()},
                          {"sigmas", sigmas ? artifacts::number_or_none(*sigmas) : Value()}});
  }
  return Map{{"before", side_json(a)},
             {"now", side_json(b)},
             {"changes", cli::to_value(shown_changes(comparison, a, b))},
             {"same_fields", static_cast<std::int64_t>(comparison.same_fields)},
             {"inputs", std::move(inputs)},
             {"same_inputs", static_cast<std::int64_t>(comparison.same_inputs)},
             {"results", std::move(results)}};
}

int diff_tasks(KnownTasks& tasks, const std::string& first, const std::string& second, bool json) {
  const KnownTask a = tasks.get(tasks.one(first));
  const KnownTask b = tasks.get(tasks.one(second));
  const engine::Comparison comparison = engine::compare(a.preimage, b.preimage);
  if (json)
    put_document(to_value(a, b, comparison, tasks));
  else
    print_text(a, b, comparison, tasks);
  return kDone;
}

// ---- two programs ----------------------------------------------------------------------------------------------------

struct ProgramDifference {
  std::vector<std::pair<KnownTask, KnownTask>> changed;  // tasks of one name with other keys, in the order of the second
  std::vector<std::string> removed, added;
  std::size_t same = 0;
};

ProgramDifference compare_programs(const lowering::Program& a, const lowering::Program& b, KnownTasks& tasks_a, KnownTasks& tasks_b) {
  std::map<std::pair<std::string, std::string>, plan::Key> before;  // blocks of two kinds may share a name
  for (const plan::TaskSpec& spec : a.plan.tasks) before.emplace(std::pair{spec.name, spec.kind}, spec.key);
  ProgramDifference difference;
  for (const plan::TaskSpec& spec : b.plan.tasks) {
    const auto found = before.find({spec.name, spec.kind});
    if (found == before.end())
      difference.added.push_back(spec.name);
    else if (found->second == spec.key)
      ++difference.same;
    else
      difference.changed.emplace_back(tasks_a.get(found->second), tasks_b.get(spec.key));
    if (found != before.end()) before.erase(found);
  }
  for (const auto& [task, key] : before) difference.removed.push_back(task.first);
  return difference;
}

std::string changes_text(const KnownTask& a, const KnownTask& b) {
  const engine::Comparison comparison = engine::compare(a.preimage, b.preimage);
  std::string text;
  for (const ShownChange& change : shown_changes(comparison, a, b)) text += (text.empty() ? "" : ", ") + to_text(change);
  if (text.empty()) text = "its inputs";
  return text;
}

void print_text(const ProgramDifference& difference) {
  for (const auto& [a, b] : difference.changed) fmt::print("  changed  {}: {}\n", b.name, changes_text(a, b));
  for (const std::string& name : difference.removed) fmt::print("  removed  {}\n", name);
  for (const std::string& name : difference.added) fmt::print("  added    {}\n", name);
  fmt::print("  {} with the same key, {} changed, {} removed, {} added\n", count_of(difference.same, "task"), difference.changed.size(),
             difference.removed.size(), difference.added.size());
}

Value to_value(const ProgramDifference& difference) {
  schema::List changed;
  for (const auto& [a, b] : difference.changed) {
    const engine::Comparison comparison = engine::compare(a.preimage, b.preimage);
    changed.push_back(Map{{"name", b.name}, {"before", a.key.hex()}, {"now", b.key.hex()}, {"changes", cli::to_value(shown_changes(comparison, a, b))}});
  }
  return Map{{"same", static_cast<std::int64_t>(difference.same)},
             {"changed", std::move(changed)},
             {"removed", schema::List(difference.removed.begin(), difference.removed.end())},
             {"added", schema::List(difference.added.begin(), difference.added.end())}};
}

int diff_programs(const DiffOptions& options, const std::string& first, const std::string& second) {
  ProgramOptions one = options;
  one.program = first;
  ProgramOptions other = options;
  other.program = second;
  const LoadedProgram a = load_program(one);
  const LoadedProgram b = load_program(other);
  store::Cache cache_a = store::Cache::look(cache_directory(one));
  store::Cache cache_b = store::Cache::look(cache_directory(other));
  KnownTasks tasks_a(&a.program, cache_a);
  KnownTasks tasks_b(&b.program, cache_b);
  const ProgramDifference difference = compare_programs(a.program, b.program, tasks_a, tasks_b);
  if (options.json)
    put_document(to_value(difference));
  else
    print_text(difference);
  return kDone;
}

bool is_program(const std::string& word) { return word.ends_with(".bgw"); }

}  // namespace

int diff(const DiffOptions& options) {
  if (options.names.size() == 2) {
    const LoadedProgram loaded = load_program(options);
    store::Cache cache = store::Cache::look(cache_directory(options));
    KnownTasks tasks(&loaded.program, cache);
    return diff_tasks(tasks, options.names[0], options.names[1], options.json);
  }
  if (is_program(options.program) && is_program(options.names[0])) return diff_programs(options, options.program, options.names[0]);
  ProgramOptions here = options;
  here.program.clear();  // it is a key
  store::Cache cache = store::Cache::look(cache_directory(here));
  KnownTasks tasks(nullptr, cache);
  return diff_tasks(tasks, options.program, options.names[0], options.json);
}

}  // namespace bgw::cli
