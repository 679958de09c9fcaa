#include "runtime/sampling/staged_reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

void check_options(const StagedOptions& options) {
  if (options.states < 2) throw InputError(fmt::format("a ladder needs at least 2 states, not {}", options.states));
  if (options.chains < 1) throw InputError(fmt::format("hmc: chains must be at least 1, not {}", options.chains));
  if (options.steps < 1) throw InputError(fmt::format("hmc: steps must be at least 1, not {}", options.steps));
}

double lambda_of(std::int64_t state, const StagedOptions& options) {
  return static_cast<double>(state) / static_cast<double>(options.states - 1);
}

/// The chains' next configurations as independent draws of the Gaussian, which is the state l = 0.
void draw_gaussian(const physics::WhitenedTarget& target, const plan::Key& stream_key, const StagedOptions& options,
                   HmcState& chains) {
  const tensor::RandomStream stream(stream_key, "staged.gaussian");
  chains.positions = stream.normal(chains.move, 0, options.chains, target.dimension());
  const Tensor displacements = target.displacements(chains.positions);
  chains.work = target.work_from_energy(target.model().energy(displacements), chains.positions);
  chains.gradient = at::zeros_like(chains.positions);
  chains.largest_displacement = displacements.square().sum(2).amax(1).sqrt();
  chains.move += 1;
  chains.tried += options.chains;
  chains.accepted += options.chains;
}

void check_finite(const StagedState& state) {
  const Tensor finite = state.chains.work.isfinite();
  if (finite.all().item<bool>()) return;
  const std::int64_t chain = finite.logical_not().nonzero()[0].item<std::int64_t>();
  throw NumericalError(fmt::format("hmc: the energy of chain {} in state {} is not finite: {}", chain, state.state,
                                   state.chains.work[chain].item<double>()));
}

/// Counts the chains that are where the crystal is, and what their configurations are like.
void count(const physics::WhitenedTarget& target, const StagedOptions& options, StagedState& state) {
  Tensor counted = state.counted[state.state];
  StateSummary& summary = state.summaries[static_cast<std::size_t>(state.state)];
  if (!options.basin) {
    counted += 1;
    summary.largest_displacement =
        std::max(summary.largest_displacement, state.chains.largest_displacement.max().item<double>());
    return;
  }
  const Excursion excursion = options.basin->excursion(target.displacements(state.chains.positions));
  Tensor inside = counted == state.recorded;
  if (state.state > 0) inside = inside.logical_and(options.basin->holds(excursion));
  const std::int64_t before = counted.sum().item<std::int64_t>();
  const std::int64_t now = inside.sum().item<std::int64_t>();
  counted += inside.to(at::kLong);
  if (too_many_left(options.chains - now, options.chains)) {
    refuse_melted(*options.basin, excursion, inside.logical_not(),
                  fmt::format("in state {} of {} (lambda {:.4g})", state.state + 1, options.states,
                              lambda_of(state.state, options)));
  }
  const double squares = excursion.lindemann.square().masked_select(inside).sum().item<double>();
  summary.lindemann = std::sqrt((summary.lindemann * summary.lindemann * static_cast<double>(before) + squares) /
                                static_cast<double>(before + now));
  summary.largest_displacement =
      std::max(summary.largest_displacement, excursion.furthest.masked_select(inside).max().item<double>());
}

void record(const physics::WhitenedTarget& target, const StagedOptions& options, StagedState& state) {
  check_finite(state);
  count(target, options, state);
  state.work[state.state].select(1, state.recorded).copy_(state.chains.work);
  if (state.state == options.states - 1) state.target_positions[state.recorded].copy_(state.chains.positions);
  StateSummary& summary = state.summaries[static_cast<std::size_t>(state.state)];
  summary.lambda = lambda_of(state.state, options);
  summary.acceptance = state.chains.acceptance();
  summary.angle = state.chains.angle;
  state.recorded += 1;
}

void one_move(const physics::WhitenedTarget& target, const StagedOptions& options, const plan::Key& stream_key,
              StagedState& state) {
  if (state.state == 0) {
    draw_gaussian(target, stream_key, options, state.chains);
    return record(target, options, state);
  }
  const Hmc hmc(target, lambda_of(state.state, options), options.hmc, stream_key,
                fmt::format("staged.{}", state.state));
  if (!state.chains.positions.defined()) state.chains = hmc.start(options.chains);
  const std::int64_t discarded = options.steps / 4;
  if (state.chains.move < discarded) return hmc.move_and_adapt(state.chains);
  if (state.chains.move == discarded) state.chains.tried = state.chains.accepted = 0;
  hmc.move(state.chains);
  record(target, options, state);
}

