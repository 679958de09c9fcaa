#include "runtime/sampling/temperature_ladder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr std::int64_t kEnoughConfigurations = 128;  // of a rung, before it is judged
constexpr double kGoodExchange = 0.23;               // rate that makes most round trips for the work

std::int64_t rungs_of(const LadderOptions& options) { return std::ssize(options.scales); }

std::int64_t discarded_rounds(const LadderOptions& options) { return options.steps / 4; }

void check_options(const LadderOptions& options) {
  if (options.scales.size() < 2) throw InputError(fmt::format("a ladder needs at least 2 temperatures, not {}", options.scales.size()));
  if (options.chains < 1) throw InputError(fmt::format("hmc: chains must be at least 1, not {}", options.chains));
  if (options.steps < 1) throw InputError(fmt::format("hmc: steps must be at least 1, not {}", options.steps));
  for (std::size_t k = 1; k < options.scales.size(); ++k) {
    if (!(options.scales[k] > 0.0 && options.scales[k] < options.scales[k - 1])) throw InputError("the temperatures of a ladder must rise");
  }
}

std::string name_of(const LadderOptions& options, std::int64_t rung) {
  const auto k = static_cast<std::size_t>(rung);
  return k < options.names.size() ? options.names[k] : fmt::format("rung {}", rung + 1);
}

HmcState& chains_on(LadderState& state, std::int64_t rung) { return state.chains[static_cast<std::size_t>(rung)]; }

class Ladder {
 public:
  Ladder(const physics::LatentTarget& target, const LadderOptions& options, const plan::Key& stream_key)
      : options_(options), stream_key_(stream_key) {
    for (const double scale : options.scales) targets_.emplace_back(target, scale);
  }

  /// The moves of one rung and, after the last, what ends a round.
  void step(LadderState& state) const {
    move_rung(state);
    state.rung += 1;
    if (state.rung < rungs_of(options_)) return;
    if (options_.exchange) exchange(state);
    if (state.round >= discarded_rounds(options_)) record(state);
    state.rung = 0;
    state.round += 1;
  }

 private:
  const TemperedTarget& target(std::int64_t rung) const { return targets_[static_cast<std::size_t>(rung)]; }

  void move_rung(LadderState& state) const {
    const std::int64_t k = state.rung;
    const Hmc hmc(target(k), 1.0, options_.hmc, stream_key_, fmt::format("ladder.{}", k));
    HmcState& chains = chains_on(state, k);
    if (!chains.positions.defined()) chains = hmc.start(options_.chains);
    const std::int64_t discarded = discarded_rounds(options_);
    if (state.round < discarded) return hmc.move_and_adapt(chains);
    if (state.round == discarded) chains.tried = chains.accepted = 0;
    hmc.move(chains);
  }

  Tensor energy_on(LadderState& state, std::int64_t k) const {
    const HmcState& chains = chains_on(state, k);
    return target(k).target_energy(chains.positions, chains.work);
  }

  /// Energies do not change while places do, so that many exchanges cost no more than one: as many sweeps as rungs.
  void exchange(LadderState& state) const {
    const std::int64_t rungs = rungs_of(options_);
    std::vector<Tensor> of_rung;
    for (std::int64_t k = 0; k < rungs; ++k) of_rung.push_back(energy_on(state, k));
    Tensor energies = at::stack(of_rung);
    Tensor source = at::arange(rungs, at::kLong).unsqueeze(1).expand({rungs, options_.chains}).contiguous();
    const Tensor draws = tensor::RandomStream(stream_key_, "ladder.exchange").uniform(state.round, 0, options_.chains, rungs * rungs);
    const bool counts = state.round >= discarded_rounds(options_);
    for (std::int64_t c = 0; c < options_.chains; ++c) {
      for (std::int64_t sweep = 0; sweep < rungs; ++sweep) exchange_neighbours(state, c, sweep, draws, energies, source, counts);
    }
    move_configurations(state, source);
  }

