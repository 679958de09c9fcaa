#include <cmath>

#include "compiler/units/unit_table.h"
#include "runtime/estimators/jackknife.h"
#include "runtime/estimators/lfep.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/sampling/molecular_dynamics.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

/// Boxes move without turning: they are upper triangular deformations of the lattice's cell.
void refuse_turned(const Tensor& deformation) {
  const double below = deformation.tril(-1).abs().max().item<double>();
  if (below <= 1e-9 && deformation.diagonal(0, 1, 2).min().item<double>() > 0) return;
  throw InputError("the cells of the samples to start from are turned against that of the lattice: their deformation has " +
                   std::to_string(below) + " below its diagonal; turn them back, or start from the lattice");
}

/// A time in whole steps, at least `least`.
std::int64_t steps_of(const schema::Value& arguments, const char* time, std::int64_t least) {
  const double steps = arguments.at(time).as_double() / arguments.at("timestep").as_double();
  return std::max<std::int64_t>(least, std::llround(steps));
}

/// What an md task computes on.
struct Bench {
  crystal::Crystal crystal;
  Tensor sites;  // [N, 3]
  std::unique_ptr<physics::EnergyModel> model;
  sampling::DynamicsOptions options;
  std::int64_t frames = 0;
  std::int64_t replicas = 1;
  double kt = 0;        // eV
  double timestep = 0;  // fs

  double volume() const { return crystal.cell.volume(); }
  double particles() const { return static_cast<double>(model->particles()); }
};

Bench make_bench(const schema::Value& arguments) {
  const schema::Value& system = arguments.at("system");
  const schema::Value& ensemble = arguments.at("ensemble");
  Bench bench;
  bench.crystal = physics::make_crystal(system);
  bench.sites = physics::sites_tensor(bench.crystal);
  bench.model = physics::make_energy_model(system);
  bench.kt = 1 / physics::inverse_temperature(ensemble);
  bench.timestep = arguments.at("timestep").as_double();
  bench.replicas = arguments.at("replicas").as_int();
  sampling::DynamicsOptions& options = bench.options;
  // One lj of mass is that of an atom: without another its number is one.
  options.langevin = {bench.kt, system.number_or("mass", 1.0), bench.timestep,
                      arguments.at("integrator").at("friction").as_double()};
  options.equilibrate = steps_of(arguments, "equilibrate", 0);
  options.every = steps_of(arguments, "every", 1);
  options.basin.emplace(bench.sites, bench.crystal.cell);
  bench.frames = std::max<std::int64_t>(1, steps_of(arguments, "produce", 1) / options.every);
  if (ensemble.at("kind").as_string() == "npt") {
    sampling::BoxOptions box;
    box.shape = sampling::box_shape(ensemble.string_or("box", "isotropic"));
    box.pressure = ensemble.at("pressure").as_double();
    box.volume = bench.volume();
    box.kt = bench.kt;
    options.box = box;
  }
  return bench;
}

/// The configuration of `from` in which each replica begins: the last of each of as many equal parts, which for
/// chains is where they ended, or, of weighted samples, one drawn with their weights.
Tensor chosen_for(const artifacts::Artifact& from, std::int64_t replicas, const plan::Key& stream_key) {
  const std::int64_t count = from.array("displacements").shape.at(0);
  if (!from.arrays.contains("log_weight")) {
    return ((at::arange(1, replicas + 1, at::kLong) * count).floor_divide(replicas) - 1).clamp_min(0);
  }
  const Tensor sums = estimators::normalised_weights(tensor::to_tensor(from.array("log_weight"))).cumsum(0);
  const Tensor draws = tensor::RandomStream(stream_key, "md.begin").uniform(0, 0, replicas, 1).select(1, 0);
  return at::searchsorted(sums, draws.contiguous()).clamp_max(count - 1);
}

sampling::DynamicsState begin(engine::TaskContext& context, const Bench& bench, const sampling::MolecularDynamics& md) {
  const schema::Value* start = context.arguments().find("start");
  if (start == nullptr || start->is_none()) {
    return md.start(at::zeros({bench.replicas, bench.model->particles(), 3}, at::kDouble));
  }
  const auto from = context.input("start");
  const Tensor sites = tensor::to_tensor(from->array("sites"));
  if (sites.sizes() != bench.sites.sizes())
    throw InputError("the samples to start from have " + std::to_string(sites.size(0)) + " atoms, the crystal " +
                     std::to_string(bench.model->particles()));
  const Tensor rows = chosen_for(*from, bench.replicas, context.spec().stream_key);
  const Tensor displacements =
      tensor::to_tensor(from->array("displacements")).index_select(0, rows) + (sites - bench.sites);
  if (!bench.options.box || !from->arrays.contains("deformation")) return md.start(displacements);
  const Tensor deformation = tensor::to_tensor(from->array("deformation")).index_select(0, rows);
  refuse_turned(deformation);
  return md.start(displacements, sampling::coordinates_of(bench.options.box->shape, deformation));
}