Tensor summary_rows(const std::vector<StateSummary>& summaries) {
  Tensor rows = at::empty({static_cast<std::int64_t>(summaries.size()), 5}, at::kDouble);
  double* out = rows.data_ptr<double>();
  for (const StateSummary& s : summaries) {
    for (const double value : {s.lambda, s.acceptance, s.angle, s.largest_displacement, s.lindemann}) *out++ = value;
  }
  return rows;
}

std::vector<StateSummary> summaries_of(const Tensor& rows) {
  const Tensor dense = rows.contiguous();
  const double* in = dense.data_ptr<double>();
  std::vector<StateSummary> result;
  for (std::int64_t i = 0; i < dense.size(0); ++i, in += 5) result.push_back({in[0], in[1], in[2], in[3], in[4]});
  return result;
}

}  // namespace

StagedState start_staged(const physics::WhitenedTarget& target, const StagedOptions& options) {
  check_options(options);
  StagedState state;
  state.work = at::zeros({options.states, options.chains, options.steps}, at::kDouble);
  state.counted = at::zeros({options.states, options.chains}, at::kLong);
  state.target_positions = at::zeros({options.steps, options.chains, target.dimension()}, at::kDouble);
  state.summaries.resize(static_cast<std::size_t>(options.states));
  return state;
}

std::map<std::string, Tensor> to_named_tensors(const StagedState& state) {
  std::map<std::string, Tensor> named;
  if (state.chains.positions.defined()) {
    for (const auto& [name, value] : to_named_tensors(state.chains)) named["chains/" + name] = value;
  }
  named["counters"] = at::tensor({state.state, state.recorded}, at::kLong);
  named["work"] = state.work;
  named["counted"] = state.counted;
  named["target_positions"] = state.target_positions;
  named["summaries"] = summary_rows(state.summaries);
  return named;
}

StagedState staged_state_from(const std::map<std::string, Tensor>& named) {
  StagedState state;
  std::map<std::string, Tensor> chains;
  for (const auto& [name, value] : named) {
    if (name.rfind("chains/", 0) == 0) chains[name.substr(7)] = value;
  }
  if (!chains.empty()) state.chains = hmc_state_from(chains);
  const Tensor counters = named.at("counters").to(at::kLong);
  state.state = counters[0].item<std::int64_t>();
  state.recorded = counters[1].item<std::int64_t>();
  state.work = named.at("work").clone();
  state.counted = named.at("counted").clone();
  state.target_positions = named.at("target_positions").clone();
  state.summaries = summaries_of(named.at("summaries"));
  return state;
}

void run_staged(const physics::WhitenedTarget& target, const StagedOptions& options, const plan::Key& stream_key,
                StagedState& state, const std::function<void(const StagedState&)>& on_move) {
  check_options(options);
  while (state.state < options.states) {
    one_move(target, options, stream_key, state);
    if (state.recorded == options.steps) {
      state.state += 1;
      state.recorded = 0;
      state.chains = HmcState{};
    }
    if (on_move) on_move(state);
  }
}

Tensor counted_samples(const StagedState& state) {
  return at::arange(state.work.size(2), at::kLong) < state.counted.unsqueeze(2);
}

std::int64_t chains_that_left(const StagedState& state) {
  return (state.counted < state.work.size(2)).sum().item<std::int64_t>();
}

Tensor reduced_energies(const StagedState& state) {
  const std::int64_t states = state.work.size(0);
  const Tensor lambda = at::arange(states, at::kDouble) / static_cast<double>(states - 1);
  return lambda.unsqueeze(1) * state.work.masked_select(counted_samples(state)).unsqueeze(0);
}

Tensor samples_of_states(const StagedState& state) { return state.counted.sum(1); }

Tensor chain_of_samples(const StagedState& state) {
  const Tensor chain = at::arange(state.counted.numel(), at::kLong).view(state.counted.sizes()).unsqueeze(2);
  return chain.expand(state.work.sizes()).masked_select(counted_samples(state));
}

}  // namespace bgw::sampling