  /// The even pairs or the odd ones of one chain.
  void exchange_neighbours(LadderState& state, std::int64_t c, std::int64_t sweep, const Tensor& draws, Tensor& energies, Tensor& source, bool counts) const {
    const std::int64_t rungs = rungs_of(options_);
    const auto draw = draws.accessor<double, 2>();
    auto e = energies.accessor<double, 2>();
    auto from = source.accessor<std::int64_t, 2>(), walker = state.walker.accessor<std::int64_t, 2>(), tried = state.exchanges.accessor<std::int64_t, 2>();
    for (std::int64_t k = (state.round + sweep) % 2; k + 1 < rungs; k += 2) {
      const double cost = (target(k).scale() - target(k + 1).scale()) * (e[k + 1][c] - e[k][c]);
      // Energies that are no numbers do not change places.
      const bool accept = cost <= 0.0 || draw[c][sweep * rungs + k] < std::exp(-cost);
      if (counts) tried[0][k] += 1;
      if (!accept) continue;
      if (counts) tried[1][k] += 1;
      std::swap(e[k][c], e[k + 1][c]);
      std::swap(from[k][c], from[k + 1][c]);
      std::swap(walker[k][c], walker[k + 1][c]);
    }
  }

  /// In the coordinates of a rung y grows with the root of its scale, and D with the scale.
  /// @param source  int64 [K, C], the rung from which a configuration comes
  void move_configurations(LadderState& state, const Tensor& source) const {
    std::vector<Tensor> positions, gradients, works, displacements;
    for (const HmcState& chains : state.chains) {
      positions.push_back(chains.positions);
      gradients.push_back(chains.gradient);
      works.push_back(chains.work);
      displacements.push_back(chains.largest_displacement);
    }
    const Tensor scales = at::tensor(at::ArrayRef<double>(options_.scales), at::kDouble);
    const Tensor ratio = scales.unsqueeze(1) / scales.index_select(0, source.view({-1})).view(source.sizes());  // 1 for those that stay
    const Tensor root = ratio.sqrt().unsqueeze(2);
    const Tensor chain = at::arange(options_.chains, at::kLong).expand(source.sizes());
    const auto gathered = [&](const std::vector<Tensor>& of) { return at::index(at::stack(of), {source, chain}); };
    const Tensor y = gathered(positions) * root, gradient = gathered(gradients) * root, work = gathered(works) * ratio, largest = gathered(displacements);
    for (std::int64_t k = 0; k < rungs_of(options_); ++k) {
      HmcState& chains = chains_on(state, k);
      chains.positions = y[k].clone();
      chains.gradient = gradient[k].clone();
      chains.work = work[k].clone();
      chains.largest_displacement = largest[k].clone();
    }
  }

  void record(LadderState& state) const {
    for (std::int64_t k = 0; k < rungs_of(options_); ++k) record_rung(state, k);
    state.positions[state.recorded].copy_(chains_on(state, options_.kept).positions);
    follow_walkers(state);
    state.recorded += 1;
    refuse_gone(state);
    if (options_.exchange) refuse_gaps(state);
  }

  void record_rung(LadderState& state, std::int64_t k) const {
    const Tensor energy = energy_on(state, k);
    const Tensor bad = energy.isfinite().logical_not();
    if (bad.any().item<bool>()) {
      const std::int64_t chain = bad.nonzero()[0].item<std::int64_t>();
      throw NumericalError(fmt::format("hmc: the energy of chain {} at {} is not finite: {}", chain, name_of(options_, k), energy[chain].item<double>()));
    }
    state.energy[k].select(1, state.recorded).copy_(energy);
    if (!options_.basin && !options_.observe) return;
    const HmcState& chains = chains_on(state, k);
    const Tensor displacements = target(k).configurations(chains.positions, chains.work).displacements;
    if (options_.observe) state.observed[k].select(1, state.recorded).copy_(options_.observe(displacements));
    if (!options_.basin) return;
    const Excursion excursion = options_.basin->excursion(displacements);
    state.outside[k].add_(options_.basin->holds(excursion).logical_not().sum());
    state.furthest[k].copy_(at::maximum(state.furthest[k], excursion.furthest.max()));
    state.lindemann_squares[k].add_(excursion.lindemann.square().sum());
  }

