#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/units/unit_table.h"
#include "runtime/crystal/lattice_value.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/sampling/relaxation.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

using sampling::Relaxed;

constexpr double kSettled = 1e-9;        // largest slope at the result, eV/angstrom
constexpr double kNearlySettled = 1e-6;  // of tries that are only compared: their enthalpy is known to its square
constexpr std::int64_t kMostSteps = 20'000;
constexpr double kSame = 1e-6;            // of enthalpies of one structure, eV an atom
constexpr std::int64_t kMostInPrimitive = 600;  // atoms whose Hessian at one wave vector is diagonalised
constexpr double kGigapascal = 0.006241509074460763;  // eV/angstrom^3

/// What the sites repeat in: the whole box, or each unit cell of the lattice, all images of which then count.
crystal::Crystal moved_crystal(const schema::Value& arguments) {
  const schema::Value& system = arguments.at("system");
  if (arguments.at("periodic_in").as_string() == "box") return physics::make_crystal(system);
  const schema::Value& lattice = system.at("lattice");
  return crystal::make_crystal(crystal::kind_of(lattice), {1, 1, 1}, lattice.at("density").as_double());
}

std::unique_ptr<physics::EnergyModel> moved_model(const schema::Value& arguments, const crystal::Crystal& crystal) {
  const schema::Value& system = arguments.at("system");
  if (arguments.at("periodic_in").as_string() == "box") return physics::make_energy_model(system);
  schema::Map all_images = system.as_map();
  all_images.erase("minimum_image");
  return physics::make_energy_model(all_images, crystal.sites, crystal.cell);
}

/// What a relaxation computes on. Not movable: the surface refers to the model.
struct Bench {
  explicit Bench(const schema::Value& arguments)
      : crystal(moved_crystal(arguments)), model(moved_model(arguments, crystal)), symmetry(physics::symmetry_of(crystal)),
        pressure(arguments.at("pressure").as_double()), tries(arguments.at("tries").as_int()), free_sites(arguments.at("sites").as_string() == "free"),
        surface(*model, crystal.cell.volume(), sampling::box_shape(arguments.at("box").as_string()), pressure, free_sites) {}
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  crystal::Crystal crystal;
  std::unique_ptr<physics::EnergyModel> model;
  physics::CrystalSymmetry symmetry;
  double pressure;  // eV/angstrom^3
  std::int64_t tries;
  bool free_sites;
  sampling::EnthalpySurface surface;

  double particles() const { return static_cast<double>(model->particles()); }
};

/// Between groups of tries.
struct State {
  Tensor start, lowest;       // [width]: the lattice at rest with its symmetry, and the lowest of all so far
  double start_height = 0;    // H, eV
  double lowest_height = 0;
  double stiffness = 0;       // of the surface at the start
  std::vector<double> heights;  // of the tries so far; not a number for one that is lost
};

std::map<std::string, Tensor> to_named_tensors(const State& state) {
  return {{"start", state.start}, {"lowest", state.lowest},
          {"numbers", at::tensor({state.start_height, state.lowest_height, state.stiffness}, at::kDouble)},
          {"heights", at::tensor(at::ArrayRef<double>(state.heights), at::kDouble)}};
}

State state_from(const std::map<std::string, Tensor>& named) {
  const Tensor& numbers = named.at("numbers");
  const Tensor heights = named.at("heights").contiguous();
  const double* begin = heights.data_ptr<double>();
  return {named.at("start"), named.at("lowest"), numbers[0].item<double>(), numbers[1].item<double>(), numbers[2].item<double>(), {begin, begin + heights.numel()}};
}

std::string pressure_in_words(engine::TaskContext& context, double pressure) {
  const schema::Value& presentation = context.spec().presentation;
  const bool reduced = presentation.is_map() && presentation.string_or("energy_unit", "") == "lj";
  return reduced ? fmt::format("{:.6g} lj", pressure) : fmt::format("{:.6g} GPa", pressure / kGigapascal);
}

/// A search also ends where rounding, or an energy that is not smooth there, lets it go no further.
bool at_rest(const Relaxed& end) { return end.end == Relaxed::End::settled && end.slope < kNearlySettled; }