artifacts::Artifact checkpoint_of(const sampling::DynamicsState& state, const physics::CallCount& calls) {
  return checkpoint_from(sampling::to_named_tensors(state), calls);
}

sampling::DynamicsState state_from(const artifacts::Artifact& checkpoint) {
  return sampling::dynamics_state_from(named_tensors_of(checkpoint));
}

engine::Progress progress_of(const sampling::DynamicsState& state, const Bench& bench) {
  engine::Progress progress;
  const bool equilibrates = state.atoms.step <= bench.options.equilibrate;
  progress.phase = equilibrates ? "equilibration" : "production";
  progress.step = state.atoms.step;
  progress.steps = bench.options.equilibrate + bench.frames * bench.options.every;
  progress.numbers = {{"temperature", state.atoms.kinetic.mean().item<double>() * 2 /
                                          ((3 * bench.particles() - 3) * units::kBoltzmann)}};
  if (bench.options.box) progress.numbers["box_acceptance"] = state.box.acceptance();
  return progress;
}

/// What the counted frames of a replica are, [frames, columns]: the averages of sampling::Average and the pressure.
std::vector<Tensor> counted_series(const sampling::DynamicsState& state) {
  std::vector<Tensor> columns;
  for (std::int64_t k = 0; k < sampling::kAverages; ++k) {
    columns.push_back(sampling::series_of(state.frames, static_cast<sampling::Average>(k)));
  }
  std::vector<Tensor> pressures;
  for (const sampling::Frame& frame : state.frames) pressures.push_back(frame.pressure.diagonal(0, 1, 2).mean(1));
  columns.push_back(at::stack(pressures, 1));
  const Tensor all = at::stack(columns, 2);  // [R, frames, columns]
  std::vector<Tensor> chains;
  for (std::int64_t r = 0; r < all.size(0); ++r) {
    const auto counted = state.counted[r].item<std::int64_t>();
    if (counted > 0) chains.push_back(all[r].narrow(0, 0, counted));
  }
  return chains;
}

/// Averages with their errors, from blocks as long as the slowest of what fluctuates asks for.
class Averages {
 public:
  explicit Averages(std::vector<Tensor> chains) : chains_(std::move(chains)) {
    for (const Tensor& chain : chains_) samples_ += chain.size(0);
    for (const std::int64_t column : {column_of(sampling::Average::energy), column_of(sampling::Average::density)}) {
      std::vector<Tensor> series;
      for (const Tensor& chain : chains_) series.push_back(chain.select(1, column));
      block_ = std::max(block_, estimators::block_length(series));
    }
  }

  static std::int64_t column_of(sampling::Average average) { return static_cast<std::int64_t>(average); }
  static constexpr std::int64_t kPressure = sampling::kAverages;

  artifacts::Result result(const std::string& name, const std::string& unit, const std::string& words,
                           const std::function<double(const std::vector<double>&)>& of_means) const {
    const estimators::Estimate estimate = estimators::jackknife(chains_, block_, of_means);
    artifacts::Result result{name, estimate.value, {}, unit, samples_, words};
    if (std::isfinite(estimate.sigma)) result.sigma = estimate.sigma;
    return result;
  }
  artifacts::Result mean(const std::string& name, std::int64_t column, double factor, const std::string& unit,
                         const std::string& words, double constant = 0) const {
    return result(name, unit, words, [=](const std::vector<double>& means) {
      return constant + factor * means[static_cast<std::size_t>(column)];
    });
  }
  std::int64_t block() const { return block_; }

 private:
  std::vector<Tensor> chains_;
  std::int64_t samples_ = 0;
  std::int64_t block_ = 1;
};

