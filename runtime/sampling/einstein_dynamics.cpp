#include "runtime/sampling/einstein_dynamics.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::sampling {
namespace {

/// Every replica in a state of its own.
class EinsteinLadder final : public ForceField {
 public:
  EinsteinLadder(const physics::EnergyModel& model, double spring, std::int64_t states)
      : model_(model), spring_(spring), lambda_(at::arange(states, at::kDouble) / static_cast<double>(states - 1)) {}
  std::int64_t particles() const override { return model_.particles(); }
  ForceFieldValue evaluate(const Tensor& displacements) const override {
    const physics::EnergyAndGradient crystal = model_.energy_and_gradient(displacements);
    const Tensor einstein = 0.5 * spring_ * displacements.square().sum({1, 2});
    const Tensor coupling = crystal.energy - einstein;
    const Tensor l = lambda_.view({-1, 1, 1});
    return {einstein + lambda_ * coupling, (1.0 - l) * spring_ * displacements + l * crystal.gradient, coupling};
  }

 private:
  const physics::EnergyModel& model_;
  double spring_;
  Tensor lambda_;  // [states]
};

void check_options(const EinsteinDynamicsOptions& options) {
  if (options.states < 2) throw InputError(fmt::format("a ladder needs at least 2 states, not {}", options.states));
  if (options.every < 1 || options.records() < 1) {
    throw InputError(fmt::format("langevin: {} steps with a record every {} record nothing; take a longer `produce`",
                                 options.produce, options.every));
  }
}

void refuse_melt(const Basin& basin, const Excursion& excursion, const EinsteinDynamicsOptions& options) {
  const Tensor left = basin.holds(excursion).logical_not().nonzero().view({-1});
  if (left.numel() == 0) return;
  const std::int64_t k = left[0].item<std::int64_t>();
  throw NumericalError(fmt::format(
      "the crystal melts or leaves its structure: in state {} of {} an atom is {:.4g} angstrom from its site, the limit is "
      "{:.4g} (half the distance of nearest neighbours), the Lindemann ratio is {:.3g}, the limit {:.2g}; take a lower "
      "temperature, a higher density, a stiffer spring or a shorter time step",
      k + 1, options.states, excursion.furthest[k].item<double>(), basin.furthest_limit(),
      excursion.lindemann[k].item<double>(), Basin::lindemann_limit()));
}

void record(const Basin& basin, const EinsteinDynamicsOptions& options, EinsteinDynamicsState& state) {
  const Excursion excursion = basin.excursion(state.chains.displacements);
  refuse_melt(basin, excursion, options);
  state.coupling.select(1, state.recorded).copy_(state.chains.coupling);
  state.displacements[state.recorded].copy_(state.chains.displacements[-1]);
  state.largest_displacement = std::max(state.largest_displacement, excursion.furthest[-1].item<double>());
  state.recorded += 1;
}

}  // namespace

EinsteinDynamicsState start_einstein_dynamics(const physics::EnergyModel& model, const EinsteinDynamicsOptions& options) {
  check_options(options);
  EinsteinDynamicsState state;
  state.coupling = at::zeros({options.states, options.records()}, at::kDouble);
  state.displacements = at::zeros({options.records(), model.particles(), 3}, at::kDouble);
  return state;
}

std::map<std::string, Tensor> to_named_tensors(const EinsteinDynamicsState& state) {
  std::map<std::string, Tensor> named;
  if (state.chains.displacements.defined()) {
    for (const auto& [name, value] : to_named_tensors(state.chains)) named["chains/" + name] = value;
  }
  named["coupling"] = state.coupling;
  named["displacements"] = state.displacements;
  named["recorded"] = at::full({1}, state.recorded, at::kLong);
  named["largest_displacement"] = at::full({1}, state.largest_displacement, at::kDouble);
  return named;
}

EinsteinDynamicsState einstein_dynamics_state_from(const std::map<std::string, Tensor>& named) {
  EinsteinDynamicsState state;
  std::map<std::string, Tensor> chains;
  for (const auto& [name, value] : named) {
    if (name.rfind("chains/", 0) == 0) chains[name.substr(7)] = value;
  }
  if (!chains.empty()) state.chains = langevin_state_from(chains);
  state.coupling = named.at("coupling").clone();
  state.displacements = named.at("displacements").clone();
  state.recorded = named.at("recorded").item<std::int64_t>();
  state.largest_displacement = named.at("largest_displacement").item<double>();
  return state;
}

void run_einstein_dynamics(const physics::EnergyModel& model, const EinsteinDynamicsOptions& options, const Basin& basin,
                           const plan::Key& stream_key, EinsteinDynamicsState& state,
                           const std::function<void(const EinsteinDynamicsState&)>& on_step) {
  check_options(options);
  const EinsteinLadder ladder(model, options.spring, options.states);
  const Langevin langevin(ladder, options.langevin, stream_key, "einstein_dynamics");
  if (!state.chains.displacements.defined())
    state.chains = langevin.start(at::zeros({options.states, model.particles(), 3}, at::kDouble));
  while (state.recorded < options.records()) {
    langevin.step(state.chains);
    const std::int64_t produced = state.chains.step - options.equilibrate;
    if (produced > 0 && produced % options.every == 0) record(basin, options, state);
    if (on_step) on_step(state);
  }
}

}  // namespace bgw::sampling