void expect_at_rest(engine::TaskContext& context, const Bench& bench, const Relaxed& end, const char* what) {
  if (at_rest(end)) return;
  const double ratio = std::exp(bench.surface.log_volume_ratio(end.point.unsqueeze(0)).item<double>());
  const std::string pressure = pressure_in_words(context, bench.pressure);
  if (end.end == Relaxed::End::lost) {
    throw NumericalError(fmt::format("the crystal does not hold at a pressure of {}: going down in enthalpy its volume came to {:.3g} times that of the lattice, the limit is a factor of 4; "
                                     "take another pressure, or a density nearer to that of the crystal there", pressure, ratio));
  }
  if (end.end == Relaxed::End::settled) {
    throw NumericalError(fmt::format("{} did not come to rest at a pressure of {}: the search is stuck at a slope of {:.3g} eV/angstrom and {:.3g} times the volume of the lattice, where no step lowers the "
                                     "enthalpy; the energy is not smooth there, as where neighbours pass a cutoff: take a smoother potential, or another density to begin with", what, pressure, end.slope, ratio));
  }
  throw NumericalError(fmt::format("{} did not come to rest at a pressure of {}: {} evaluations left a slope of {:.3g} eV/angstrom at {:.3g} times the volume of the lattice",
                                   what, pressure, kMostSteps, end.slope, ratio));
}

/// How much of a computation is told: every so many evaluations.
constexpr std::int64_t kToldEvery = 50;

/// A listener for steps that reports, and lets the task be stopped.
class Telling {
 public:
  Telling(engine::TaskContext& context, std::string phase, std::int64_t done, std::int64_t all) : context_(context), phase_(std::move(phase)), done_(done), all_(all) {}
  void operator()(std::int64_t) {
    interlude();
    if (++steps_ % kToldEvery == 0) context_.report({fmt::format("{}, step {}", phase_, steps_), done_, all_, {}});
  }

 private:
  engine::TaskContext& context_;
  std::string phase_;
  std::int64_t done_, all_, steps_ = 0;
};

/// Where the search begins: the lattice, and where its sites have their symmetry to the digits of a file only, the sites that have it. The
/// slope that is averaged over a symmetry is that of the enthalpy only where the crystal has it.
Tensor lattice_point(const Bench& bench) {
  constexpr double kRounding = 1e-9;  // angstrom
  Tensor point = at::zeros({1, bench.surface.width()}, at::kDouble);
  if (!bench.free_sites) return point;
  const Tensor shift = physics::shift_to_symmetry(bench.crystal);
  if (shift.abs().max().item<double>() > kRounding) point[0].narrow(0, 0, shift.numel()).copy_(shift.view({-1}));
  return point;
}

State begin(engine::TaskContext& context, const Bench& bench) {
  const Listening listening = stop_in_interludes(context);
  State state;
  const Tensor lattice = lattice_point(bench);
  state.stiffness = sampling::stiffest_curvature(bench.surface, lattice);
  const sampling::EnthalpySurface kept = bench.surface.keeping(bench.symmetry);
  const Relaxed start = sampling::relaxed(kept, lattice, {state.stiffness, kSettled, kMostSteps}, Telling(context, "the lattice", 0, bench.tries))[0];
  expect_at_rest(context, bench, start, "the lattice");
  state.start = state.lowest = start.point;
  state.start_height = state.lowest_height = start.height;
  return state;
}

/// The lattice at rest, each atom displaced at random.
Tensor displaced(engine::TaskContext& context, const Bench& bench, const State& state, std::int64_t first, std::int64_t count) {
  const double length = context.arguments().at("displacement").as_double();
  const std::int64_t n = bench.model->particles();
  const Tensor shifts = length * tensor::RandomStream(context.spec().stream_key, "relax.displacement").normal(0, first, count, 3 * n).view({count, n, 3});
  Tensor points = state.start.unsqueeze(0).repeat({count, 1});
  for (std::int64_t row = 0; row < count; ++row) points[row].narrow(0, 0, 3 * n) += (shifts[row] - shifts[row].mean(0, true)).view({-1});
  return points;
}

