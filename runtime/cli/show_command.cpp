#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/source/diagnostic.h"
#include "compiler/units/unit_expression.h"
#include "compiler/units/unit_table.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/result_view.h"
#include "runtime/cli/saved_plan.h"
#include "runtime/report/number_format.h"
#include "runtime/report/program_units.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

using schema::Map;
using schema::Value;

// What stands behind a name: `F[64]` or one number of it, `F[64].ess`.
struct Named {
  lowering::Found found;
  std::string result;
};

Named find_named(const lowering::Program& program, const std::string& name) {
  Named named{lowering::find_instances(program, name), ""};
  const std::size_t dot = name.rfind('.');
  if (named.found.problem.empty() || dot == std::string::npos || dot < name.rfind(']') + 1) return named;
  lowering::Found without = lowering::find_instances(program, name.substr(0, dot));
  if (without.problem.empty() && !without.tasks.empty()) return {std::move(without), name.substr(dot + 1)};
  return named;
}

// The program's own name for a task: an alias has the same key.
std::string name_of(const lowering::Program& program, std::size_t task, const ShowOptions& options) {
  for (const lowering::NamedInstance& instance : program.instances) {
    if (instance.task == task && (instance.name == options.name || instance.noun + "." + instance.name == options.name))
      return instance.name;
  }
  return program.plan.tasks[task].name;
}

Value task_or_refuse(const lowering::Program& program, std::size_t task, const ShowOptions& options,
                     store::Cache& cache) {
  const std::string name = name_of(program, task, options);
  if (std::optional<Value> json = task_json(program.plan.tasks[task], name, cache)) return *std::move(json);
  throw CommandFailure(kTaskFailed,
                       fmt::format("{} has no result yet; `{}` makes it", name, run_command(options, {name})));
}

Value narrowed(const Value& task, const std::string& result) {
  if (result.empty()) return task;
  const Value* results = task.find("results");
  const Value* one = results ? results->find(result) : nullptr;
  if (one) {
    Map map = one->as_map();
    for (const char* member : {"name", "kind", "key"}) map.insert_or_assign(member, task.at(member));
    map.insert_or_assign("result", result);
    return map;
  }
  if (const Value* lines = result == "coexistence" ? task.find(result) : nullptr) {
    Map map = lines->as_map();
    for (const char* member : {"name", "kind", "key"}) map.insert_or_assign(member, task.at(member));
    return map;
  }
  std::vector<std::string> known;
  if (results) {
    for (const auto& [name, value] : results->as_map()) known.push_back(name);
  }
  std::string text = fmt::format("{} has no result `{}`", task.at("name").as_string(), result);
  const std::string near = source::nearest(result, known);
  if (!near.empty())
    text += fmt::format("; did you mean `{}`?", near);
  else if (!known.empty())
    text += fmt::format("; it has {}", fmt::join(known, ", "));
  throw CommandFailure(kWrongProgram, text);
}

std::string number_text(const Value& result) {
  std::optional<double> sigma;
  if (result.has("sigma")) sigma = result.at("sigma").as_double();
  const std::string number = result.has("value") ? report::format_with_error(result.at("value").as_double(), sigma,
                                                                             report::ErrorStyle::plus_minus)
                                                 : "nan";
  const std::string unit = result.string_or("unit", "");
  return unit.empty() ? number : number + " " + unit;
}

/// What the numbers of a line, kept in GPa and K, are multiplied with to be shown, and under which names.
struct LineUnits {
  double temperature = 1, pressure = 1;
  std::string temperature_name = "K", pressure_name = "GPa", slope_name = "GPa/K";
};

LineUnits line_units(bool reduced) {
  if (!reduced) return {};
  return {units::kBoltzmann, units::parse_quantity("GPa").value, "lj", "lj", "lj"};
}

std::string with_error(const Value& map, const char* value, const char* sigma, double factor = 1.0) {
  return report::format_with_error(factor * map.at(value).as_double(), factor * map.at(sigma).as_double());
}

void print_points(const Value& points, const LineUnits& in) {
  report::TextTable table{{{"from"}, {"to"}, {"T / " + in.temperature_name, true}, {"P / " + in.pressure_name, true}, {"dP/dT / " + in.slope_name, true}, {"density from", true}, {"density to", true},
                           {"c/a from", true}, {"c/a to", true}, {""}}, {}};
  for (const Value& point : points.as_list()) {
    const Value &from = point.at("from"), &to = point.at("to");
    table.rows.push_back({from.at("phase").as_string(), to.at("phase").as_string(), fmt::format("{:g}", in.temperature * point.at("temperature").as_double()), with_error(point, "pressure", "sigma", in.pressure),
                          with_error(point, "slope", "slope_sigma", in.pressure / in.temperature), with_error(from, "density", "density_sigma"), with_error(to, "density", "density_sigma"),
                          fmt::format("{:.4f}", from.at("c_over_a").as_double()), fmt::format("{:.4f}", to.at("c_over_a").as_double()), point.at("stable").as_bool() ? "" : "metastable"});
  }
  fmt::print("{}", report::render(table));
}

