#include "runtime/cli/result_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "runtime/cli/terminal.h"
#include "runtime/engine/task_inputs.h"
#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/task_results.h"
#include "runtime/report/number_format.h"
#include "runtime/report/program_units.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

using schema::Map;
using schema::Value;

void put_number(Map& map, const std::string& name, std::optional<double> x) {
  if (x && std::isfinite(*x))
    map.insert_or_assign(name, *x);
  else
    map.insert_or_assign(name, nullptr);
}

void put_result(Map& map, const artifacts::Result& result) {
  put_number(map, "value", result.value);
  put_number(map, "sigma", result.sigma);
  map.insert_or_assign("unit", result.unit);
  map.insert_or_assign("convention", result.convention);
  if (result.n) map.insert_or_assign("n", *result.n);
}

Value cost_json(const artifacts::Cost& cost) {
  return Map{{"energy_calls", cost.energy_calls},
             {"gradient_calls", cost.gradient_calls},
             {"hessian_calls", cost.hessian_calls},
             {"energy_call_equivalents", cost.energy_call_equivalents()},
             {"seconds", cost.seconds}};
}

Value provenance_json(const store::Manifest& manifest, const plan::TaskSpec& spec) {
  const store::Provenance& p = manifest.provenance;
  Map inputs;
  for (const auto& [role, key] : manifest.inputs) inputs.insert_or_assign(role, key.hex());
  Map map{
      {"bgw_version", p.bgw_version}, {"host", p.host},      {"device", p.device},       {"cpus", p.cpus},
      {"started_us", p.started},      {"ended_us", p.ended}, {"libraries", p.libraries}, {"made_as", manifest.name},
      {"inputs", std::move(inputs)}};
  if (p.extended_from) map.insert_or_assign("extended_from", p.extended_from->hex());
  if (const Value* seed = spec.arguments.find("seed"); seed && seed->is_int()) {
    map.insert_or_assign("seed", *seed);
    map.insert_or_assign("stream_key", spec.stream_key.hex());
  }
  return map;
}

Value heavy_json(const store::Manifest& manifest, const std::string& name, const plan::TaskSpec& spec) {
  Map map{{"name", name}, {"kind", manifest.kind}, {"key", manifest.key.hex()}};
  if (const artifacts::Result* main = main_result(manifest)) {
    put_result(map, *main);
    map.insert_or_assign("result", main->name);
  }
  if (const artifacts::Result* ess = manifest.find_result("ess")) put_number(map, "ess", ess->value);
  Map results;
  for (const artifacts::Result& result : manifest.results) {
    Map one;
    put_result(one, report::in_unit_of_program(result, spec));
    results.insert_or_assign(result.name, std::move(one));
  }
  map.insert_or_assign("results", std::move(results));
  map.insert_or_assign("cost", cost_json(manifest.cost));
  map.insert_or_assign("provenance", provenance_json(manifest, spec));
  return map;
}

/// What a diagram says of its lines: which crystals, in which convention, and all of each point.
Value coexistence_json(const schema::Map& attributes) {
  Map map;
  for (const char* name : {"cells", "convention", "points", "without_crossing", "triple_points"}) {
    if (const auto found = attributes.find(name); found != attributes.end()) map[name] = found->second;
  }
  return map;
}

std::string cell_text(const Value& cell, const Value& column) {
  if (!cell.is_map()) return cell.is_none() ? "" : cell.is_string() ? cell.as_string() : schema::to_json(cell);
  if (cell.has("text")) return cell.at("text").as_string();
  const Value* value = cell.find("value");
  if (!value || !value->is_number()) return "?";
  std::optional<double> sigma;
  if (cell.has("sigma")) sigma = cell.at("sigma").as_double();
  const Value* digits = column.find("digits");
  if (digits && digits->is_int())
    return report::format_fixed(value->as_double(), sigma, static_cast<int>(digits->as_int()));
  return report::format_result(value->as_double(), sigma);
}

// The unit all numbers of a column share, for its title.
std::string column_unit(const schema::List& rows, std::size_t column) {
  std::string unit;
  for (const Value& row : rows) {
    const Value& cell = row.at("cells").as_list().at(column);
    const std::string here = cell.is_map() ? cell.string_or("unit", "") : "";
    if (!unit.empty() && unit != here) return "";
    unit = here;
  }
  return unit;
}

std::string index_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  return value.is_double() ? report::format_number(value.as_double()) : schema::to_json(value);
}

std::string number_text(const inline_tasks::Estimate& estimate) {
  return report::format_with_error(estimate.value(), estimate.sigma());
}

std::vector<std::string> check_row(const CheckOutcome& outcome) {
  if (!outcome.verdict) return {outcome.name, "", "", "", "", "not judged: " + outcome.problem};
  const inline_tasks::Verdict& v = *outcome.verdict;
  std::string verdict =
      v.holds ? painted("holds", Colour::green, stdout) : painted("does not hold", Colour::red, stdout);
  if (!v.criterion.empty()) verdict += " (" + v.criterion + ")";
  if (!v.holds && !v.message.empty()) verdict += ": " + v.message;
  if (!v.value) return {outcome.name, "", "", "", "", verdict};
  return {outcome.name,
          number_text(*v.value),
          number_text(*v.reference),
          number_text(*v.difference),
          v.distance ? fmt::format("{:.2g}", *v.distance) : "",
          v.source.empty() ? verdict : verdict + "  " + v.source};
}

}  // namespace

const artifacts::Result* main_result(const store::Manifest& manifest) {
  for (const char* name : {"per_particle", "bound", "harmonic", "loss"}) {
    if (const artifacts::Result* result = manifest.find_result(name)) return result;
  }
  return manifest.results.empty() ? nullptr : &manifest.results.front();
}

