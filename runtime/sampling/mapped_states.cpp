#include "runtime/sampling/mapped_states.h"

#include <fmt/format.h>

#include <limits>

#include "runtime/foundation/errors.h"
#include "runtime/physics/mapped_modes.h"

namespace bgw::sampling {
namespace {

void check_options(const MappedOptions& options) {
  if (options.chains < 1) throw InputError(fmt::format("hmc: chains must be at least 1, not {}", options.chains));
  if (options.steps < 1) throw InputError(fmt::format("hmc: steps must be at least 1, not {}", options.steps));
}

class Sampler {
 public:
  Sampler(const MappedCrystals& crystals, const MappedOptions& options, const plan::Key& stream_key)
      : crystals_(crystals), options_(options), stream_key_(stream_key) {}

  void step(MappedState& state) const {
    const Hmc hmc(target(state.state), 1.0, options_.hmc, stream_key_, fmt::format("mapped.{}", state.state));
    if (!state.chains.positions.defined()) state.chains = hmc.start(options_.chains);
    const std::int64_t discarded = options_.steps / 4;
    if (state.chains.move < discarded) return hmc.move_and_adapt(state.chains);
    if (state.chains.move == discarded) state.chains.tried = state.chains.accepted = 0;
    hmc.move(state.chains);
    record(state);
    if (state.recorded < options_.steps) return;
    state.state += 1;
    state.recorded = 0;
    state.chains = HmcState{};
  }

 private:
  const physics::WhitenedTarget& target(std::int64_t k) const { return *crystals_.targets[static_cast<std::size_t>(k)]; }
  const Basin& basin(std::int64_t k) const { return crystals_.basins[static_cast<std::size_t>(k)]; }

  void record(MappedState& state) const {
    const std::int64_t k = state.state, s = state.recorded;
    const HmcState& chains = state.chains;
    check_finite(state);
    const Tensor displacements = target(k).displacements(chains.positions);
    count(state, displacements);
    state.work[k].select(1, s).copy_(chains.work);
    state.energy[k].select(1, s).copy_(chains.work + 0.5 * chains.positions.square().sum(1));
    if (options_.observe) state.observed[k].select(1, s).copy_(options_.observe(k, displacements));
    for (std::size_t e = 0; e < crystals_.pairs.size(); ++e) {
      const MappedCrystals::Pair& pair = crystals_.pairs[e];
      const auto row = static_cast<std::int64_t>(e);
      if (pair.from == k) state.forward[row].select(1, s).copy_(mapped_work(k, pair.to, chains.positions));
      if (pair.to == k) state.reverse[row].select(1, s).copy_(mapped_work(k, pair.from, chains.positions));
    }
    state.acceptance[k] = chains.acceptance();
    state.angle[k] = chains.angle;
    state.recorded += 1;
  }

  /// D of a neighbour where configurations are carried to it; infinite where it has no density, outside of the basin.
  Tensor mapped_work(std::int64_t from, std::int64_t to, const Tensor& y) const {
    const physics::WhitenedTarget& there = target(to);
    const Tensor mapped = physics::mapped_modes(target(from).modes(), there.modes(), y);
    const Tensor displacements = there.displacements(mapped);
    const Tensor work = there.work_from_energy(there.model().energy(displacements), mapped);
    const Tensor held = basin(to).holds(basin(to).excursion(displacements));
    check_carried(from, to, work, held);
    return at::where(held, work, at::full_like(work, std::numeric_limits<double>::infinity()));
  }

  /// Atoms on top of each other may have an infinite energy and then no density; any other number that is not finite is wrong.
  void check_carried(std::int64_t from, std::int64_t to, const Tensor& work, const Tensor& held) const {
    const Tensor wrong = held.logical_and(work.isnan().logical_or(work.isneginf()));
    if (!wrong.any().item<bool>()) return;
    const std::int64_t chain = wrong.nonzero()[0].item<std::int64_t>();
    throw NumericalError(fmt::format("hmc: the energy of chain {} at {} is not finite when it is carried to {}: {}", chain, name(from), name(to), work[chain].item<double>()));
  }

  void check_finite(const MappedState& state) const {
    const Tensor finite = state.chains.work.isfinite();
    if (finite.all().item<bool>()) return;
    const std::int64_t chain = finite.logical_not().nonzero()[0].item<std::int64_t>();
    throw NumericalError(fmt::format("hmc: the energy of chain {} at {} is not finite: {}", chain, name(state.state), state.chains.work[chain].item<double>()));
  }