void add_results(artifacts::Artifact& artifact, const Bench& bench, const sampling::DynamicsState& state,
                 double static_energy) {
  const Averages averages(counted_series(state));
  const double n = bench.particles(), kt = bench.kt;
  const bool moving = bench.options.box.has_value();
  const auto column = [](sampling::Average average) { return Averages::column_of(average); };
  auto& results = artifact.results;
  results.push_back(averages.mean("mean_energy", column(sampling::Average::energy), 1 / n, "eV",
                                  "potential energy per atom", static_energy / n));
  results.push_back(averages.mean("mean_temperature", column(sampling::Average::kinetic_temperature),
                                  1 / units::kBoltzmann, "K", "of the velocities halfway through a step"));
  results.push_back(averages.mean("mean_pressure", Averages::kPressure, 1.0, "eV/angstrom^3",
                                  "from the virial, N kT for the motion"));
  artifacts::Result density =
      averages.mean("density", column(sampling::Average::density), 1.0, "/angstrom^3", "atoms per volume");
  if (!moving) density.sigma = 0.0;
  results.push_back(density);
  const auto first = static_cast<std::size_t>(column(moving ? sampling::Average::enthalpy : sampling::Average::energy));
  const auto second = static_cast<std::size_t>(
      column(moving ? sampling::Average::squared_enthalpy : sampling::Average::squared_energy));
  results.push_back(averages.result("heat_capacity", "",
                                    moving ? "at constant pressure, in kB per atom: 3/2 and the fluctuation of U + P V"
                                           : "at constant volume, in kB per atom: 3/2 and the fluctuation of U",
                                    [=](const std::vector<double>& means) {
                                      return 1.5 + (means[second] - means[first] * means[first]) / (n * kt * kt);
                                    }));
  results.push_back({"lindemann",
                     sampling::lindemann(state),
                     {},
                     "",
                     {},
                     "rms displacement from the sites over the distance of nearest neighbours"});
  const auto left = (state.counted < bench.frames).sum().item<std::int64_t>();
  results.push_back({"left_basin",
                     static_cast<double>(left),
                     {},
                     "",
                     bench.replicas,
                     "replicas that left the basin of the crystal, not counted from there on"});
  results.push_back(
      {"block", static_cast<double>(averages.block()), {}, "", {}, "frames of a block, over which errors are taken"});
  if (moving) results.push_back({"box_acceptance", state.box.acceptance(), {}, "", {}, "of the moves of the box"});
}

/// Counted frames, replica after replica, each in the order of time.
void add_samples(artifacts::Artifact& artifact, const Bench& bench, const sampling::DynamicsState& state) {
  const Tensor inside = at::arange(bench.frames, at::kLong).unsqueeze(0) < state.counted.unsqueeze(1);  // [R, frames]
  const Tensor rows = inside.reshape({-1}).nonzero().view({-1});
  const auto of_frames = [&](Tensor sampling::Frame::*member) {
    std::vector<Tensor> parts;
    for (const sampling::Frame& frame : state.frames) parts.push_back(frame.*member);
    return at::stack(parts, 1).flatten(0, 1).index_select(0, rows);
  };
  const double between = static_cast<double>(bench.options.every) * bench.timestep;
  artifact.arrays["displacements"] = tensor::to_array(of_frames(&sampling::Frame::displacements), "angstrom");
  artifact.arrays["energy"] = tensor::to_array(of_frames(&sampling::Frame::energy), "eV");
  artifact.arrays["pressure"] = tensor::to_array(of_frames(&sampling::Frame::pressure), "eV/angstrom^3");
  if (bench.options.box) artifact.arrays["deformation"] = tensor::to_array(of_frames(&sampling::Frame::deformation));
  artifact.arrays["chain"] = tensor::to_array(rows.floor_divide(bench.frames));
  artifact.arrays["time"] = tensor::to_array((rows.remainder(bench.frames) + 1).to(at::kDouble) * between, "fs");
  add_crystal(artifact, bench.sites, bench.crystal.cell);
}

}  // namespace

artifacts::Artifact molecular_dynamics(engine::TaskContext& context) {
  const Bench bench = make_bench(context.arguments());
  const sampling::MolecularDynamics md(*bench.model, bench.volume(), bench.options, context.spec().stream_key);
  sampling::DynamicsState state;
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  } else {
    state = begin(context, bench, md);
  }
  const auto calls = [&] { return before + bench.model->calls(); };
  const auto checkpoint = [&] { return checkpoint_of(state, calls()); };
  const std::int64_t steps = bench.options.equilibrate + bench.frames * bench.options.every;
  const std::int64_t at_once =
      std::max<std::int64_t>(1, configurations_at_once(bench.model->particles()) / bench.replicas);
  while (state.atoms.step < steps) {
    for (std::int64_t i = 0; i < at_once && state.atoms.step < steps; ++i) md.step(state);
    context.report(progress_of(state, bench));
    context.step_done(checkpoint);
  }

  const Listening listening = stop_in_interludes(context, checkpoint);
  artifacts::Artifact artifact;
  add_results(artifact, bench, state, md.static_energy());
  add_samples(artifact, bench, state);
  artifact.cost = cost_of(calls());
  return artifact;
}

}  // namespace bgw::tasks