  void follow_walkers(LadderState& state) const {
    const std::int64_t last = rungs_of(options_) - 1;
    const auto walker = state.walker.accessor<std::int64_t, 2>();
    auto end = state.last_end.accessor<std::int64_t, 2>();
    auto trips = state.round_trips.accessor<std::int64_t, 1>();
    for (std::int64_t c = 0; c < options_.chains; ++c) {
      const std::int64_t cold = walker[0][c], hot = walker[last][c];
      if (end[cold][c] == 2) trips[c] += 1;
      end[cold][c] = 1;
      if (end[hot][c] == 1) end[hot][c] = 2;
    }
  }

  void refuse_gone(const LadderState& state) const {
    if (!options_.basin) return;
    const std::int64_t seen = state.recorded * options_.chains;
    if (seen < kEnoughConfigurations && state.recorded < options_.steps) return;
    const auto outside = state.outside.accessor<std::int64_t, 1>();
    for (std::int64_t k = 0; k < rungs_of(options_); ++k) {
      if (!too_many_left(outside[k], seen)) continue;
      const double lindemann = std::sqrt(state.lindemann_squares[k].item<double>() / static_cast<double>(seen));
      throw NumericalError(fmt::format(
          "the crystal melts or leaves its structure at {} (rung {} of {}): {} of {} configurations are outside of its basin; an atom was "
          "{:.4g} angstrom from its site, the limit is {:.4g} (half the distance of nearest neighbours), the Lindemann ratio is {:.3g}, "
          "the limit {:.2g}; {}",
          name_of(options_, k), k + 1, rungs_of(options_), outside[k], seen, state.furthest[k].item<double>(), options_.basin->furthest_limit(),
          lindemann, Basin::lindemann_limit(),
          k == 0 ? std::string("take lower temperatures or a higher density")
                 : fmt::format("let the ladder end below, {} has stayed, or take a higher density", name_of(options_, k - 1))));
    }
  }

  /// Energies of neighbouring temperatures are nearly normal, so that a rate is erfc(sqrt(x) / 2) with x the mean of what an
  /// exchange costs and x grows with the square of the distance: that tells how many temperatures would do.
  std::int64_t temperatures_wanted(const LadderState& state) const {
    const Tensor mean = state.energy.slice(2, 0, state.recorded).mean({1, 2});
    double most = 0;
    for (std::int64_t k = 0; k + 1 < rungs_of(options_); ++k) {
      const double cost = (target(k).scale() - target(k + 1).scale()) * (mean[k + 1] - mean[k]).item<double>();
      most = std::max(most, 0.5 * std::sqrt(std::max(0.0, cost)));
    }
    const double good = at::erfinv(at::full({1}, 1.0 - kGoodExchange, at::kDouble)).item<double>();
    const double steps = static_cast<double>(rungs_of(options_) - 1) * std::max(1.0, most / good);
    return std::max(rungs_of(options_) + 1, static_cast<std::int64_t>(std::ceil(steps)) + 1);
  }

  void refuse_gaps(const LadderState& state) const {
    if (state.recorded * options_.chains < kEnoughConfigurations && state.recorded < options_.steps) return;
    const auto count = state.exchanges.accessor<std::int64_t, 2>();
    for (std::int64_t k = 0; k + 1 < rungs_of(options_); ++k) {
      if (count[0][k] == 0) continue;
      const double rate = static_cast<double>(count[1][k]) / static_cast<double>(count[0][k]);
      if (rate >= options_.least_exchange) continue;
      throw NumericalError(fmt::format("{} and {} hardly change places: {} of {} exchanges were accepted, at least {:.0f} in a hundred are needed; "
                                       "write about `temperatures = {}`, or a smaller range",
                                       name_of(options_, k), name_of(options_, k + 1), count[1][k], count[0][k], 100.0 * options_.least_exchange,
                                       temperatures_wanted(state)));
    }
  }

  const LadderOptions& options_;
  const plan::Key& stream_key_;
  std::vector<TemperedTarget> targets_;
};

std::string prefix_of(std::size_t rung) { return fmt::format("chains/{}/", rung); }

}  // namespace

Tensor LadderState::exchange_rates() const {
  return exchanges[1].to(at::kDouble) / exchanges[0].clamp_min(1).to(at::kDouble);
}

