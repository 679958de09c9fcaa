#include "runtime/sampling/ais.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr std::int64_t kAdaptationMemory = 8;  // the angle goes on following the ladder
constexpr double kResampleBelow = 0.5;         // effective fraction of the pilot

void check_options(const AisOptions& options) {
  if (options.trajectories < 1)
    throw InputError(fmt::format("ais: chains, its trajectories, must be at least 1, not {}", options.trajectories));
  if (options.moves < 1) throw InputError(fmt::format("ais: steps must be at least 1, not {}", options.moves));
  if (options.states != 0 && options.states < 2)
    throw InputError(fmt::format("ais: a ladder needs at least 2 states, not {}", options.states));
}

void check_finite(const HmcState& chains, const char* whose) {
  const Tensor finite = chains.work.isfinite();
  if (finite.all().item<bool>()) return;
  const std::int64_t chain = finite.logical_not().nonzero()[0].item<std::int64_t>();
  throw NumericalError(fmt::format("ais: the energy of trajectory {} of the {} is not finite: {}", chain, whose,
                                   chains.work[chain].item<double>()));
}

double effective_fraction(const Tensor& log_weight) {
  const Tensor twice = 2.0 * log_weight;
  const double n = static_cast<double>(log_weight.numel());
  return std::exp(2.0 * log_weight.logsumexp(0).item<double>() - twice.logsumexp(0).item<double>()) / n;
}

double conditional_fraction(const Tensor& log_weight, const Tensor& increment) {
  const Tensor share = log_weight - log_weight.logsumexp(0);
  return std::exp(2.0 * (share + increment).logsumexp(0).item<double>() -
                  (share + 2.0 * increment).logsumexp(0).item<double>());
}

Hmc moves_at(const physics::LatentTarget& target, const AisOptions& options, const AisState& state,
             const plan::Key& stream_key) {
  const std::int64_t portion = ais_portion(target.dimension());
  const double lambda = state.ladder.lambda[static_cast<std::size_t>(state.state)];
  if (!state.producing) return {target, lambda, options.hmc, stream_key, "ais.pilot"};
  // A portion that was cut short, since no more trajectories were asked for, is completed by those that it lacks.
  const std::string purpose = fmt::format("ais.{}", state.done() / portion);
  return {target, lambda, options.hmc, stream_key, purpose, state.done() % portion};
}

void begin(const physics::LatentTarget& target, const AisOptions& options, const plan::Key& stream_key,
           std::int64_t trajectories, AisState& state) {
  state.state = state.moved = 0;
  state.chains = moves_at(target, options, state, stream_key).start(trajectories);
  check_finite(state.chains, state.producing ? "annealing" : "pilot");
  state.log_weight = at::zeros({trajectories}, at::kDouble);
}

/// Systematic resampling of the pilot: trajectories of small weight take the places of large ones.
void resample(const plan::Key& stream_key, AisState& state) {
  const std::int64_t n = state.log_weight.size(0);
  const double offset =
      tensor::RandomStream(stream_key, "ais.pilot.resampling").uniform(state.state, 0, 1, 1).item<double>();
  const Tensor edges = at::softmax(state.log_weight, 0).cumsum(0).contiguous();
  const Tensor chosen = at::searchsorted(edges, (at::arange(n, at::kDouble) + offset) / static_cast<double>(n))
                            .clamp_max(n - 1);
  state.pilot_variance += state.log_weight.var().item<double>();
  state.log_weight = at::zeros({n}, at::kDouble);
  for (Tensor* tensor : {&state.chains.positions, &state.chains.work, &state.chains.gradient,
                         &state.chains.largest_displacement}) {
    *tensor = tensor->index_select(0, chosen);
  }
}

/// As fine as the variance asks for, or as the author does; the pilot's own spacing says where.
std::int64_t states_of_production(const AisOptions& options, const AisState& state) {
  if (options.states != 0) return options.states;
  const double finer = std::max(1.0, state.pilot_variance / options.variance_aim);
  return 1 + static_cast<std::int64_t>(std::ceil(finer * static_cast<double>(state.ladder.states() - 1)));
}