  /// Counts the chains that have always been where the crystal is.
  void count(MappedState& state, const Tensor& displacements) const {
    const std::int64_t k = state.state;
    const Excursion excursion = basin(k).excursion(displacements);
    Tensor counted = state.counted[k];
    const Tensor inside = (counted == state.recorded).logical_and(basin(k).holds(excursion));
    counted += inside.to(at::kLong);
    const std::int64_t now = inside.sum().item<std::int64_t>();
    if (too_many_left(options_.chains - now, options_.chains)) refuse_melted(basin(k), excursion, inside.logical_not(), fmt::format("at {}", name(k)));
    state.lindemann_squares[k].add_(excursion.lindemann.square().masked_select(inside).sum());
    state.furthest[k].copy_(at::maximum(state.furthest[k], excursion.furthest.masked_select(inside).max()));
  }

  const std::string& name(std::int64_t k) const { return crystals_.names[static_cast<std::size_t>(k)]; }

  const MappedCrystals& crystals_;
  const MappedOptions& options_;
  const plan::Key& stream_key_;
};

}  // namespace

MappedState start_mapped(const MappedCrystals& crystals, const MappedOptions& options) {
  check_options(options);
  const std::int64_t states = crystals.states(), pairs = std::ssize(crystals.pairs);
  MappedState state;
  state.work = at::zeros({states, options.chains, options.steps}, at::kDouble);
  state.energy = at::zeros_like(state.work);
  state.observed = at::zeros({states, options.chains, options.steps, options.observables}, at::kDouble);
  state.forward = at::zeros({pairs, options.chains, options.steps}, at::kDouble);
  state.reverse = at::zeros_like(state.forward);
  state.counted = at::zeros({states, options.chains}, at::kLong);
  state.acceptance = at::zeros({states}, at::kDouble);
  state.angle = at::zeros({states}, at::kDouble);
  state.furthest = at::zeros({states}, at::kDouble);
  state.lindemann_squares = at::zeros({states}, at::kDouble);
  return state;
}

std::map<std::string, Tensor> to_named_tensors(const MappedState& state) {
  std::map<std::string, Tensor> named;
  if (state.chains.positions.defined()) {
    for (const auto& [name, value] : to_named_tensors(state.chains)) named["chains/" + name] = value;
  }
  named["counters"] = at::tensor({state.state, state.recorded}, at::kLong);
  named["work"] = state.work;
  named["energy"] = state.energy;
  if (state.observed.numel() > 0) named["observed"] = state.observed;
  named["forward"] = state.forward;
  named["reverse"] = state.reverse;
  named["counted"] = state.counted;
  named["acceptance"] = state.acceptance;
  named["angle"] = state.angle;
  named["furthest"] = state.furthest;
  named["lindemann_squares"] = state.lindemann_squares;
  return named;
}

MappedState mapped_state_from(const std::map<std::string, Tensor>& named) {
  MappedState state;
  std::map<std::string, Tensor> chains;
  for (const auto& [name, value] : named) {
    if (name.starts_with("chains/")) chains[name.substr(7)] = value;
  }
  if (!chains.empty()) state.chains = hmc_state_from(chains);
  const Tensor counters = named.at("counters").to(at::kLong);
  state.state = counters[0].item<std::int64_t>();
  state.recorded = counters[1].item<std::int64_t>();
  const auto of = [&](const char* name) { return named.at(name).clone(); };
  state.work = of("work");
  state.energy = of("energy");
  state.observed = named.contains("observed") ? of("observed") : at::zeros({state.work.size(0), state.work.size(1), state.work.size(2), 0}, at::kDouble);
  state.forward = of("forward");
  state.reverse = of("reverse");
  state.counted = of("counted");
  state.acceptance = of("acceptance");
  state.angle = of("angle");
  state.furthest = of("furthest");
  state.lindemann_squares = of("lindemann_squares");
  return state;
}

void run_mapped(const MappedCrystals& crystals, const MappedOptions& options, const plan::Key& stream_key, MappedState& state,
                const std::function<void(const MappedState&)>& on_move) {
  check_options(options);
  const Sampler sampler(crystals, options, stream_key);
  while (state.state < crystals.states()) {
    sampler.step(state);
    if (on_move) on_move(state);
  }
}

Tensor counted_samples(const MappedState& state, std::int64_t of) {
  return at::arange(state.work.size(2), at::kLong) < state.counted[of].unsqueeze(1);
}

Tensor chain_of_samples(const MappedState& state, std::int64_t of) {
  return at::arange(state.work.size(1), at::kLong).unsqueeze(1).expand({state.work.size(1), state.work.size(2)}).masked_select(counted_samples(state, of));
}

}  // namespace bgw::sampling
