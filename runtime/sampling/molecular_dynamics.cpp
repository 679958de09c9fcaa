#include "runtime/sampling/molecular_dynamics.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "runtime/foundation/errors.h"

namespace bgw::sampling {
namespace {

void put_below(std::map<std::string, Tensor>& named, const std::string& place,
               const std::map<std::string, Tensor>& part) {
  for (const auto& [name, value] : part) named[place + "/" + name] = value;
}

std::map<std::string, Tensor> below(const std::map<std::string, Tensor>& named, const std::string& place) {
  std::map<std::string, Tensor> part;
  for (const auto& [name, value] : named) {
    if (name.rfind(place + "/", 0) == 0) part[name.substr(place.size() + 1)] = value;
  }
  return part;
}

/// One member of all frames, [frames, R, …].
Tensor stacked(const std::vector<Frame>& frames, Tensor Frame::*member) {
  std::vector<Tensor> parts;
  for (const Frame& frame : frames) parts.push_back(frame.*member);
  return at::stack(parts);
}

constexpr std::array<std::pair<const char*, Tensor Frame::*>, 5> kMembers{
    std::pair{"displacements", &Frame::displacements}, std::pair{"energy", &Frame::energy},
    std::pair{"pressure", &Frame::pressure}, std::pair{"deformation", &Frame::deformation},
    std::pair{"averages", &Frame::averages}};

}  // namespace

std::map<std::string, Tensor> to_named_tensors(const DynamicsState& state) {
  std::map<std::string, Tensor> named;
  put_below(named, "atoms", to_named_tensors(state.atoms));
  if (state.box.coordinates.defined()) put_below(named, "box", to_named_tensors(state.box));
  named["sums"] = state.sums;
  named["counted"] = state.counted;
  named["squared_ratios"] = state.squared_ratios;
  if (state.frames.empty()) return named;
  for (const auto& [name, member] : kMembers) {
    if ((state.frames.front().*member).defined()) named[std::string("frames/") + name] = stacked(state.frames, member);
  }
  return named;
}

DynamicsState dynamics_state_from(const std::map<std::string, Tensor>& named) {
  DynamicsState state;
  state.atoms = langevin_state_from(below(named, "atoms"));
  const auto box = below(named, "box");
  if (!box.empty()) state.box = box_state_from(box);
  state.sums = named.at("sums").clone();
  state.counted = named.at("counted").clone();
  state.squared_ratios = named.at("squared_ratios").clone();
  const auto frames = below(named, "frames");
  if (frames.empty()) return state;
  state.frames.resize(static_cast<std::size_t>(frames.at("energy").size(0)));
  for (const auto& [name, member] : kMembers) {
    const auto found = frames.find(name);
    if (found == frames.end()) continue;
    for (std::size_t f = 0; f < state.frames.size(); ++f) {
      state.frames[f].*member = found->second[static_cast<std::int64_t>(f)].clone();
    }
  }
  return state;
}

MolecularDynamics::MolecularDynamics(const physics::EnergyModel& model, double volume, const DynamicsOptions& options,
                                     const plan::Key& stream_key)
    : model_(model), volume_(volume), options_(options) {
  if (options.every < 1)
    throw InputError(fmt::format("md: a frame is kept at most every step, not every {}", options.every));
  if (options.equilibrate < 0)
    throw InputError(fmt::format("md: {} steps of equilibration are too few", options.equilibrate));
  static_energy_ = model.energy(at::zeros({1, model.particles(), 3}, at::kDouble)).item<double>();
  if (options.box) {
    boxed_ = std::make_unique<BoxedForceField>(model);
    moves_ = std::make_unique<BoxMoves>(model, *options.box, stream_key, "md.box");
    langevin_ = std::make_unique<Langevin>(*boxed_, options.langevin, stream_key, "md");
  } else {
    fixed_ = std::make_unique<CrystalForceField>(model);
    langevin_ = std::make_unique<Langevin>(*fixed_, options.langevin, stream_key, "md");
  }
}

DynamicsState MolecularDynamics::start(const Tensor& displacements, const Tensor& coordinates) const {
  const std::int64_t replicas = displacements.size(0);
  DynamicsState state;
  if (moves_) {
    const Tensor q = coordinates.defined()
                         ? coordinates
                         : relaxed_box(model_, options_.box->shape, options_.box->pressure, volume_).unsqueeze(0);
    const BoxOptions& box = *options_.box;
    state.box =
        moves_->start(q.expand({replicas, q.size(1)}), box_stiffness(model_, box.shape, box.pressure, volume_, q[0]));
    boxed_->set_deformation(deformation(state));
  }
  state.atoms = langevin_->start(displacements);
  state.sums = at::zeros({replicas, kAverages}, at::kDouble);
  state.counted = at::zeros({replicas}, at::kLong);
  state.squared_ratios = at::zeros({replicas}, at::kDouble);
  return state;
}

void MolecularDynamics::step(DynamicsState& state) const {
  if (moves_) boxed_->set_deformation(deformation(state));
  langevin_->step(state.atoms);
  if (moves_ && state.atoms.step % options_.box_every == 0) move_box(state);
  if (state.atoms.step <= options_.equilibrate) return;
  accumulate(state);
  if ((state.atoms.step - options_.equilibrate) % options_.every == 0) record(state);
}

void MolecularDynamics::move_box(DynamicsState& state) const {
  physics::EnergyGradientStrain value{state.atoms.energy, state.atoms.gradient, boxed_->strain_gradient()};
  moves_->move(state.box, state.atoms.displacements, value, state.atoms.step <= options_.equilibrate);
  state.atoms.energy = value.energy;
  state.atoms.gradient = value.gradient.contiguous();
}

void MolecularDynamics::accumulate(DynamicsState& state) const {
  const Tensor energy = state.atoms.energy - static_energy_;
  const Tensor volume = volumes(state);
  const Tensor enthalpy = options_.box ? energy + options_.box->pressure * (volume - volume_) : energy;
  state.sums += at::stack({energy, energy.square(), langevin_->kinetic_temperature(state.atoms),
                           static_cast<double>(model_.particles()) / volume, enthalpy, enthalpy.square()},
                          1);
}

/// A replica that has left the basin is counted up to there.
void MolecularDynamics::count(DynamicsState& state) const {
  if (!options_.basin) {
    state.counted += 1;
    return;
  }
  const Excursion excursion = options_.basin->excursion(state.atoms.displacements);
  const Tensor inside =
      options_.basin->holds(excursion).logical_and(state.counted == static_cast<std::int64_t>(state.frames.size()));
  state.counted += inside.to(at::kLong);
  state.squared_ratios += at::where(inside, excursion.lindemann.square(), at::zeros_like(excursion.lindemann));
  const Tensor outside = inside.logical_not();
  if (too_many_left(outside.sum().item<std::int64_t>(), outside.numel())) {
    refuse_melted(*options_.basin, excursion, outside, fmt::format("at step {}", state.atoms.step));
  }
}

void MolecularDynamics::record(DynamicsState& state) const {
  count(state);
  const Tensor f = deformation(state);
  const physics::EnergyGradientStrain value = model_.energy_gradient_and_strain(state.atoms.displacements, f);
  const double ideal = static_cast<double>(model_.particles()) * options_.langevin.kt;
  Frame frame;
  frame.displacements = state.atoms.displacements.clone();
  frame.energy = state.atoms.energy.clone();
  frame.pressure = (ideal * at::eye(3, at::kDouble) - value.strain_gradient) / volumes(state).view({-1, 1, 1});
  if (moves_) frame.deformation = f;
  frame.averages = state.sums / static_cast<double>(options_.every);
  state.frames.push_back(std::move(frame));
  state.sums = at::zeros_like(state.sums);
}

Tensor MolecularDynamics::deformation(const DynamicsState& state) const {
  if (moves_) return deformation_of(options_.box->shape, state.box.coordinates);
  return at::eye(3, at::kDouble).expand({state.atoms.displacements.size(0), 3, 3}).contiguous();
}

Tensor MolecularDynamics::volumes(const DynamicsState& state) const {
  if (moves_) return volume_ * log_volume_ratio(options_.box->shape, state.box.coordinates).exp();
  return at::full({state.atoms.displacements.size(0)}, volume_, at::kDouble);
}

double lindemann(const DynamicsState& state) {
  const auto frames = state.counted.sum().item<std::int64_t>();
  return frames == 0 ? 0.0 : std::sqrt(state.squared_ratios.sum().item<double>() / static_cast<double>(frames));
}

Tensor series_of(const std::vector<Frame>& frames, Average average) {
  if (frames.empty()) throw ShapeError("a run without frames has no averages");
  return stacked(frames, &Frame::averages).select(2, static_cast<std::int64_t>(average)).t().contiguous();
}

}  // namespace bgw::sampling
