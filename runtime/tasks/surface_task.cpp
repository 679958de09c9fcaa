#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "runtime/foundation/errors.h"
#include "runtime/tasks/grid_results.h"
#include "runtime/tasks/measured_surface.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

void expect_right_angles(const artifacts::Artifact& artifact, const std::string& name) {
  const std::vector<double>& rows = artifact.array("cell").doubles;
  crystal::Cell cell;
  for (std::size_t i = 0; i < 9; ++i) cell.vectors[i / 3][i % 3] = rows.at(i);
  if (has_right_angles(cell)) return;
  throw InputError(fmt::format("a surface takes boxes of right angles, the lattice of {} has others; take a cell of the crystal whose edges stand along x, y and z", name));
}

/// Edges of the unit cell along x, y and z, from a box of right angles.
std::array<double, 3> cell_edges(const artifacts::Artifact& reference, const schema::Value& lattice) {
  const std::vector<double>& cell = reference.array("cell").doubles;
  std::array<double, 3> edges{};
  for (std::size_t d = 0; d < 3; ++d) {
    const schema::Value* repeats = lattice.find("repeats");
    edges[d] = cell[4 * d] / (repeats == nullptr || repeats->is_none() ? 1.0 : static_cast<double>(repeats->as_list()[d].as_int()));
  }
  return edges;
}

phases::BoxState state_of(const plan::TaskSpec& spec, const artifacts::Artifact& reference) {
  const schema::Value& lattice = spec.arguments.at("system").at("lattice");
  const std::array<double, 3> edges = cell_edges(reference, lattice);
  const std::vector<double>& cell = reference.array("cell").doubles;
  phases::BoxState state;
  state.temperature = spec.arguments.at("ensemble").at("temperature").as_double();
  state.volume = cell[0] * cell[4] * cell[8] / static_cast<double>(reference.array("sites").shape[0]);
  state.b_over_a = edges[1] / edges[0];
  state.c_over_a = edges[2] / edges[0];
  return state;
}

phases::JointNormal numbers_of(const artifacts::Artifact& artifact, const std::string& name) {
  return {artifact.array(name + "/numbers").doubles, tensor::to_tensor(artifact.array(name + "/covariance"))};
}

/// "diamond_cubic 2x2x2 (64 atoms)": what a number of a finite crystal belongs to.
std::string name_of_cell(const schema::Value& lattice, std::int64_t atoms) {
  const schema::Value* repeats = lattice.find("repeats");
  if (repeats == nullptr || repeats->is_none()) return fmt::format("{} ({} atoms)", lattice.at("kind").as_string(), atoms);
  const schema::List& times = repeats->as_list();
  return fmt::format("{} {}x{}x{} ({} atoms)", lattice.at("kind").as_string(), times[0].as_int(), times[1].as_int(), times[2].as_int(), atoms);
}

/// The specification in which the system of a state is written out: its own, or that of the model that was drawn from.
plan::TaskSpec spec_with_system(engine::TaskContext& context, plan::TaskSpec spec) {
  while (!spec.arguments.has("system")) {
    const auto model = std::find_if(spec.inputs.begin(), spec.inputs.end(), [](const plan::TaskInput& input) { return input.role.starts_with("model"); });
    if (model == spec.inputs.end()) throw std::logic_error("no system behind " + spec.name);
    spec = context.object_spec(model->key);
  }
  return spec;
}

/// By how much beta F of the whole crystal falls when all site types of the primitive cell are counted: ln(n_p).
double sublattice_term(const artifacts::Artifact& artifact, std::int64_t atoms) {
  if (artifact.arrays.contains("grid/all_sublattices/value")) {
    return (artifact.array("grid/per_particle/value").doubles[0] - artifact.array("grid/all_sublattices/value").doubles[0]) * static_cast<double>(atoms);
  }
  const artifacts::Result *one = artifact.find_result("per_particle"), *all = artifact.find_result("all_sublattices");
  return one == nullptr || all == nullptr ? 0.0 : (one->value - all->value) * static_cast<double>(atoms);
}

constexpr double kWorstTail = 0.7;  // Pareto k above which averages with weights cannot be trusted

