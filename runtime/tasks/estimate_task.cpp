#include "runtime/estimators/bar.h"
#include "runtime/estimators/lfep.h"
#include "runtime/flows/generate.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

/// Configurations as displacements from the sites of the flow's base, whatever sites they were recorded from.
Tensor displacements_on(const Ground& ground, const artifacts::Artifact& data) {
  const Tensor sites = tensor::to_tensor(data.array("sites"));
  if (sites.sizes() != ground.base.sites.sizes()) {
    throw InputError("the data has " + std::to_string(sites.size(0)) + " atoms, the model " +
                     std::to_string(ground.particles()));
  }
  return tensor::to_tensor(data.array("displacements")) + (sites - ground.base.sites);
}

/// For a checkpoint: the log weights of the data so far.
artifacts::Artifact state_of(const Tensor& log_weight, const physics::CallCount& calls) {
  artifacts::Artifact state;
  state.arrays["log_weight"] = tensor::to_array(log_weight);
  state.cost = cost_of(calls);
  return state;
}

/// Log weights of the data under the flow, chunk by chunk.
/// @param before  calls made by earlier attempts, set from the checkpoint
Tensor log_weights_of_data(engine::TaskContext& context, const TrainedFlow& trained, const Tensor& data,
                           physics::CallCount& before) {
  std::vector<Tensor> done;
  std::int64_t count = 0;
  if (const auto checkpoint = context.load_checkpoint()) {
    done.push_back(tensor::to_tensor(checkpoint->array("log_weight")));
    before = calls_of(checkpoint->cost);
    count = done.front().size(0);
  }
  const std::int64_t at_once = configurations_at_once(trained.ground.particles());
  while (count < data.size(0)) {
    const std::int64_t end = std::min(count + at_once, data.size(0));
    done.push_back(flows::log_weight_of(*trained.flow, data.slice(0, count, end), trained.parameters));
    count = end;
    context.report({"inverse of the data", count, data.size(0), {}});
    context.step_done([&] { return state_of(at::cat(done), before + trained.ground.model->calls()); });
  }
  return at::cat(done);
}

void add_one_sided(artifacts::Artifact& artifact, const Ground& ground, const char* name, const estimators::Estimate& f,
                   std::int64_t n) {
  artifact.results.push_back(
      {name, ground.free_energy(-f.value), error_per_particle(f.sigma, ground), "kT", n, kConvention});
}

artifacts::Artifact two_sided(engine::TaskContext& context, const TrainedFlow& trained, const Tensor& log_weight) {
  const auto data = context.input("data");
  physics::CallCount before;
  const Tensor data_weight = log_weights_of_data(context, trained, displacements_on(trained.ground, *data), before);
  const Listening listening =
      stop_in_interludes(context, [&] { return state_of(data_weight, before + trained.ground.model->calls()); });
  const estimators::Blocks chains = estimators::chain_blocks(tensor::to_tensor(data->array("chain")));

  estimators::BarOptions options;
  options.bootstrap = context.arguments().at("bootstrap").as_int();
  const estimators::BarResult bar = estimators::bar(-log_weight, estimators::single_samples(log_weight.size(0)),
                                                    data_weight, chains, context.spec().stream_key, options);
  const tensor::RandomStream stream(context.spec().stream_key, "one-sided");
  artifacts::Artifact artifact;
  const std::int64_t n = log_weight.numel() + data_weight.numel();
  add_free_energy(artifact, trained.ground, {-bar.delta_f.value, bar.delta_f.sigma}, n);
  artifact.results.push_back(
      {"overlap", bar.overlap, {}, "", {}, "of model and data, 0 none, 1 the same distribution"});
  add_one_sided(artifact, trained.ground, "forward", estimators::lfep(log_weight, stream, options.bootstrap),
                log_weight.numel());
  const tensor::RandomStream data_stream(context.spec().stream_key, "one-sided.data");
  const estimators::Estimate reverse = estimators::lfep(-data_weight, chains, data_stream, options.bootstrap);
  add_one_sided(artifact, trained.ground, "reverse", {-reverse.value, reverse.sigma}, data_weight.numel());
  // Work from model to target on both sides, so that the two histograms overlap where the ensembles do.
  artifact.arrays["work_reverse"] = tensor::to_array(-data_weight, "kT");
  artifact.cost = cost_of(before + trained.ground.model->calls());
  return artifact;
}

artifacts::Artifact one_sided(engine::TaskContext& context, const TrainedFlow& trained, const Tensor& log_weight) {
  const Listening listening = stop_in_interludes(context);
  const tensor::RandomStream stream(context.spec().stream_key, "one-sided");
  const std::int64_t bootstrap = context.arguments().at("bootstrap").as_int();
  const estimators::Estimate f = estimators::lfep(log_weight, stream, bootstrap);
  artifacts::Artifact artifact;
  add_free_energy(artifact, trained.ground, {-f.value, f.sigma}, log_weight.numel());
  add_one_sided(artifact, trained.ground, "second_cumulant", estimators::second_cumulant(log_weight, stream, bootstrap),
                log_weight.numel());
  return artifact;
}

}  // namespace

artifacts::Artifact estimate(engine::TaskContext& context) {
  const auto trained = load_flow(context, context.input_spec("samples"));
  const Tensor log_weight = tensor::to_tensor(context.input("samples")->array("log_weight"));
  const std::string& method = context.arguments().at("method").as_string();
  if (method != "bar" && method != "lfep")
    throw InputError("no estimate by '" + method + "'; this version has bar and lfep");
  artifacts::Artifact artifact =
      method == "bar" ? two_sided(context, *trained, log_weight) : one_sided(context, *trained, log_weight);
  artifact.results.push_back(
      {"ess", estimators::ess_fraction(log_weight), {}, "", log_weight.numel(), "fraction, of the samples"});
  artifact.arrays["work_forward"] = tensor::to_array(-log_weight, "kT");
  return artifact;
}

}  // namespace bgw::tasks
