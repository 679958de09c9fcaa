#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "runtime/estimators/bar.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/model.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tasks/training_plan.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

/// Configurations of the crystal in its fixed cell, each counting once.
void refuse_others(const artifacts::Artifact& data) {
  if (data.arrays.contains("log_weight")) {
    throw InputError("the configurations of `data` carry weights, two-sided estimates take those of Markov chains or of "
                     "dynamics; estimate from their weights with method = lfep, or sample the crystal with method = mbar");
  }
  if (data.arrays.contains("deformation")) {
    throw InputError("the cells of `data` change, the samples of the model have one cell; take data at constant volume");
  }
}

/// The chain of each configuration; those of unknown history are taken as one.
Tensor chain_of(const artifacts::Artifact& data, std::int64_t count) {
  return data.arrays.contains("chain") ? tensor::to_tensor(data.array("chain")) : at::zeros({count}, at::kLong);
}

/// For a checkpoint: the log weights of the data so far.
artifacts::Artifact state_of(const Tensor& log_weight, const physics::CallCount& calls) {
  artifacts::Artifact state;
  state.arrays["log_weight"] = tensor::to_array(log_weight);
  state.cost = cost_of(calls);
  return state;
}

/// Log weights of the data under the model, chunk by chunk.
/// @param before  calls made by earlier attempts, set from the checkpoint
Tensor log_weights_of_data(engine::TaskContext& context, const Model& model, const Tensor& data,
                           physics::CallCount& before) {
  std::vector<Tensor> done;
  std::int64_t count = 0;
  if (const auto checkpoint = context.load_checkpoint()) {
    done.push_back(tensor::to_tensor(checkpoint->array("log_weight")));
    before = calls_of(checkpoint->cost);
    count = done.front().size(0);
  }
  const tensor::RandomStream auxiliary(context.spec().stream_key, "auxiliary");
  while (count < data.size(0)) {
    const std::int64_t end = std::min(count + model.at_once(), data.size(0));
    done.push_back(model.log_weight_of(
        data.slice(0, count, end), auxiliary.normal(0, count, end - count, model.auxiliary_dimension())));
    count = end;
    context.report({"inverse of the data", count, data.size(0), {}});
    context.step_done([&] { return state_of(at::cat(done), before + model.calls()); });
  }
  return at::cat(done);
}

void add_side(artifacts::Artifact& artifact, const Ground& ground, const char* name, const estimators::Estimate& f,
              std::int64_t n) {
  artifact.results.push_back(
      {name, ground.free_energy(-f.value), error_per_particle(f.sigma, ground), "kT", n, kConvention});
}

/// Log weights of both sides, with what is correlated with what among the data.
struct TwoSides {
  Tensor model, data;  // [n0], [n1]
  Tensor chain;        // [n1], of the data
  std::int64_t samples() const { return model.numel() + data.numel(); }
};

struct Difference {
  estimators::Estimate delta_f;  // model to crystal, kT
  double overlap = 0;
};

Difference by_bar(const TwoSides& sides, const plan::Key& stream_key, std::int64_t bootstrap) {
  estimators::BarOptions options;
  options.bootstrap = bootstrap;
  const estimators::BarResult bar =
      estimators::bar(-sides.model, estimators::single_samples(sides.model.numel()), sides.data,
                      estimators::chain_blocks(sides.chain, sides.data), stream_key, options);
  return {bar.delta_f, bar.overlap};
}

/// Two states: the model, of which energies count, and the crystal, minus the log weight above it.
Difference by_mbar(const TwoSides& sides, const plan::Key& stream_key, std::int64_t bootstrap,
                   artifacts::Artifact& artifact) {
  estimators::MbarOptions options;
  options.bootstrap = bootstrap;
  const Tensor crystal = -at::cat({sides.model, sides.data});
  const std::int64_t draws = sides.model.numel();
  const Tensor chain = at::cat({at::arange(draws, at::kLong), sides.chain + (draws - sides.chain.min())});
  const estimators::MbarResult mbar =
      estimators::mbar(at::stack({at::zeros_like(crystal), crystal}),
                       at::tensor({draws, sides.data.numel()}, at::kLong), chain, stream_key, options);
  artifact.results.push_back({"residual", mbar.residual, {}, "", {}, "of the MBAR equations"});
  artifact.arrays["overlap_matrix"] = tensor::to_array(mbar.overlap_matrix);
  const double overlap = (mbar.overlap_matrix[0][1] + mbar.overlap_matrix[1][0]).item<double>();
  return {mbar.difference(0, 1), overlap};
}