/// The next tries, as many as the processors take at once: none knows of the others.
void add_tries(engine::TaskContext& context, const Bench& bench, State& state) {
  constexpr std::int64_t kLanes = 8;  // of the kernels
  const auto first = static_cast<std::int64_t>(state.heights.size());
  const std::int64_t count = std::min(bench.tries - first, kLanes * context.cpus());
  const std::string which = fmt::format("tries {} to {}", first + 1, first + count);
  Tensor points = displaced(context, bench, state, first, count);
  const schema::Value* heat = context.arguments().find("temperature");
  if (heat != nullptr && !heat->is_none()) {
    const double kt = units::kBoltzmann * heat->as_double();
    points = sampling::annealed(bench.surface, points, first, {state.stiffness, kt, context.arguments().at("steps").as_int(), context.spec().stream_key},
                                Telling(context, which + " cool", first, bench.tries));
  }
  for (const Relaxed& end : sampling::relaxed(bench.surface, points, {state.stiffness, kNearlySettled, kMostSteps}, Telling(context, which + " come to rest", first, bench.tries))) {
    const bool counts = at_rest(end);
    state.heights.push_back(counts ? end.height : std::numeric_limits<double>::quiet_NaN());
    if (!counts || !(end.height < state.lowest_height)) continue;
    state.lowest_height = end.height;
    state.lowest = end.point;
  }
}

/// The lowest point in full sharpness. A try that came back to the lattice is the lattice, with its symmetry.
Relaxed sharpened(engine::TaskContext& context, const Bench& bench, const State& state) {
  const Relaxed start{Relaxed::End::settled, state.start, state.start_height, 0.0};
  if (state.lowest_height > state.start_height - kSame * bench.particles()) return start;
  const Relaxed end = sampling::relaxed(bench.surface, state.lowest.unsqueeze(0), {state.stiffness, kSettled, kMostSteps}, Telling(context, "the lowest", bench.tries, bench.tries))[0];
  expect_at_rest(context, bench, end, "the lowest of the tries");
  return end;
}

/// The structure that was found, in the box of the lattice.
struct Structure {
  crystal::Crystal lattice;    // before it moved
  Tensor displacements;        // [N, 3]
  Tensor deformation;          // [3, 3]
  crystal::Cell cell;          // deformed
  std::vector<crystal::Vector3> positions;
};

Structure structure_of(const schema::Value& system, const Bench& bench, const Tensor& point) {
  Structure structure;
  structure.lattice = physics::make_crystal(system);
  const auto times = static_cast<std::int64_t>(structure.lattice.sites.size()) / bench.model->particles();
  // Sites of a lattice come cell after cell.
  structure.displacements = bench.surface.displacements(point.unsqueeze(0))[0].repeat({times, 1}).contiguous();
  structure.deformation = bench.surface.deformation(point.unsqueeze(0))[0].contiguous();
  const crystal::Matrix3 f = {{{structure.deformation[0][0].item<double>(), structure.deformation[0][1].item<double>(), structure.deformation[0][2].item<double>()},
                               {structure.deformation[1][0].item<double>(), structure.deformation[1][1].item<double>(), structure.deformation[1][2].item<double>()},
                               {structure.deformation[2][0].item<double>(), structure.deformation[2][1].item<double>(), structure.deformation[2][2].item<double>()}}};
  structure.cell = structure.lattice.cell.deformed(f);
  const double* u = structure.displacements.data_ptr<double>();
  for (const crystal::Vector3& site : structure.lattice.sites) {
    structure.positions.push_back(crystal::product(f, {site[0] + u[0], site[1] + u[1], site[2] + u[2]}));
    u += 3;
  }
  return structure;
}

/// Edge of the unit cell along each of its vectors.
crystal::Vector3 edges_of(const Structure& structure) {
  crystal::Vector3 edges = structure.cell.lengths();
  for (std::size_t k = 0; k < 3; ++k) edges[k] /= structure.lattice.repeats[k];
  return edges;
}