std::optional<Value> task_json(const plan::TaskSpec& spec, const std::string& name, store::Cache& cache) {
  if (spec.placement == plan::Placement::child) {
    const std::optional<store::Manifest> manifest = cache.manifest(spec.key);
    if (!manifest) return std::nullopt;
    Value json = heavy_json(*manifest, name, spec);
    if (spec.kind != "phase_diagram") return json;
    Map diagram = json.as_map();
    diagram["coexistence"] = coexistence_json(cache.objects().load(spec.key).attributes);
    return Value(std::move(diagram));
  }
  std::optional<Value> row = cache.row(spec.key);
  if (!row) return std::nullopt;
  return Value(Map{{"name", name}, {"kind", spec.kind}, {"key", spec.key.hex()}, {spec.kind, *std::move(row)}});
}

CheckOutcome judge_check(const plan::CheckSpec& check, const plan::Plan& plan, store::Cache& cache) {
  CheckOutcome outcome;
  outcome.name = check.name;
  for (const plan::TaskInput& input : check.inputs) {
    if (!cache.has_result(plan.tasks[input.task])) {
      outcome.problem = fmt::format("{} has no result", plan.tasks[input.task].name);
      return outcome;
    }
  }
  try {
    const engine::TaskInputs inputs(cache, check.inputs);
    outcome.verdict = inline_tasks::judge(check, inline_tasks::TaskResults(inputs));
  } catch (const InputError& error) {
    outcome.problem = error.what();
  } catch (const NumericalError& error) {
    outcome.problem = error.what();
  }
  return outcome;
}

Value to_value(const CheckOutcome& outcome) {
  if (outcome.verdict) return inline_tasks::to_value(*outcome.verdict);
  return Map{{"name", outcome.name}, {"holds", nullptr}, {"message", outcome.problem}};
}

// More of them nobody reads in a terminal.
constexpr std::size_t kRowsShown = 200;

std::string results_text(const plan::Plan& plan, const std::vector<std::size_t>& tasks, store::Cache& cache) {
  report::TextTable table{{{"task"}, {"result"}, {"value", true}, {"unit"}, {"energy calls", true}, {"time", true}},
                          {}};
  std::map<std::string, std::set<std::string>> conventions;  // convention -> the results that follow it, by kind
  std::int64_t calls = 0;
  double seconds = 0;
  std::size_t left_out = 0;
  for (const std::size_t task : tasks) {
    const plan::TaskSpec& spec = plan.tasks[task];
    if (spec.placement != plan::Placement::child) continue;
    if (table.rows.size() >= kRowsShown) {
      ++left_out;
      continue;
    }
    const std::optional<store::Manifest> manifest = cache.manifest(spec.key);
    if (!manifest) {
      table.rows.push_back({spec.name, "", "no result", "", "", ""});
      continue;
    }
    calls += manifest->cost.energy_call_equivalents();
    seconds += manifest->cost.seconds;
    const std::string cost = report::format_count(manifest->cost.energy_call_equivalents());
    const std::string time = report::format_duration(manifest->cost.seconds);
    const artifacts::Result* main = main_result(*manifest);
    if (!main) {
      table.rows.push_back({spec.name, "", "", "", cost, time});
      continue;
    }
    if (!main->convention.empty()) conventions[main->convention].insert(spec.kind + "." + main->name);
    table.rows.push_back(
        {spec.name, main->name, report::format_result(main->value, main->sigma), main->unit, cost, time});
    const artifacts::Result* ess = manifest->find_result("ess");
    if (ess && ess != main)
      table.rows.push_back(
          {"", "ess", report::format_result(ess->value, ess->sigma), "", "", ""});
  }
  if (table.rows.empty()) return "";
  if (left_out == 0) table.rows.push_back({"together", "", "", "", report::format_count(calls), report::format_duration(seconds)});
  std::string text = report::render(table);
  if (left_out > 0) text += fmt::format("and {} more: `bgw show` prints each, `bgw query` any choice of them\n", left_out);
  text += "errors are one standard error; energy calls count a gradient as one and a Hessian-vector product as two\n";
  for (const auto& [convention, results] : conventions)
    text += fmt::format("{}: {}\n", fmt::join(results, ", "), convention);
  return text;
}

std::string table_text(const Value& table) {
  const schema::List& columns = table.at("columns").as_list();
  const schema::List& rows = table.at("rows").as_list();
  report::TextTable text;
  const Value* indices = table.find("indices");
  std::vector<std::string> index_names;
  if (indices && indices->is_list()) {
    for (const Value& index : indices->as_list()) index_names.push_back(index.as_string());
  }
  for (const std::string& name : index_names) text.columns.push_back({name, true});
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string unit = column_unit(rows, i);
    const std::string name = columns[i].at("name").as_string();
    text.columns.push_back({unit.empty() ? name : fmt::format("{} / {}", name, unit), true});
  }
  for (const Value& row : rows) {
    std::vector<std::string> line;
    for (const std::string& name : index_names) {
      const Value* value = row.at("index").find(name);
      line.push_back(value ? index_text(*value) : "");
    }
    for (std::size_t i = 0; i < columns.size(); ++i)
      line.push_back(cell_text(row.at("cells").as_list().at(i), columns[i]));
    text.rows.push_back(std::move(line));
  }
  return report::render(text);
}

std::string checks_text(const std::vector<CheckOutcome>& outcomes) {
  if (outcomes.empty()) return "";
  report::TextTable table{
      {{"check"}, {"value", true}, {"reference", true}, {"difference", true}, {"sigmas", true}, {"verdict"}}, {}};
  for (const CheckOutcome& outcome : outcomes) table.rows.push_back(check_row(outcome));
  return report::render(table);
}

}  // namespace bgw::cli