artifacts::Artifact two_sided(engine::TaskContext& context, const Model& model, const Tensor& log_weight) {
  const Ground& ground = model.ground();
  const auto data = context.input("data");
  refuse_others(*data);
  physics::CallCount before;
  const Tensor of_data = log_weights_of_data(context, model, displacements_on(ground, *data), before);
  const TwoSides sides{log_weight, of_data, chain_of(*data, of_data.numel())};
  const Listening listening =
      stop_in_interludes(context, [&] { return state_of(of_data, before + model.calls()); });

  const plan::Key& stream_key = context.spec().stream_key;
  const std::int64_t bootstrap = context.arguments().at("bootstrap").as_int();
  artifacts::Artifact artifact;
  const bool many_states = context.arguments().at("method").as_string() == "mbar";
  const Difference difference =
      many_states ? by_mbar(sides, stream_key, bootstrap, artifact) : by_bar(sides, stream_key, bootstrap);
  add_free_energy(artifact, ground, {-difference.delta_f.value, difference.delta_f.sigma}, sides.samples());
  artifact.results.push_back(
      {"overlap", difference.overlap, {}, "", {}, "of model and data, 0 none, 1 the same distribution"});
  const tensor::RandomStream stream(stream_key, "one-sided"), data_stream(stream_key, "one-sided.data");
  add_side(artifact, ground, "forward", estimators::lfep(log_weight, stream, bootstrap), log_weight.numel());
  const estimators::Estimate reverse =
      estimators::lfep(-of_data, estimators::chain_blocks(sides.chain, of_data), data_stream, bootstrap);
  add_side(artifact, ground, "reverse", {-reverse.value, reverse.sigma}, of_data.numel());
  // Work from model to target on both sides, so that the two histograms overlap where the ensembles do.
  artifact.arrays["work_reverse"] = tensor::to_array(-of_data, "kT");
  artifact.arrays["chain_reverse"] = tensor::to_array(sides.chain);
  artifact.cost = cost_of(before + model.calls());
  return artifact;
}

/// The exponential average and the second cumulant check each other: the first is right for enough samples, the second
/// for Gaussian weights.
artifacts::Artifact one_sided(engine::TaskContext& context, const Model& model, const Tensor& log_weight) {
  const Listening listening = stop_in_interludes(context);
  const tensor::RandomStream stream(context.spec().stream_key, "one-sided");
  const std::int64_t bootstrap = context.arguments().at("bootstrap").as_int();
  const std::string& method = context.arguments().at("method").as_string();
  artifacts::Artifact artifact;
  if (method == "ess") return artifact;
  const estimators::Estimate average = estimators::lfep(log_weight, stream, bootstrap);
  const estimators::Estimate cumulant = estimators::second_cumulant(log_weight, stream, bootstrap);
  const estimators::Estimate& asked = method == "cumulant" ? cumulant : average;
  add_free_energy(artifact, model.ground(), {-asked.value, asked.sigma}, log_weight.numel());
  add_side(artifact, model.ground(), "lfep", average, log_weight.numel());
  add_side(artifact, model.ground(), "cumulant", cumulant, log_weight.numel());
  return artifact;
}

}  // namespace

artifacts::Artifact estimate(engine::TaskContext& context) {
  const auto model = load_model(context, context.input_spec("samples"));
  const Tensor log_weight = tensor::to_tensor(context.input("samples")->array("log_weight"));
  const std::string& method = context.arguments().at("method").as_string();
  constexpr std::array<std::string_view, 5> kKnown = {"bar", "mbar", "lfep", "cumulant", "ess"};
  if (std::find(kKnown.begin(), kKnown.end(), method) == kKnown.end())
    throw InputError(fmt::format("no estimate by '{}'; this version has {}", method, fmt::join(kKnown, ", ")));
  artifacts::Artifact artifact = method == "bar" || method == "mbar" ? two_sided(context, *model, log_weight)
                                                                     : one_sided(context, *model, log_weight);
  add_weights(artifact, log_weight, context.spec().stream_key, context.arguments().at("bootstrap").as_int());
  artifact.arrays["work_forward"] = tensor::to_array(-log_weight, "kT");
  return artifact;
}

}  // namespace bgw::tasks