/// The shift of the sites of beta_tin, where each atom of every cell is shifted as `delta` shifts it.
std::optional<double> delta_of(const schema::Value& lattice, const Structure& structure) {
  if (lattice.at("kind").as_string() != "beta_tin") return std::nullopt;
  constexpr double kTolerance = 1e-5;  // of an edge
  constexpr double kShifts[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  schema::Map plain = lattice.as_map();
  plain.erase("delta");
  const crystal::Crystal ideal = crystal::make_crystal(crystal::kind_of(plain), structure.lattice.repeats, lattice.at("density").as_double());
  const std::size_t n = ideal.sites.size();
  std::vector<crystal::Vector3> shifts(n);  // in edges of the unit cell
  crystal::Vector3 mean{};
  for (std::size_t i = 0; i < n; ++i) {
    const crystal::Vector3 here = structure.cell.fractional(structure.positions[i]), there = ideal.cell.fractional(ideal.sites[i]);
    for (std::size_t d = 0; d < 3; ++d) {
      shifts[i][d] = (here[d] - there[d]) * ideal.repeats[d];
      mean[d] += shifts[i][d] / static_cast<double>(n);
    }
  }
  double delta = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t d = 0; d < 2; ++d) delta += 4.0 * (kShifts[i % 4][d] - 0.5) * (shifts[i][d] - mean[d]) / (2.0 * static_cast<double>(n));
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t d = 0; d < 3; ++d) {
      const double wanted = d < 2 ? delta * (kShifts[i % 4][d] - 0.5) : 0.0;
      if (std::abs(shifts[i][d] - mean[d] - wanted) > kTolerance) return std::nullopt;
    }
  }
  return delta;
}

void add_modes(artifacts::Artifact& artifact, const schema::Value& system, const Structure& structure, physics::CallCount& calls) {
  const auto model = physics::make_energy_model(system, structure.positions, structure.cell);
  const physics::TranslationGroup group = physics::translations_of(structure.positions, structure.cell);
  if (group.basis > kMostInPrimitive) return;
  const Tensor rest = at::zeros({1, model->particles(), 3}, at::kDouble);
  const physics::SoftModes soft = physics::soft_modes(physics::spectrum_of(physics::mean_force_constants(*model, group, rest)));
  calls = calls + model->calls();
  artifact.results.push_back({"imaginary_modes", static_cast<double>(soft.count), {}, "", 3 * model->particles() - 3, "of the box, without its strains; 1e-9 of the stiffest or less counts as free"});
  artifact.results.push_back({"lowest_curvature", soft.lowest, {}, "eV/angstrom^2", {}, "of a mode"});
}

void add_tries_results(artifacts::Artifact& artifact, const Bench& bench, const State& state, double lowest) {
  const auto tries = static_cast<std::int64_t>(state.heights.size());
  double highest = lowest;
  std::int64_t found = 0, lost = 0;
  for (const double height : state.heights) {
    if (std::isnan(height)) {
      ++lost;
      continue;
    }
    highest = std::max(highest, height);
    if (height < lowest + kSame * bench.particles()) ++found;
  }
  artifact.results.push_back({"found", static_cast<double>(found), {}, "", tries, "tries that ended within 1e-6 eV an atom of the lowest"});
  artifact.results.push_back({"lost", static_cast<double>(lost), {}, "", tries, "tries whose crystal did not hold or did not come to rest"});
  artifact.results.push_back({"spread", (highest - lowest) / bench.particles(), {}, "eV", tries, "from the lowest to the highest enthalpy of the tries, per atom"});
  artifact.results.push_back({"lattice_enthalpy", state.start_height / bench.particles(), {}, "eV", {}, "per atom, of the lattice with its symmetry kept"});
}