[[noreturn]] void refuse_long_ladder(const AisOptions& options, double lambda) {
  throw NumericalError(fmt::format(
      "ais: {} states lead from the Gaussian no further than {:.3g} of the way to the crystal; begin nearer to it: with a base "
      "that fits it better (kind = scha), a flow that is trained longer, or a lower temperature",
      options.most_states, lambda));
}

void finish_pilot(const AisOptions& options, AisState& state) {
  state.pilot_variance += state.log_weight.var().item<double>();
  const std::int64_t states = states_of_production(options, state);
  if (states > options.most_states) refuse_long_ladder(options, 1.0 / (static_cast<double>(states - 1)));
  state.ladder = refined(state.ladder, states);
  state.producing = true;
  state.state = state.moved = 0;
  state.chains = HmcState{};
}

/// To the next state, which the pilot chooses for itself.
void climb_pilot(const AisOptions& options, const plan::Key& stream_key, AisState& state) {
  const double here = state.ladder.lambda.back();
  const double next = next_lambda(state.log_weight, state.chains.work, here, options.conditional_ess);
  if (state.ladder.states() >= options.most_states) refuse_long_ladder(options, here);
  state.log_weight = state.log_weight - (next - here) * state.chains.work;
  state.ladder.lambda.push_back(next);
  state.ladder.angle.push_back(state.chains.angle);
  state.state += 1;
  state.moved = 0;
  if (next < 1.0 && effective_fraction(state.log_weight) < kResampleBelow) resample(stream_key, state);
}

void pilot_move(const physics::LatentTarget& target, const AisOptions& options, const plan::Key& stream_key,
                AisState& state) {
  if (!state.chains.positions.defined()) {
    state.ladder = {{0.0}, {options.hmc.first_angle}};
    begin(target, options, stream_key, std::max<std::int64_t>(2, options.pilot), state);
    climb_pilot(options, stream_key, state);
  } else {
    moves_at(target, options, state, stream_key).move_and_adapt(state.chains);
    state.chains.adaptations = std::min(state.chains.adaptations, kAdaptationMemory);
    state.ladder.angle.back() = state.chains.angle;
    state.moved += 1;
    if (state.moved == options.moves) climb_pilot(options, stream_key, state);
  }
  if (state.ladder.lambda.back() == 1.0) finish_pilot(options, state);
}

Tensor appended(const Tensor& done, const Tensor& more) { return done.defined() ? at::cat({done, more}) : more; }

void finish_portion(AisState& state) {
  state.done_log_weight = appended(state.done_log_weight, state.log_weight);
  state.done_work = appended(state.done_work, state.chains.work);
  state.done_positions = appended(state.done_positions, state.chains.positions);
  state.tried += state.chains.tried;
  state.accepted += state.chains.accepted;
  state.state = state.moved = 0;
  state.chains = HmcState{};
}

void climb(AisState& state) {
  const auto here = static_cast<std::size_t>(state.state);
  state.log_weight =
      state.log_weight - (state.ladder.lambda[here + 1] - state.ladder.lambda[here]) * state.chains.work;
  state.state += 1;
  state.moved = 0;
  state.chains.angle = state.ladder.angle[here + 1];
  if (state.state == state.ladder.states() - 1) finish_portion(state);
}

void production_move(const physics::LatentTarget& target, const AisOptions& options, const plan::Key& stream_key,
                     AisState& state) {
  if (!state.chains.positions.defined()) {
    const std::int64_t left = options.trajectories - state.done();
    const std::int64_t portion = ais_portion(target.dimension());
    begin(target, options, stream_key, std::min(left, portion - state.done() % portion), state);
    return climb(state);
  }
  moves_at(target, options, state, stream_key).move(state.chains);
  state.moved += 1;
  if (state.moved == options.moves) climb(state);
}

Tensor vector_of(const std::vector<double>& numbers) { return at::tensor(at::ArrayRef<double>(numbers), at::kDouble); }

std::vector<double> numbers_of(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

void add_if_defined(std::map<std::string, Tensor>& named, const char* name, const Tensor& tensor) {
  if (tensor.defined()) named[name] = tensor;
}

Tensor found_or_none(const std::map<std::string, Tensor>& named, const char* name) {
  const auto found = named.find(name);
  return found == named.end() ? Tensor() : found->second.clone();
}

}  // namespace

