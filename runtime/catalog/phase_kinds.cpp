#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "runtime/catalog/kinds.h"
#include "runtime/catalog/states.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::ConstructorSchema;
using schema::KindSchema;
using schema::Makes;
using schema::Map;
using schema::ResultType;
using schema::Type;
using schema::TypeKind;
using schema::Value;

void check_ascending(const Map& diagram, const char* name, const char* dimension, CheckContext& context) {
  const schema::List& numbers = diagram.at(name).as_list();
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i - 1].as_double() < numbers[i].as_double()) continue;
    context.complain({"E0426", name, fmt::format("`{}` of {} does not rise", name, context.block),
                      {fmt::format("{} stands before {}", shown(context, numbers[i - 1].as_double(), dimension), shown(context, numbers[i].as_double(), dimension))},
                      {"list the values from the lowest to the highest"}});
    return;
  }
}

/// Of the states that a surface is fitted to, as their blocks list them.
std::vector<double> temperatures_of(const schema::UpstreamTask& surface, const CheckContext& context) {
  std::vector<double> temperatures;
  for (const Value& state : surface.arguments->at("states").as_list()) {
    const schema::UpstreamTask task = context.upstream(state);
    if (task.arguments == nullptr) continue;
    const Value* grid = given(*task.arguments, "temperature");
    const State at = state_of(task, context);
    if (grid == nullptr && !at.ensemble) continue;
    const Value* here = grid != nullptr ? grid : &at.ensemble->at("temperature");
    const Value* path = given(*task.arguments, "path");
    if (const Value* ladder = path == nullptr ? nullptr : given(*path, "temperatures"); ladder != nullptr && ladder->is_list()) here = ladder;
    for (const Value& one : here->is_list() ? here->as_list() : schema::List{*here}) {
      const Range range = range_of(one);
      temperatures.insert(temperatures.end(), {range.low, range.high});
    }
  }
  return temperatures;
}

bool has(const std::vector<double>& numbers, double wanted) {
  double largest = 0;  // zero among numbers that were made by division is none exactly
  for (const double one : numbers) largest = std::max(largest, std::abs(one));
  return std::any_of(numbers.begin(), numbers.end(), [&](double one) { return std::abs(one - wanted) <= std::max(1e-9 * std::abs(one), 1e-14 * largest); });
}

/// Isotherms are fitted each by itself: nothing is known between them.
void check_isotherms_of(const schema::UpstreamTask& phase, const std::vector<double>& known, const Map& diagram, CheckContext& context) {
  for (const Value& asked : diagram.at("temperature").as_list()) {
    if (has(known, asked.as_double())) continue;
    context.complain({"E0414", "temperature", fmt::format("{} asks `{}` for {}, between its isotherms", context.block, phase.name, shown(context, asked.as_double(), "temperature")),
                      {"with `over = isotherms` a surface is known at the temperatures of its states only"}, {"take these temperatures, add states at this one, or write `over = temperature`"}});
    return;
  }
}

void check_temperatures_of(const schema::UpstreamTask& phase, const Map& diagram, CheckContext& context) {
  const std::vector<double> states = temperatures_of(phase, context);
  if (diagram.at("temperature").as_list().empty() || states.empty()) return;
  const Range known{*std::min_element(states.begin(), states.end()), *std::max_element(states.begin(), states.end())}, asked = range_of(diagram.at("temperature"));
  if (!known.holds(asked.low) || !known.holds(asked.high)) {
    context.complain({"E0414", "temperature", fmt::format("`temperature` of {} lies outside the states of `{}`", context.block, phase.name),
                      {fmt::format("the diagram has {}, the states {}", shown(context, asked, "temperature"), shown(context, known, "temperature"))}, {"stay within the states, or add some"}});
  } else if (phase.arguments->at("over").as_string() == "isotherms") {
    check_isotherms_of(phase, states, diagram, context);
  }
}

/// What the phases must share to be phases of one substance.
bool same_substance(const State& a, const State& b) {
  if (!a.system || !b.system) return true;
  const Value *one = given(*a.system, "mass"), *other = given(*b.system, "mass");
  const bool same_mass = one == nullptr || other == nullptr || *one == *other;
  return same_mass && a.system->at("potential") == b.system->at("potential");
}