void add_structure_results(artifacts::Artifact& artifact, const schema::Value& lattice, const Bench& bench, const Structure& structure, const Relaxed& lowest) {
  const Tensor point = lowest.point.unsqueeze(0);
  const physics::EnergyGradientStrain value = bench.model->energy_gradient_and_strain(bench.surface.displacements(point), bench.surface.deformation(point));
  const Tensor forces = at::matmul(value.gradient[0], at::inverse(structure.deformation));
  const double atoms = static_cast<double>(structure.positions.size()), volume = structure.cell.volume() / atoms;
  const double energy = value.energy[0].item<double>() / bench.particles();
  const crystal::Vector3 edges = edges_of(structure);
  auto& results = artifact.results;
  results.push_back({"enthalpy", energy + bench.pressure * volume, {}, "eV", {}, "U + P V per atom, atoms at rest"});
  results.push_back({"energy", energy, {}, "eV", {}, "U per atom"});
  results.push_back({"volume", volume, {}, "angstrom^3", {}, "per atom"});
  results.push_back({"density", 1.0 / volume, {}, "/angstrom^3", {}, "atoms per volume"});
  results.push_back({"edge", edges[0], {}, "angstrom", {}, "a, the first of the lattice's unit cell"});
  results.push_back({"b_over_a", edges[1] / edges[0], {}, "", {}, "of the lattice's unit cell"});
  results.push_back({"c_over_a", edges[2] / edges[0], {}, "", {}, "of the lattice's unit cell"});
  if (const auto delta = delta_of(lattice, structure)) results.push_back({"delta", *delta, {}, "", {}, "shift of the sites, in cell edges"});
  const Tensor pressures = -value.strain_gradient[0].diagonal() / (volume * bench.particles());
  for (std::int64_t d = 0; d < 3; ++d) {
    results.push_back({std::vector<const char*>{"pressure_xx", "pressure_yy", "pressure_zz"}[static_cast<std::size_t>(d)], pressures[d].item<double>(), {}, "eV/angstrom^3", {}, "of the virial"});
  }
  results.push_back({"largest_force", forces.norm(2, 1).max().item<double>(), {}, "eV/angstrom", {}, "on an atom"});
}

/// One configuration, as the samples of other tasks: the sites of the lattice, where the atoms went, and what became of its box.
void add_structure(artifacts::Artifact& artifact, const Structure& structure, double energy) {
  artifact.arrays["displacements"] = tensor::to_array(structure.displacements.unsqueeze(0), "angstrom");
  artifact.arrays["deformation"] = tensor::to_array(structure.deformation.unsqueeze(0));
  artifact.arrays["energy"] = tensor::to_array(at::full({1}, energy, at::kDouble), "eV");
  add_crystal(artifact, physics::sites_tensor(structure.lattice), structure.lattice.cell);
}

}  // namespace

artifacts::Artifact relax(engine::TaskContext& context) {
  const Bench bench(context.arguments());
  physics::CallCount before;
  State state;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(named_tensors_of(*checkpoint));
    before = calls_of(checkpoint->cost);
  } else {
    state = begin(context, bench);
  }
  const auto checkpoint = [&] { return checkpoint_from(to_named_tensors(state), before + bench.model->calls()); };
  while (static_cast<std::int64_t>(state.heights.size()) < bench.tries) {
    {
      const Listening listening = stop_in_interludes(context, [saved = checkpoint()] { return saved; });
      add_tries(context, bench, state);
    }
    context.report({"tries", static_cast<std::int64_t>(state.heights.size()), bench.tries, {{"lowest", state.lowest_height / bench.particles()}}});
    context.step_done(checkpoint);
  }

  const Listening listening = stop_in_interludes(context, [saved = checkpoint()] { return saved; });
  const schema::Value& system = context.arguments().at("system");
  const Relaxed lowest = sharpened(context, bench, state);
  const Structure structure = structure_of(system, bench, lowest.point);
  artifacts::Artifact artifact;
  add_structure_results(artifact, system.at("lattice"), bench, structure, lowest);
  add_tries_results(artifact, bench, state, lowest.height);
  physics::CallCount calls = before + bench.model->calls();
  add_modes(artifact, system, structure, calls);
  add_structure(artifact, structure, artifact.find_result("energy")->value * static_cast<double>(structure.positions.size()));
  artifact.cost = cost_of(calls);
  return artifact;
}

}  // namespace bgw::tasks
