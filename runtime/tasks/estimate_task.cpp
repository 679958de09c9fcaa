#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "runtime/estimators/bar.h"
#include "runtime/estimators/consistency.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/estimators/work_histogram.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/annealing.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/grid_estimate.h"
#include "runtime/tasks/inverse_passes.h"
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

void add_side(artifacts::Artifact& artifact, const Ground& ground, const char* name, const estimators::Estimate& f,
              std::int64_t n) {
  artifact.results.push_back(
      {name, ground.free_energy(-f.value), error_per_particle(f.sigma, ground), "kT", n, kConvention});
}

/// Those of `data` that are in the basin of the crystal. The crystal is what is in the basin: draws outside weigh nothing, so
/// configurations outside belong to neither side.
struct InBasin {
  Tensor displacements;  // [n, N, 3]
  Tensor chain;          // [n]
  std::int64_t left = 0;
};

InBasin in_basin(const Model& model, const artifacts::Artifact& data) {
  const Tensor displacements = displacements_on(model.ground(), data);
  const Tensor outside = model.left_basin(displacements);
  const std::int64_t all = displacements.size(0), left = outside.sum().item<std::int64_t>();
  if (4 * left > all) {
    throw InputError(fmt::format("{} of {} configurations of `data` are outside of the basin of the crystal, with an atom further than "
                                 "half the distance of nearest neighbours from its site or a rms displacement above a fifth of it: they "
                                 "are those of a melt or of another structure; take data of the crystal of the model", left, all));
  }
  const Tensor kept = outside.logical_not().nonzero().view({-1});
  return {displacements.index_select(0, kept), chain_of(data, all).index_select(0, kept), left};
}

/// Log weights of both sides, with what is correlated with what among the data.
struct TwoSides {
  Tensor model, data;  // [n0], [n1]
  Tensor chain;        // [n1], of the data
  std::int64_t samples() const { return model.numel() + data.numel(); }
};

/// Of the data. A base that is cut off has no density where configurations of the crystal may be: their weight is endless.
estimators::Blocks blocks_of(const TwoSides& sides) {
  return estimators::chain_blocks(sides.chain, estimators::bounded(sides.data));
}

struct Difference {
  estimators::Estimate delta_f;  // model to crystal, kT
  double overlap = 0;
  std::vector<estimators::Replicated> estimates;  // of delta_f from the same resampled samples
};

Difference by_bar(const TwoSides& sides, const plan::Key& stream_key, std::int64_t bootstrap) {
  estimators::BarOptions options;
  options.bootstrap = bootstrap;
  const estimators::BarResult bar =
      estimators::bar(-sides.model, estimators::single_samples(sides.model.numel()), sides.data,
                      blocks_of(sides), stream_key, options);
  std::vector<estimators::Replicated> estimates =
      estimators::one_sided_replicates(sides.model, estimators::single_samples(sides.model.numel()),
                                       estimators::bar_forward_stream(stream_key), bootstrap);
  estimates.push_back({"bar", bar.delta_f.value, bar.replicates});
  return {bar.delta_f, bar.overlap, estimates};
}

/// Two states: the model, of which energies count, and the crystal, minus the log weight above it. Where the model has no
/// density, it is the model's energy that is infinite.
Difference by_mbar(const TwoSides& sides, const plan::Key& stream_key, std::int64_t bootstrap,
                   artifacts::Artifact& artifact) {
  estimators::MbarOptions options;
  options.bootstrap = bootstrap;
  const Tensor above = -at::cat({sides.model, sides.data});
  const Tensor model = at::zeros_like(above).masked_fill_(above.isneginf(), INFINITY);
  const Tensor crystal = above.masked_fill(above.isneginf(), 0.0);
  const std::int64_t draws = sides.model.numel();
  const Tensor chain = at::cat({at::arange(draws, at::kLong), sides.chain + (draws - sides.chain.min())});
  const estimators::MbarResult mbar =
      estimators::mbar(at::stack({model, crystal}),
                       at::tensor({draws, sides.data.numel()}, at::kLong), chain, stream_key, options);
  artifact.results.push_back({"residual", mbar.residual, {}, "", {}, "of the MBAR equations"});
  artifact.arrays["overlap_matrix"] = tensor::to_array(mbar.overlap_matrix);
  const double overlap = (mbar.overlap_matrix[0][1] + mbar.overlap_matrix[1][0]).item<double>();
  return {mbar.difference(0, 1), overlap,
          estimators::one_sided_replicates(sides.model, estimators::single_samples(draws), {stream_key, "one-sided"}, bootstrap)};
}