/// The lattice but for what a surface is over.
bool same_crystal(const State& a, const State& b) {
  if (!a.system || !b.system) return true;
  Map one = a.system->at("lattice").as_map(), other = b.system->at("lattice").as_map();
  for (const char* name : {"density", "c_over_a", "b_over_a", "delta"}) {
    one.erase(name);
    other.erase(name);
  }
  return one == other;
}

schema::UpstreamTask first_state(const schema::UpstreamTask& surface, const CheckContext& context) {
  if (surface.arguments == nullptr || surface.arguments->at("states").as_list().empty()) return {};
  return context.upstream(surface.arguments->at("states").as_list().front());
}

void check_phases(const Map& diagram, CheckContext& context) {
  const schema::List& phases = diagram.at("phases").as_list();
  const std::size_t least = diagram.at("coexistence").as_bool() ? 2 : 1;
  if (phases.size() < least) {
    context.complain({"E0425", "phases", fmt::format("{} needs at least {}, it has {}", context.block, least == 2 ? "two phases" : "a phase", phases.size()), {},
                      {"write for instance `phases = [G[p] for p in phase]`", "the equation of state of one phase is a diagram with `coexistence = false`"}});
  }
  const schema::UpstreamTask first = phases.empty() ? schema::UpstreamTask{} : first_state(context.upstream(phases[0]), context);
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const schema::UpstreamTask phase = context.upstream(phases[i]);
    if (phase.arguments == nullptr) continue;
    check_temperatures_of(phase, diagram, context);
    for (std::size_t k = 0; k < i; ++k) {
      if (phases[k] == phases[i]) context.complain({"E0425", "phases", fmt::format("`{}` stands twice among the phases of {}", phase.name, context.block), {}, {"leave one of the two out"}});
    }
    const schema::UpstreamTask state = first_state(phase, context);
    if (i > 0 && !same_substance(state_of(first, context), state_of(state, context))) {
      context.complain({"E0425", "phases", fmt::format("`{}` and `{}` are not of one substance", context.upstream(phases[0]).name, phase.name), {"their potentials or masses differ"}, {"give both systems the same `potential` and `mass`"}});
    }
  }
}

void check_diagram(Map& diagram, CheckContext& context) {
  check_phases(diagram, context);
  check_ascending(diagram, "temperature", "temperature", context);
  check_ascending(diagram, "pressure", "pressure", context);
  for (const char* name : {"temperature", "pressure"}) {
    if (diagram.at(name).as_list().empty()) context.complain({"E0426", name, fmt::format("`{}` of {} lists nothing", name, context.block), {}, {"list at least one value"}});
  }
}

constexpr std::int64_t kMostDegree = 8;

/// A surface is over temperature, volume and the ratios of edges: a grid over anything else has several free energies at one place of it.
bool has_other_coordinates(const schema::UpstreamTask& state, const State& mine, CheckContext& context) {
  for (const Variable& open : mine.open()) {
    const Value* listed = given(*state.arguments, open.name);
    const std::string middle = shown(context, range_of(*mine.find(open)).middle(), open.dimension);
    if (open.holder == "potential") {
      context.complain({"E0425", "states", fmt::format("`{}` of {} leaves `{}` open", state.name, context.block, open.name), {"a surface is of one potential, over temperature, volume and the ratios of edges"},
                        {fmt::format("take states of one potential, `system = at(…, {} = {})`, and a surface for each", open.name, middle)}});
      return true;
    }
    if (open.name == "delta" && listed != nullptr && listed->is_list() && listed->as_list().size() > 1) {
      context.complain({"E0425", "states", fmt::format("`{}` of {} lists several `delta`", state.name, context.block), {"a surface knows the box of a state, not where sites stand in its cell"},
                        {fmt::format("list one, for instance `delta = {}`; a base with `relax_sites = true` finds the sites by itself", middle)}});
      return true;
    }
  }
  return false;
}

