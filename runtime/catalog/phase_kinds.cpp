#include <fmt/format.h>

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

/// A phase is an estimate on a grid that holds the temperatures of the diagram and several densities.
void check_grid_of(const schema::UpstreamTask& phase, const Map& diagram, CheckContext& context) {
  const Map& estimate = *phase.arguments;
  const Value* density = given(estimate, "density");
  if (density == nullptr || !density->is_list() || density->as_list().size() < 3) {
    context.complain({"E0425", "phases", fmt::format("`{}` has no grid of densities for {}", phase.name, context.block), {"its Legendre transform runs over at least three"},
                      {"write for instance `density = linspace(…, …, 9)` in the estimate"}});
  }
  const Value* temperature = given(estimate, "temperature");
  if (temperature == nullptr || diagram.at("temperature").as_list().empty()) return;
  const Range grid = range_of(*temperature), asked = range_of(diagram.at("temperature"));
  if (grid.holds(asked.low) && grid.holds(asked.high)) return;
  context.complain({"E0414", "temperature", fmt::format("`temperature` of {} lies outside the grid of `{}`", context.block, phase.name),
                    {fmt::format("the diagram has {}, the grid {}", shown(context, asked, "temperature"), shown(context, grid, "temperature"))}, {"stay within the grid, or widen it"}});
}

/// What the phases must share to be phases of one substance.
bool same_substance(const State& a, const State& b) {
  if (!a.system || !b.system) return true;
  const Value *one = given(*a.system, "mass"), *other = given(*b.system, "mass");
  const bool same_mass = one == nullptr || other == nullptr || *one == *other;
  return same_mass && a.system->at("potential") == b.system->at("potential");
}

void check_phases(const Map& diagram, CheckContext& context) {
  const schema::List& phases = diagram.at("phases").as_list();
  if (phases.size() < 2) {
    context.complain({"E0425", "phases", fmt::format("{} needs at least two phases, it has {}", context.block, phases.size()), {}, {"write for instance `phases = [F[p] for p in phase]`"}});
  }
  const schema::UpstreamTask first = phases.empty() ? schema::UpstreamTask{} : context.upstream(phases[0]);
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const schema::UpstreamTask phase = context.upstream(phases[i]);
    if (phase.arguments == nullptr) continue;
    check_grid_of(phase, diagram, context);
    for (std::size_t k = 0; k < i; ++k) {
      if (phases[k] == phases[i]) context.complain({"E0425", "phases", fmt::format("`{}` stands twice among the phases of {}", phase.name, context.block), {}, {"leave one of the two out"}});
    }
    if (i > 0 && !same_substance(state_of(first, context), state_of(phase, context))) {
      context.complain({"E0425", "phases", fmt::format("`{}` and `{}` are not of one substance", first.name, phase.name), {"their potentials or masses differ"}, {"give both systems the same `potential` and `mass`"}});
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
  const Value* boxes = given(diagram.at("transform"), "box");
  const std::size_t phases = diagram.at("phases").as_list().size();
  if (boxes == nullptr || !boxes->is_list() || boxes->as_list().size() == phases || phases < 2) return;
  context.complain({"E0425", "transform", fmt::format("legendre of {} has {} boxes for {} phases", context.block, boxes->as_list().size(), phases), {}, {"write one for each phase, or one for all"}});
}

KindSchema phase_diagram() {
  const Type temperature = Type::quantity("temperature");
  // A phase is named by the index of its estimate: a lattice kind, or whatever the axis holds.
  const Type phase = Type::any_of({Type::word({"diamond_cubic", "ice_ih", "fcc", "bcc", "hcp", "beta_tin", "fcc_orthorhombic", "file"}), Type::of(TypeKind::string), Type::of(TypeKind::integer)});
  KindSchema kind;
  kind.noun = "phase_diagram";
  kind.makes = Makes::task;
  kind.doc = "Which phase is stable where: free energies over density, as Gibbs energies over pressure";
  kind.later = true;
  kind.attributes = {
      {"phases", Type::list(Type::reference({"estimate"})), "free energies on grids of temperature and density", true, {}, {}, {}, "[F[p] for p in phase]"},
      {"temperature", Type::list(temperature), "of the diagram, rising", true, {}, {}, kPositive, "[300 K, 600 K]"},
      {"pressure", Type::list(Type::quantity("pressure")), "of the diagram, rising", true, {}, {}, {}, "linspace(8 GPa, 18 GPa, 11)"},
      {"transform", Type::constructor({"legendre"}), "from density to pressure", true, {}, {}, {}, "legendre(over = density)"},
      {"coexistence", Type::of(TypeKind::boolean), "find where two phases have one Gibbs energy", false, true},
      {"uncertainty", Type::constructor({"bootstrap"}), "how errors are carried through", false, {}, {}, {}, "bootstrap(200)"},
  };
  kind.results = {{"coexistence.pressure", ResultType::numbers, "pressure", "along the line, one a temperature"},
                  {"coexistence.temperature", ResultType::numbers, "temperature", "along the line"},
                  {"coexistence.points", ResultType::numbers, "", "the points of the line"},
                  {"stable_phase", ResultType::field, "", "of lowest Gibbs energy"},
                  {"gibbs", ResultType::numbers, "energy", "G / N over the pressures",
                   {{"phase", phase, "which phase", true, {}, {}, {}, "fcc"}, {"temperature", temperature, "of the diagram", true, {}, {}, kPositive, "600 K"}}}};
  kind.complete = check_diagram;
  add_task_members(kind);
  return kind;
}

}  // namespace

void add_phase_kinds(schema::Catalog& catalog) {
  catalog.add(phase_diagram());
  const Type box = Type::word({"isotropic", "a_eq_b", "orthorhombic"});
  catalog.add(ConstructorSchema{"legendre",
                                {{"over", Type::word({"density"}), "what pressure takes the place of", false, "density"},
                                 {"box", one_or_list(box), "how the box of each phase may change its shape", false, "isotropic"}},
                                "The lowest of F + P V", true});
  catalog.add(ConstructorSchema{"bootstrap", {{"resamplings", Type::of(TypeKind::integer), "of the samples", true, {}, {}, {2.0, {}, 1e6}, "200"}}, "The spread over resampled data", true});
}

}  // namespace bgw::catalog