void add_consistency(artifacts::Artifact& artifact, const std::vector<estimators::Replicated>& estimates, std::int64_t samples) {
  const estimators::Consistency apart = estimators::consistency(estimates, samples);
  if (std::isfinite(apart.sigmas)) {
    artifact.results.push_back({"consistency", apart.sigmas, {}, "", samples, "standard errors between " + apart.pair});
  }
}

artifacts::Artifact two_sided(engine::TaskContext& context, const Model& model, const Tensor& log_weight,
                              InversePasses& passes, std::int64_t copies) {
  const Ground& ground = model.ground();
  const auto data = context.input("data");
  refuse_others(*data);
  const InBasin crystal = in_basin(model, *data);
  const Tensor of_data = passes.of_data(crystal.displacements, copies);
  const TwoSides sides{log_weight, of_data, crystal.chain};
  const Listening listening = stop_in_interludes(context, [&] { return passes.state(); });

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
      estimators::lfep(-of_data, blocks_of(sides), data_stream, bootstrap);
  add_side(artifact, ground, "reverse", {-reverse.value, reverse.sigma}, of_data.numel());
  artifact.results.push_back({"unreached", static_cast<double>(at::isposinf(of_data).sum().item<std::int64_t>()), {}, "",
                              of_data.numel(), "configurations of the data where the model has no density"});
  artifact.results.push_back({"data_left_basin", static_cast<double>(crystal.left), {}, "", of_data.numel() + crystal.left,
                              "configurations of the data outside of the basin of the crystal, not counted"});
  const std::int64_t blocks = blocks_of(sides).count;
  add_consistency(artifact, difference.estimates, std::min(log_weight.numel(), blocks));
  // Work from model to target on both sides, so that the two histograms overlap where the ensembles do.
  artifact.arrays["work_reverse"] = tensor::to_array(-of_data, "kT");
  artifact.arrays["chain_reverse"] = tensor::to_array(sides.chain);
  return artifact;
}

/// An average in which one sample outweighs all others is that sample.
void refuse_single_weight(const Tensor& log_weight, bool annealed = false) {
  constexpr std::int64_t kFew = 20;
  constexpr double kAll = 0.999;
  const double largest = estimators::summarise(log_weight).largest_weight;
  if (log_weight.numel() < kFew || largest < kAll) return;
  if (annealed) {
    throw NumericalError(fmt::format("the annealing does not reach the crystal: of {} trajectories one carries {:.4g} of the weight; "
                                     "give it more `states` or `moves`, or anneal from a flow that fits better",
                                     log_weight.numel(), largest));
  }
  throw NumericalError(fmt::format(
      "the model does not reach the crystal: of {} samples one carries {:.4g} of the weight, so that no average is left; train "
      "the flow longer or give it more splits or layers, take a base that fits better (kind = scha), anneal from the model "
      "(method = ais), or compare it with samples of the crystal (method = bar)",
      log_weight.numel(), largest));
}

/// The exponential average and the second cumulant check each other: the first is right for enough samples, the second
/// for Gaussian weights.
artifacts::Artifact one_sided(engine::TaskContext& context, const Model& model, const Tensor& log_weight,
                              const InversePasses& passes) {
  const Listening listening = stop_in_interludes(context, [&] { return passes.state(); });
  const tensor::RandomStream stream(context.spec().stream_key, "one-sided");
  const std::int64_t bootstrap = context.arguments().at("bootstrap").as_int();
  const std::string& method = context.arguments().at("method").as_string();
  artifacts::Artifact artifact;
  if (method == "ess") return artifact;
  if (method == "lfep") refuse_single_weight(log_weight);
  const estimators::Estimate average = estimators::lfep(log_weight, stream, bootstrap);
  const estimators::Estimate cumulant = estimators::second_cumulant(log_weight, stream, bootstrap);
  const estimators::Estimate& asked = method == "cumulant" ? cumulant : average;
  add_free_energy(artifact, model.ground(), {-asked.value, asked.sigma}, log_weight.numel());
  add_side(artifact, model.ground(), "lfep", average, log_weight.numel());
  add_side(artifact, model.ground(), "cumulant", cumulant, log_weight.numel());
  add_consistency(artifact,
                  estimators::one_sided_replicates(log_weight, estimators::single_samples(log_weight.numel()), stream, bootstrap),
                  log_weight.numel());
  return artifact;
}