/// The lines of a diagram: a row for each point, then the crystals and what is missing.
void print_coexistence(const Value& lines, bool reduced) {
  const LineUnits in = line_units(reduced);
  if (const Value* points = lines.find("points")) print_points(*points, in);
  if (const Value* meetings = lines.find("triple_points")) {
    for (const Value& point : meetings->as_list()) {
      std::vector<std::string> names;
      for (const Value& name : point.at("phases").as_list()) names.push_back(name.as_string());
      fmt::print("{} meet at {} {} and {} {}\n", fmt::join(names, ", "), with_error(point, "temperature", "temperature_sigma", in.temperature), in.temperature_name,
                 with_error(point, "pressure", "pressure_sigma", in.pressure), in.pressure_name);
    }
  }
  for (const Value& cell : lines.at("cells").as_list()) fmt::print("{}: {}\n", cell.at("phase").as_string(), cell.at("cell").as_string());
  fmt::print("{}\n", lines.at("convention").as_string());
  if (const Value* without = lines.find("without_crossing")) {
    for (const Value& point : without->as_list()) {
      fmt::print("no crossing at {:g} {}: {}\n", in.temperature * point.at("temperature").as_double(), in.temperature_name, point.at("because").as_string());
    }
  }
}

bool names_physical_units(const std::string& words) {
  const auto named = [&](const char* unit) { return words.find(unit) != std::string::npos; };
  return named(" K") || named("GPa") || named("eV") || named("angstrom");
}

void print_heavy(const Value& task, bool reduced) {
  fmt::print("{}  ({}, key {})\n", task.at("name").as_string(), task.at("kind").as_string(),
             task.at("key").as_string().substr(0, 12));
  std::string conventions;
  for (const auto& [name, result] : task.at("results").as_map()) {
    fmt::print("  {:<20} {}\n", name, number_text(result));
    const std::string convention = result.string_or("convention", "");
    if (!convention.empty()) conventions += fmt::format("  {}: {}\n", name, convention);
  }
  fmt::print("{}", conventions);
  if (reduced && names_physical_units(conventions)) fmt::print("  {}\n", report::reduced_units_in_words());
  if (const Value* lines = task.find("coexistence")) print_coexistence(*lines, reduced);
  const Value& cost = task.at("cost");
  fmt::print("  cost                 {} energy calls, {}\n",
             report::format_count(cost.at("energy_call_equivalents").as_int()),
             report::format_duration(cost.at("seconds").as_double()));
  const Value& provenance = task.at("provenance");
  fmt::print("  made by              bgw {} on {}, cpus: {}, {}\n", provenance.at("bgw_version").as_string(),
             provenance.at("device").as_string(), provenance.at("cpus").as_int(), provenance.at("host").as_string());
}

void print_task(const Value& task, const std::string& result, const plan::TaskSpec& spec, const plan::Plan& plan) {
  if (!result.empty() && task.has("cells")) {
    print_coexistence(task, report::is_reduced(spec));
  } else if (!result.empty()) {
    fmt::print("{}\n", number_text(task));
  } else if (task.has("table")) {
    fmt::print("{}", table_text(report::table_in_units_of_program(task.at("table"), spec, plan)));
  } else if (task.has("results")) {
    print_heavy(task, report::is_reduced(spec));
  } else {
    fmt::print("{}\n", schema::to_pretty_json(task));
  }
}

// Of a saved plan, as it was: the program may have changed since, or be gone.
int show_plan(const ShowOptions& options) {
  if (!options.name.empty())
    throw CommandFailure(kWrongUse, fmt::format("{} is a saved plan and is shown whole; name the program to show {}", options.program, options.name));
  const SavedPlan saved = read_saved_plan(options.program);
  if (options.json)
    put_document(to_map(saved.view));
  else
    fmt::print("{}{}", saved.heading(), plan_text(saved.view));
  return kDone;
}

}  // namespace

int show(const ShowOptions& options) {
  if (is_saved_plan(options.program)) return show_plan(options);
  if (options.name.empty())
    throw CommandFailure(kWrongUse, fmt::format("show what of it? `bgw list {}` prints the names", options.program));
  const LoadedProgram loaded = load_program(options);
  const lowering::Program& program = loaded.program;
  const Named named = find_named(program, options.name);
  if (!named.found.problem.empty()) throw CommandFailure(kWrongProgram, named.found.problem);
  store::Cache cache = store::Cache::look(cache_directory(options));
  schema::List shown;
  for (const std::size_t task : named.found.tasks) {
    shown.push_back(narrowed(task_or_refuse(program, task, options, cache), named.result));
    if (!options.json) print_task(shown.back(), named.result, program.plan.tasks[task], program.plan);
  }
  std::vector<CheckOutcome> outcomes;
  for (const std::size_t check : named.found.checks) {
    outcomes.push_back(judge_check(program.plan.checks[check], program.plan, cache));
    if (!outcomes.back().verdict) {
      throw CommandFailure(kTaskFailed,
                           fmt::format("{} cannot be judged yet: {}; `{}` makes it", outcomes.back().name,
                                       outcomes.back().problem, run_command(options, {outcomes.back().name})));
    }
    shown.push_back(to_value(outcomes.back()));
  }
  for (const std::string& name : named.found.values) {
    Map map{{"name", name}, {"value", program.values.at(name)}};
    if (!options.json) fmt::print("{}\n{}\n", name, schema::to_pretty_json(program.values.at(name)));
    shown.push_back(std::move(map));
  }
  if (options.json)
    put_document(shown.size() == 1 ? shown.front() : Value(shown));
  else
    fmt::print("{}", checks_text(outcomes));
  return kDone;
}

}  // namespace bgw::cli