double AisState::acceptance() const {
  const std::int64_t all = tried + (producing ? chains.tried : 0);
  return all == 0 ? 1.0 : static_cast<double>(accepted + (producing ? chains.accepted : 0)) / static_cast<double>(all);
}

std::int64_t ais_portion(std::int64_t dimension) {
  constexpr std::int64_t kNumbers = 1 << 20;  // coordinates that move together: 8 MB a copy
  return std::clamp<std::int64_t>(kNumbers / std::max<std::int64_t>(1, dimension), 16, 1024);
}

double next_lambda(const Tensor& log_weight, const Tensor& work, double from, double conditional_ess) {
  const auto keeps = [&](double to) {
    return conditional_fraction(log_weight, -(to - from) * work) >= conditional_ess;
  };
  if (keeps(1.0)) return 1.0;
  double low = from, high = 1.0;
  for (int halving = 0; halving < 50; ++halving) (keeps(0.5 * (low + high)) ? low : high) = 0.5 * (low + high);
  return low > from ? low : std::nextafter(from, 2.0);
}

AisLadder refined(const AisLadder& ladder, std::int64_t states) {
  AisLadder result;
  const double stretch = static_cast<double>(ladder.states() - 1) / static_cast<double>(states - 1);
  for (std::int64_t k = 0; k < states; ++k) {
    const double place = static_cast<double>(k) * stretch;
    const auto below = std::min(static_cast<std::size_t>(place), ladder.lambda.size() - 2);
    const double part = place - static_cast<double>(below);
    const auto between = [&](const std::vector<double>& of) { return of[below] + part * (of[below + 1] - of[below]); };
    result.lambda.push_back(between(ladder.lambda));
    result.angle.push_back(between(ladder.angle));
  }
  result.lambda.front() = 0.0;
  result.lambda.back() = 1.0;
  return result;
}

std::map<std::string, Tensor> to_named_tensors(const AisState& state) {
  std::map<std::string, Tensor> named;
  if (state.chains.positions.defined()) {
    for (const auto& [name, value] : to_named_tensors(state.chains)) named["chains/" + name] = value;
    named["log_weight"] = state.log_weight;
  }
  named["counters"] = at::tensor({std::int64_t{state.producing}, state.state, state.moved, state.tried, state.accepted}, at::kLong);
  named["pilot_variance"] = vector_of({state.pilot_variance});
  if (state.ladder.states() > 0) {
    named["ladder/lambda"] = vector_of(state.ladder.lambda);
    named["ladder/angle"] = vector_of(state.ladder.angle);
  }
  add_if_defined(named, "done/log_weight", state.done_log_weight);
  add_if_defined(named, "done/work", state.done_work);
  add_if_defined(named, "done/positions", state.done_positions);
  return named;
}

AisState ais_state_from(const std::map<std::string, Tensor>& named) {
  AisState state;
  std::map<std::string, Tensor> chains;
  for (const auto& [name, value] : named) {
    if (name.rfind("chains/", 0) == 0) chains[name.substr(7)] = value;
  }
  if (!chains.empty()) {
    state.chains = hmc_state_from(chains);
    state.log_weight = named.at("log_weight").clone();
  }
  const Tensor counters = named.at("counters").to(at::kLong).contiguous();
  const std::int64_t* c = counters.data_ptr<std::int64_t>();
  state.producing = c[0] != 0;
  state.state = c[1];
  state.moved = c[2];
  state.tried = c[3];
  state.accepted = c[4];
  state.pilot_variance = named.at("pilot_variance").item<double>();
  if (named.count("ladder/lambda") != 0) {
    state.ladder = {numbers_of(named.at("ladder/lambda")), numbers_of(named.at("ladder/angle"))};
  }
  state.done_log_weight = found_or_none(named, "done/log_weight");
  state.done_work = found_or_none(named, "done/work");
  state.done_positions = found_or_none(named, "done/positions");
  return state;
}

void run_ais(const physics::LatentTarget& target, const AisOptions& options, const plan::Key& stream_key,
             AisState& state, const std::function<void(const AisState&)>& on_move) {
  check_options(options);
  while (!state.producing || state.done() < options.trajectories) {
    if (state.producing) {
      production_move(target, options, stream_key, state);
    } else {
      pilot_move(target, options, stream_key, state);
    }
    if (on_move) on_move(state);
  }
}

}  // namespace bgw::sampling