void add_curve(artifacts::Artifact& artifact, const std::string& name, const Tensor& work, const Tensor& density) {
  artifact.arrays["curves/" + name + "/x"] = tensor::to_array(work, "kT");
  artifact.arrays["curves/" + name + "/y"] = tensor::to_array(density);
}

/// Densities of the work on both sides, as curves on one grid.
void add_histograms(artifacts::Artifact& artifact) {
  const bool both = artifact.arrays.contains("work_reverse");
  const estimators::WorkHistograms h = estimators::work_histograms(
      tensor::to_tensor(artifact.array("work_forward")), both ? tensor::to_tensor(artifact.array("work_reverse")) : Tensor());
  add_curve(artifact, "work_forward", h.work, h.forward);
  if (both) add_curve(artifact, "work_reverse", h.work, h.reverse);
  artifact.attributes = schema::Map{{"x_name", "work"}, {"y_name", "density"}};
}

/// Annealing makes weights of its own, those of the samples say nothing of it.
artifacts::Artifact annealed(engine::TaskContext& context, const Model& model) {
  artifacts::Artifact artifact = annealing_from(context, model);
  const Listening listening = stop_in_interludes(context);
  const Tensor log_weight = tensor::to_tensor(artifact.array("log_weight"));
  refuse_single_weight(log_weight, true);
  const std::int64_t bootstrap = context.arguments().at("bootstrap").as_int();
  const tensor::RandomStream stream(context.spec().stream_key, "bootstrap");
  add_consistency(artifact,
                  estimators::one_sided_replicates(log_weight, estimators::single_samples(log_weight.numel()), stream, bootstrap),
                  log_weight.numel());
  artifact.arrays["work_forward"] = tensor::to_array(-log_weight, "kT");
  add_histograms(artifact);
  return artifact;
}

/// Fresh auxiliary copies of each sample that a marginal averages over; none for joint weights.
std::int64_t fresh_copies(const schema::Value& arguments) {
  const schema::Value* marginal = arguments.find("marginal");
  return marginal != nullptr && !marginal->is_none() && marginal->as_bool() ? arguments.at("aux_draws").as_int() : 0;
}

/// From the weights of the samples, and of the data where there are two sides.
artifacts::Artifact from_samples(engine::TaskContext& context, const Model& model, bool two) {
  const auto samples = context.input("samples");
  const std::int64_t fresh = fresh_copies(context.arguments());
  if (fresh > 0 && model.auxiliary_dimension() == 0) {
    throw InputError("the flow behind the samples has no auxiliary copies to average over; leave `marginal` out");
  }
  InversePasses passes(context, model);
  Tensor log_weight = tensor::to_tensor(samples->array("log_weight"));
  if (fresh > 0) log_weight = passes.of_samples(displacements_on(model.ground(), *samples), log_weight, fresh);
  artifacts::Artifact artifact = two ? two_sided(context, model, log_weight, passes, fresh + 1)
                                     : one_sided(context, model, log_weight, passes);
  const Listening listening = stop_in_interludes(context, [&] { return passes.state(); });
  add_weights(artifact, log_weight, context.spec().stream_key, context.arguments().at("bootstrap").as_int());
  artifact.results.push_back({"left_basin", static_cast<double>(number_left(log_weight)), {}, "", log_weight.numel(),
                              "draws outside of the basin of the crystal, which weigh nothing"});
  artifact.arrays["work_forward"] = tensor::to_array(-log_weight, "kT");
  add_histograms(artifact);
  if (two || fresh > 0) artifact.cost = cost_of(passes.calls());
  return artifact;
}

}  // namespace

artifacts::Artifact estimate(engine::TaskContext& context) {
  const std::string& method = context.arguments().at("method").as_string();
  constexpr std::array<std::string_view, 6> kKnown = {"bar", "mbar", "lfep", "cumulant", "ess", "ais"};
  if (std::find(kKnown.begin(), kKnown.end(), method) == kKnown.end())
    throw InputError(fmt::format("no estimate by '{}'; this version has {}", method, fmt::join(kKnown, ", ")));
  if (context.arguments().has("model")) return grid_estimate(context);
  const auto model = load_model(context, context.input_spec("samples"));
  if (method == "ais") return annealed(context, *model);
  return from_samples(context, *model, method == "bar" || method == "mbar");
}

}  // namespace bgw::tasks