/// All states are free energies with pressures, of one crystal in boxes of one kind.
void check_states(const Map& surface, CheckContext& context) {
  const schema::List& states = surface.at("states").as_list();
  if (states.empty()) {
    context.complain({"E0425", "states", fmt::format("{} has no states", context.block), {}, {"write for instance `states = F[*, *]`, all members of a family"}});
    return;
  }
  const schema::UpstreamTask first = context.upstream(states[0]);
  for (std::size_t i = 0; i < states.size(); ++i) {
    const schema::UpstreamTask state = context.upstream(states[i]);
    if (state.arguments == nullptr) continue;
    const bool drawn = state.noun == "estimate";
    const Value* stress = given(*state.arguments, "stress");
    if ((drawn && given(*state.arguments, "model") == nullptr) || stress == nullptr || !stress->as_bool()) {
      context.complain({"E0425", "states", fmt::format("`{}` of {} has no pressures", state.name, context.block), {"a surface is fitted to free energies and their slopes"},
                        {drawn ? "draw from a conditional flow on a grid, `model = …` with `stress = true`" : "write `stress = true` in the reference"}});
      return;
    }
    const State mine = state_of(state, context), others = state_of(first, context);
    if (has_other_coordinates(state, mine, context)) return;
    if (!same_substance(others, mine) || !same_crystal(others, mine)) {
      context.complain({"E0425", "states", fmt::format("`{}` and `{}` are not of one crystal", first.name, state.name), {"a surface is that of one lattice in one number of atoms"}, {"make a surface for each"}});
      return;
    }
    for (std::size_t k = 0; k < i; ++k) {
      if (states[k] != states[i]) continue;
      context.complain({"E0425", "states", fmt::format("`{}` stands twice among the states of {}", state.name, context.block), {}, {"leave one of the two out"}});
      return;
    }
  }
}

KindSchema surface() {
  const auto degree = [](const char* name, std::int64_t value, const char* doc) {
    return schema::Attribute{name, Type::of(TypeKind::integer), doc, false, value, {}, {0.0, {}, kMostDegree}};
  };
  KindSchema kind;
  kind.noun = "surface";
  kind.makes = Makes::task;
  kind.doc = "The free energy of one phase over temperature, volume and shape: fitted to states, with the errors of all";
  kind.attributes = {
      {"states", Type::list(Type::reference({"reference", "estimate"})), "free energies with pressures, of one crystal", true, {}, {}, {}, "F[*, *]"},
      {"box", Type::word({"isotropic", "a_eq_b", "orthorhombic"}), "which edges of the box are free: all alike, x and y alike, each by itself", false, "isotropic"},
      {"over", Type::word({"temperature", "isotherms"}), "temperature: one fit of all states; isotherms: each temperature by itself, for crystals that change their order on the way", false, "temperature"},
      degree("temperature_degree", 2, "of the polynomial in temperature, beyond the classical -3/2 kT ln T"),
      degree("volume_degree", 3, "in the logarithm of the volume"),
      degree("shape_degree", 2, "in the logarithms of the free ratios of edges"),
  };
  kind.results = {{"chi_square", ResultType::number, "", "of the fit"},
                  {"freedom", ResultType::number, "", "numbers less coefficients"},
                  {"widening", ResultType::number, "", "by how much errors were widened because the fit misses the data"}};
  kind.complete = check_states;
  add_task_members(kind);
  return kind;
}

/// A phase is named by its lattice; where two have one, by its cell, "diamond_cubic 2x2x2 (64 atoms)".
schema::Attribute phase_argument(const char* name, const char* doc, bool required) {
  const Type phase = Type::any_of({Type::word({"diamond_cubic", "ice_ih", "fcc", "bcc", "hcp", "beta_tin", "fcc_orthorhombic", "file"}), Type::of(TypeKind::string)});
  return {name, phase, doc, required, {}, {}, {}, "fcc"};
}