LadderState start_ladder(const physics::LatentTarget& target, const LadderOptions& options) {
  check_options(options);
  const std::int64_t rungs = rungs_of(options);
  LadderState state;
  state.chains.resize(options.scales.size());
  state.energy = at::zeros({rungs, options.chains, options.steps}, at::kDouble);
  state.observed = at::zeros({rungs, options.chains, options.steps, options.observables}, at::kDouble);
  state.positions = at::zeros({options.steps, options.chains, target.dimension()}, at::kDouble);
  state.walker = at::arange(rungs, at::kLong).unsqueeze(1).expand({rungs, options.chains}).contiguous();
  state.last_end = at::zeros({rungs, options.chains}, at::kLong);
  state.round_trips = at::zeros({options.chains}, at::kLong);
  state.exchanges = at::zeros({2, rungs - 1}, at::kLong);
  state.outside = at::zeros({rungs}, at::kLong);
  state.furthest = at::zeros({rungs}, at::kDouble);
  state.lindemann_squares = at::zeros({rungs}, at::kDouble);
  return state;
}

std::map<std::string, Tensor> to_named_tensors(const LadderState& state) {
  std::map<std::string, Tensor> named;
  for (std::size_t k = 0; k < state.chains.size(); ++k) {
    if (!state.chains[k].positions.defined()) continue;
    for (const auto& [name, value] : to_named_tensors(state.chains[k])) named[prefix_of(k) + name] = value;
  }
  named["counters"] = at::tensor({state.round, state.rung, state.recorded}, at::kLong);
  named["energy"] = state.energy;
  if (state.observed.numel() > 0) named["observed"] = state.observed;
  named["positions"] = state.positions;
  named["walker"] = state.walker;
  named["last_end"] = state.last_end;
  named["round_trips"] = state.round_trips;
  named["exchanges"] = state.exchanges;
  named["outside"] = state.outside;
  named["furthest"] = state.furthest;
  named["lindemann_squares"] = state.lindemann_squares;
  return named;
}

LadderState ladder_state_from(const std::map<std::string, Tensor>& named) {
  LadderState state;
  const Tensor counters = named.at("counters").to(at::kLong);
  state.round = counters[0].item<std::int64_t>();
  state.rung = counters[1].item<std::int64_t>();
  state.recorded = counters[2].item<std::int64_t>();
  state.energy = named.at("energy").clone();
  const auto observed = named.find("observed");
  state.observed = observed == named.end() ? at::zeros({state.energy.size(0), state.energy.size(1), state.energy.size(2), 0}, at::kDouble) : observed->second.clone();
  state.positions = named.at("positions").clone();
  state.walker = named.at("walker").clone();
  state.last_end = named.at("last_end").clone();
  state.round_trips = named.at("round_trips").clone();
  state.exchanges = named.at("exchanges").clone();
  state.outside = named.at("outside").clone();
  state.furthest = named.at("furthest").clone();
  state.lindemann_squares = named.at("lindemann_squares").clone();
  state.chains.resize(static_cast<std::size_t>(state.rungs()));
  for (std::size_t k = 0; k < state.chains.size(); ++k) {
    const std::string prefix = prefix_of(k);
    std::map<std::string, Tensor> chains;
    for (auto it = named.lower_bound(prefix); it != named.end() && it->first.starts_with(prefix); ++it) chains[it->first.substr(prefix.size())] = it->second;
    if (!chains.empty()) state.chains[k] = hmc_state_from(chains);
  }
  return state;
}

void run_ladder(const physics::LatentTarget& target, const LadderOptions& options, const plan::Key& stream_key, LadderState& state,
                const std::function<void(const LadderState&)>& on_move) {
  check_options(options);
  const Ladder ladder(target, options, stream_key);
  while (state.recorded < options.steps) {
    ladder.step(state);
    if (on_move) on_move(state);
  }
}

Tensor reduced_energies(const LadderState& state, const LadderOptions& options) {
  const Tensor scales = at::tensor(at::ArrayRef<double>(options.scales), at::kDouble);
  return at::outer(scales, state.energy.reshape({-1}));
}

Tensor chain_of_slices(const LadderState& state) {
  return at::arange(state.energy.size(1), at::kLong).unsqueeze(1).expand({state.energy.size(1), state.energy.size(2)}).reshape({-1});
}

}  // namespace bgw::sampling