void refuse_heavy_tails(const artifacts::Artifact& artifact, const std::string& name) {
  const artifacts::Result* tail = artifact.find_result("largest_pareto_k");
  if (tail == nullptr || !(tail->value > kWorstTail)) return;
  throw InputError(fmt::format("the weights of {} have tails of Pareto k {:.2g} at some state, above {:g}: their averages cannot be trusted. Train longer, draw from a "
                               "flow that follows the crystal, or take chains there",
                               name, tail->value, kWorstTail));
}

/// What a task measured, one state or several.
void add_states(engine::TaskContext& context, const std::string& role, phases::Measurements& measured, std::vector<phases::JointNormal>& parts, Crystal& crystal) {
  const plan::TaskSpec spec = spec_with_system(context, context.input_spec(role));
  const auto artifact = context.input(role);
  expect_right_angles(*artifact, spec.name);
  const std::int64_t atoms = artifact->array("sites").shape[0];
  const schema::Value& lattice = spec.arguments.at("system").at("lattice");
  const Crystal here{lattice.at("kind").as_string(), name_of_cell(lattice, atoms), atoms, sublattice_term(*artifact, atoms)};
  if (!parts.empty() && here.cell != crystal.cell) {
    throw InputError(fmt::format("the states of a surface are those of one cell; {} has {}, others {}", spec.name, here.cell, crystal.cell));
  }
  crystal = here;
  refuse_heavy_tails(*artifact, spec.name);
  if (!artifact->arrays.contains("states/table")) {
    measured.states.push_back(state_of(spec, *artifact));
    parts.push_back(numbers_of(*artifact, "state"));
    return;
  }
  const std::vector<phases::BoxState> states = states_in(artifact->array("states/table"));
  measured.states.insert(measured.states.end(), states.begin(), states.end());
  parts.push_back(numbers_of(*artifact, "states"));
}

/// Numbers that rest on one measurement twice would count it twice: a state that stands twice, or a ladder of temperatures
/// beside its anchor, or beside another one on it.
void refuse_common(engine::TaskContext& context, std::size_t states) {
  std::map<plan::Key, std::string> rests_on;
  const auto take = [&](const plan::Key& key, const std::string& name) {
    const auto [known, fresh] = rests_on.emplace(key, name);
    if (fresh) return;
    throw InputError(fmt::format("{} and {} rest on one measurement, which would count twice: leave one of them out{}", known->second, name,
                                 known->second == name ? "; two blocks that do the same work are one" : ", or give the ladders anchors of their own"));
  };
  for (std::size_t i = 0; i < states; ++i) {
    const plan::TaskSpec spec = context.input_spec(fmt::format("states.{}", i));
    take(spec.key, spec.name);
    for (const plan::TaskInput& input : spec.inputs) {
      if (input.role.starts_with("path.anchors")) take(input.key, spec.name);
    }
  }
}

constexpr double kMostWidening = 10.0;

void refuse_bad_fit(const phases::Surface& surface) {
  if (surface.widening() <= kMostWidening) return;
  const std::string where = surface.over_temperatures() ? "" : fmt::format(" at {:g} K", surface.lowest_temperature());
  throw InputError(fmt::format("the surface{} misses its states by {:.1f} times their errors (chi^2 {:.4g} of {} numbers): raise `volume_degree`, "
                               "`shape_degree` or `temperature_degree`, fit `over = isotherms`, take states of a narrower range, or look for one that has turned into another crystal",
                               where, surface.widening(), surface.chi_square(), surface.freedom()));
}

}  // namespace

artifacts::Artifact surface(engine::TaskContext& context) {
  phases::Measurements measured;
  std::vector<phases::JointNormal> parts;
  Crystal crystal;
  const std::size_t states = context.arguments().at("states").as_list().size();
  refuse_common(context, states);
  for (std::size_t i = 0; i < states; ++i) add_states(context, fmt::format("states.{}", i), measured, parts, crystal);
  measured.numbers = phases::independent(parts);
  const MeasuredSurface surface(std::move(measured), context.arguments(), std::move(crystal));
  for (const phases::Surface& fitted : surface.all()) refuse_bad_fit(fitted);
  return surface.artifact();
}

}  // namespace bgw::tasks