/// What is asked of a line between two phases; which two may be left out where only two meet.
std::vector<schema::Attribute> line_arguments(schema::Attribute where) {
  return {std::move(where), phase_argument("from", "the less dense phase", false), phase_argument("to", "the denser phase", false),
          {"crossing", Type::of(TypeKind::integer), "where two phases cross more than once, counted from the lowest pressure or temperature", false, {}, {}, {1.0, {}, {}}}};
}

std::vector<schema::Attribute> point_arguments() {
  return line_arguments({"temperature", Type::quantity("temperature"), "of the diagram", true, {}, {}, kPositive, "600 K"});
}

std::vector<schema::Attribute> isotherm_arguments() {
  return {phase_argument("phase", "which phase", true), {"temperature", Type::quantity("temperature"), "of the diagram", true, {}, {}, kPositive, "600 K"}};
}

/// Kinds of the lattices of the phases, in their order; empty where one is not known.
std::vector<std::string> kinds_of_phases(const Map& diagram, const CheckContext& context) {
  std::vector<std::string> kinds;
  for (const Value& phase : diagram.at("phases").as_list()) {
    const schema::UpstreamTask first = first_state(context.upstream(phase), context);
    const State state = state_of(first, context);
    if (!state.system) return {};
    kinds.push_back(state.system->at("lattice").at("kind").as_string());
  }
  return kinds;
}

/// A temperature or a pressure is one that the diagram lists.
void check_asked_number(const Map& diagram, const Map& asked, const char* name, CheckContext& context) {
  const Value* wanted = given(asked, name);
  if (wanted == nullptr) return;
  std::vector<std::string> known;
  for (const Value& value : diagram.at(name).as_list()) {
    if (has({value.as_double()}, wanted->as_double())) return;
    known.push_back(shown(context, value.as_double(), name));
  }
  context.complain({"E0415", name, fmt::format("{} has nothing at {}", context.block, shown(context, wanted->as_double(), name)), {fmt::format("its `{}` lists {}", name, fmt::join(known, ", "))},
                    {"ask for one of these, or list this one too"}});
}

/// Two phases meet at a temperature that is looked for where both are known between their states.
void check_asked_between(const Map& diagram, CheckContext& context) {
  std::int64_t between = 0;
  for (const Value& phase : diagram.at("phases").as_list()) {
    const schema::UpstreamTask surface = context.upstream(phase);
    if (surface.arguments == nullptr || surface.arguments->at("over").as_string() == "temperature") ++between;
  }
  if (between >= 2) return;
  context.complain({"E0428", "", fmt::format("{} has no `temperature` at which two phases meet", context.block), {"of a surface of isotherms nothing is known between them"},
                    {"ask for the `pressure` at its temperatures, or write `over = temperature` in the surfaces"}});
}

/// A phase goes by its lattice; where several have one, by its cell, of which the compiler knows how it begins.
void check_asked_phase(const std::vector<std::string>& kinds, const Map& asked, const char* argument, CheckContext& context) {
  const Value* wanted = given(asked, argument);
  if (wanted == nullptr || kinds.empty()) return;
  const std::string& name = wanted->as_string();
  const std::string kind = name.substr(0, name.find(' '));
  const auto alike = std::count(kinds.begin(), kinds.end(), kind);
  if (alike > 1 ? name != kind : alike == 1 && name == kind) return;
  std::vector<std::string> known;
  for (const std::string& other : kinds) {
    if (std::find(known.begin(), known.end(), other) == known.end()) known.push_back(other);
  }
  if (alike > 1) {
    context.complain({"E0425", argument, fmt::format("`{}` may be any of {} phases of {}", name, alike, context.block), {"phases of one lattice go by their cells"},
                      {fmt::format("write the cell of one, for instance \"{} 2x2x2 (64 atoms)\"; `bgw show` of the diagram lists them", kind)}});
  } else {
    context.complain({"E0425", argument, fmt::format("{} has no phase `{}`", context.block, name), {fmt::format("its phases are {}", fmt::join(known, ", "))},
                      {alike == 1 ? fmt::format("write `{}`: a phase goes by its cell only where others have its lattice", kind) : "ask for one of these, or add its surface to `phases`"}});
  }
}

/// What is asked of a diagram that it will not have.
void check_asked(const Map& diagram, const std::string& result, const Map& asked, CheckContext& context) {
  static const std::set<std::string> of_lines{"coexistence.pressure", "coexistence.temperature", "coexistence.points", "pressure", "slope", "temperature", "density_from", "density_to", "without_crossing"};
  if (of_lines.contains(result) && !diagram.at("coexistence").as_bool()) {
    context.complain({"E0428", "", fmt::format("{} looks for no coexistence, it has no `{}`", context.block, result), {"its `coexistence` is false"}, {"leave `coexistence = false` out of the diagram"}});
    return;
  }
  if (result == "temperature") check_asked_between(diagram, context);
  for (const char* name : {"temperature", "pressure"}) check_asked_number(diagram, asked, name, context);
  const std::vector<std::string> kinds = kinds_of_phases(diagram, context);
  for (const char* argument : {"phase", "from", "to"}) check_asked_phase(kinds, asked, argument, context);
  const Value *from = given(asked, "from"), *to = given(asked, "to");
  if (from != nullptr && to != nullptr && *from == *to) {
    context.complain({"E0425", "to", fmt::format("`{}` of {} is asked from a phase to itself", result, context.block), {}, {"name the two phases that meet there"}});
  }
}

KindSchema phase_diagram() {
  KindSchema kind;
  kind.noun = "phase_diagram";
  kind.version = 2;  // has temperatures under a pressure
  kind.makes = Makes::task;
  kind.doc = "Which phase is stable where: surfaces of free energy as Gibbs energies over temperature and pressure, and where they cross";
  kind.attributes = {
      {"phases", Type::list(Type::reference({"surface"})), "free energies of the phases", true, {}, {}, {}, "[G[p] for p in phase]"},
      {"temperature", Type::list(Type::quantity("temperature")), "of the diagram, rising", true, {}, {}, kPositive, "[300 K, 600 K]"},
      {"pressure", Type::list(Type::quantity("pressure")), "of the diagram, rising; crossings are looked for between its ends", true, {}, {}, {}, "linspace(8 GPa, 18 GPa, 11)"},
      {"coexistence", Type::of(TypeKind::boolean), "find where two phases have one Gibbs energy", false, true},
  };
  kind.results = {{"coexistence.pressure", ResultType::numbers, "pressure", "of all points, temperature after temperature"},
                  {"coexistence.temperature", ResultType::numbers, "temperature", "of the same points"},
                  {"coexistence.points", ResultType::numbers, "", "their numbers; `bgw show … --json` tells all of each"},
                  {"stable_phase", ResultType::field, "", "of lowest Gibbs energy"},
                  {"pressure", ResultType::number, "pressure", "where two phases have one Gibbs energy", point_arguments()},
                  {"slope", ResultType::number, "", "dp / dT there, GPa/K", point_arguments()},
                  {"temperature", ResultType::number, "temperature", "where two phases have one Gibbs energy under a pressure of the diagram; of surfaces over temperature",
                   line_arguments({"pressure", Type::quantity("pressure"), "of the diagram", true, {}, {}, {}, "12 GPa"})},
                  {"density_from", ResultType::number, "density", "there, of the phase below", point_arguments()},
                  {"density_to", ResultType::number, "density", "there, of the phase above", point_arguments()},
                  {"without_crossing", ResultType::number, "", "temperatures of the diagram at which no two phases cross within it"},
                  {"unknown", ResultType::number, "", "states of the plane that lie outside of a phase's measured ones"},
                  {"gibbs", ResultType::numbers, "energy", "G / N over the pressures", isotherm_arguments()},
                  {"beta_gibbs", ResultType::numbers, "", "beta G / N over the pressures", isotherm_arguments()},
                  {"density", ResultType::numbers, "density", "over the pressures", isotherm_arguments()}};
  kind.complete = check_diagram;
  kind.check_result = check_asked;
  add_task_members(kind);
  return kind;
}

}  // namespace

void add_phase_kinds(schema::Catalog& catalog) {
  catalog.add(surface());
  catalog.add(phase_diagram());
}

}  // namespace bgw::catalog
