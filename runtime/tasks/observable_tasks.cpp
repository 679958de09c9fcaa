#include <fmt/format.h>

#include "compiler/units/unit_table.h"
#include "runtime/estimators/bond_order.h"
#include "runtime/estimators/numbers.h"
#include "runtime/estimators/time_curve.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/observed.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

using artifacts::Artifact;
using estimators::Estimate;

tensor::RandomStream bootstrap_of(const engine::TaskContext& context) { return {context.spec().stream_key, "bootstrap"}; }

/// 1 / (kB T), per eV.
double beta_of(const schema::Value& arguments) {
  return 1.0 / (units::kBoltzmann * arguments.at("ensemble").at("temperature").as_double());
}

double first(const double* means) { return means[0]; }

/// The weighted mean of one number a configuration, as the result `value`.
Artifact mean_of(engine::TaskContext& context, const Observed& samples, const Tensor& numbers, const std::string& unit,
                 const std::string& convention) {
  const estimators::Means means = estimators::weighted_means(numbers, samples.weights, samples.blocks, bootstrap_of(context));
  Artifact artifact;
  artifact.results.push_back(result_from("value", means.of(first), unit, samples.count(), convention));
  return artifact;
}

/// A distribution as a curve: x, y and the standard errors of y, with the names of the axes; and its mean.
Artifact distribution_of(engine::TaskContext& context, const Tensor& numbers, const Tensor& weights, const estimators::Blocks& blocks,
                         const std::string& name, const std::string& unit) {
  const std::int64_t bins = context.arguments().at("bins").as_int();
  const tensor::RandomStream stream = bootstrap_of(context);
  const estimators::Histogram histogram = estimators::histogram(numbers, weights, blocks, bins, stream);
  const Tensor each = numbers.dim() == 1 ? numbers : numbers.mean(1);
  const Estimate mean = estimators::weighted_means(each, weights, blocks, stream).of(first);
  Artifact artifact;
  artifact.arrays["x"] = tensor::to_array(histogram.centre, unit);
  artifact.arrays["y"] = tensor::to_array(histogram.density);
  artifact.arrays["sigma"] = tensor::to_array(histogram.sigma);
  artifact.attributes["x_name"] = name;
  artifact.attributes["y_name"] = "density";
  artifact.results.push_back(result_from("mean", mean, unit, numbers.size(0)));
  return artifact;
}

Tensor bond_orders(engine::TaskContext& context, const Observed& samples, double& cutoff) {
  const schema::Value* given = context.arguments().find("cutoff");
  cutoff = given != nullptr && given->is_number() ? given->as_double() : estimators::two_shell_cutoff(samples.sites, samples.cell);
  constexpr std::int64_t kDegree = 6;
  return estimators::averaged_bond_order(samples.displacements, samples.sites, samples.cell, samples.deformation, kDegree, cutoff);
}

/// Squared displacements of the atoms, [n, N], without the motion of all together.
Tensor squared_displacements(const Tensor& displacements) {
  return (displacements - displacements.mean(1, true)).square().sum(2);
}

}  // namespace

Artifact energy_histogram(engine::TaskContext& context) {
  const Observed samples = observed(context);
  artifacts::Cost cost;
  const Tensor energies = energies_of(context, samples, cost);
  const Listening listening = stop_in_interludes(context);
  const double scale = beta_of(context.arguments()) / static_cast<double>(samples.atoms());
  Artifact artifact = distribution_of(context, energies * scale, samples.weights, samples.blocks, "beta U / N", "");
  artifact.cost = cost;
  return artifact;
}

Artifact q6_histogram(engine::TaskContext& context) {
  const Observed samples = observed(context);
  const Listening listening = stop_in_interludes(context);
  double cutoff = 0;
  const Tensor orders = bond_orders(context, samples, cutoff);
  Artifact artifact = distribution_of(context, orders, samples.weights, samples.blocks, "q6", "");
  artifact.results.push_back({"cutoff", cutoff, {}, "angstrom", {}, "atoms up to this distance are neighbours"});
  return artifact;
}

Artifact mean_bond_order(engine::TaskContext& context) {
  const Observed samples = observed(context);
  const Listening listening = stop_in_interludes(context);
  double cutoff = 0;
  const Tensor orders = bond_orders(context, samples, cutoff);
  Artifact artifact = mean_of(context, samples, orders.mean(1), "", "averaged bond order of degree 6, mean over atoms");
  artifact.results.push_back({"cutoff", cutoff, {}, "angstrom", {}, "atoms up to this distance are neighbours"});
  return artifact;
}

Artifact work_histogram(engine::TaskContext& context) {
  const auto estimate = context.input("of");
  const std::string& side = context.arguments().at("side").as_string();
  const std::string name = "work_" + side;
  if (!estimate->arrays.contains(name)) throw InputError(fmt::format("this estimate has no work of the side `{}`", side));
  const Listening listening = stop_in_interludes(context);
  const Tensor work = tensor::to_tensor(estimate->array(name));
  const std::string chain = "chain_" + side;
  const estimators::Blocks blocks = estimate->arrays.contains(chain)
                                        ? estimators::chain_blocks(tensor::to_tensor(estimate->array(chain)), work)
                                        : estimators::single_samples(work.size(0));
  return distribution_of(context, work, {}, blocks, "work", "kT");
}

Artifact mean_squared_displacement(engine::TaskContext& context) {
  const Observed samples = observed(context);
  const Listening listening = stop_in_interludes(context);
  const Tensor squares = squared_displacements(samples.displacements);
  Artifact artifact = mean_of(context, samples, squares.mean(1), "angstrom^2", "from the own site, centre of mass at rest, mean over atoms");
  const estimators::Means each = estimators::weighted_means(squares, samples.weights, samples.blocks, bootstrap_of(context));
  artifact.arrays["msd"] = tensor::to_array(each.value, "angstrom^2");
  artifact.arrays["sigma"] = tensor::to_array(each.sigma(), "angstrom^2");
  return artifact;
}

Artifact msd_over_time(engine::TaskContext& context) {
  const Observed samples = observed(context);
  if (!samples.artifact->arrays.contains("time")) throw InputError("these samples carry no times: the mean squared displacement over time needs a trajectory");
  const Listening listening = stop_in_interludes(context);
  const Tensor chain = samples.artifact->arrays.contains("chain") ? tensor::to_tensor(samples.artifact->array("chain"))
                                                                  : at::zeros({samples.count()}, at::kLong);
  const estimators::TimeCurve curve = estimators::msd_over_time(samples.displacements, tensor::to_tensor(samples.artifact->array("time")), chain,
                                                                context.arguments().at("points").as_int());
  Artifact artifact;
  artifact.arrays["x"] = tensor::to_array(curve.time, "fs");
  artifact.arrays["y"] = tensor::to_array(curve.value, "angstrom^2");
  artifact.attributes["x_name"] = "t";
  artifact.attributes["y_name"] = "msd (angstrom^2)";
  artifact.results.push_back({"last", curve.value[-1].item<double>(), {}, "angstrom^2", samples.count(), "at the longest time"});
  return artifact;
}

Artifact mean_energy(engine::TaskContext& context) {
  const Observed samples = observed(context);
  artifacts::Cost cost;
  const bool mapped = context.arguments().bool_or("mapped", false);
  const Tensor energies = mapped ? mapped_energies_of(context, samples, 1.0 / beta_of(context.arguments()), cost) : energies_of(context, samples, cost);
  const Listening listening = stop_in_interludes(context);
  Artifact artifact = mean_of(context, samples, energies / static_cast<double>(samples.atoms()), "eV", "potential energy per atom");
  artifact.cost = cost;
  return artifact;
}

Artifact mean_density(engine::TaskContext& context) {
  const Observed samples = observed(context);
  const Listening listening = stop_in_interludes(context);
  return mean_of(context, samples, static_cast<double>(samples.atoms()) / samples.volumes(), "/angstrom^3", "atoms per volume");
}

Artifact mean_pressure(engine::TaskContext& context) {
  const Observed samples = observed(context);
  artifacts::Cost cost;
  const Tensor virials = virials_of(context, samples, cost);
  const Listening listening = stop_in_interludes(context);
  const double motion = static_cast<double>(samples.atoms()) / beta_of(context.arguments());
  Artifact artifact = mean_of(context, samples, (motion - virials / 3.0) / samples.volumes(), "eV/angstrom^3", "(N kT - virial / 3) / V, classical");
  artifact.cost = cost;
  return artifact;
}

Artifact heat_capacity(engine::TaskContext& context) {
  const Observed samples = observed(context);
  artifacts::Cost cost;
  Tensor heat = energies_of(context, samples, cost);
  const Listening listening = stop_in_interludes(context);
  const schema::Value& ensemble = context.arguments().at("ensemble");
  const bool at_pressure = ensemble.at("kind").as_string() == "npt";
  if (at_pressure) heat = heat + ensemble.at("pressure").as_double() * samples.volumes();
  // Around the mean, so that the squares do not cancel.
  const Tensor x = beta_of(context.arguments()) * (heat - heat.mean());
  const estimators::Means moments = estimators::weighted_means(at::stack({x, x.square()}, 1), samples.weights, samples.blocks, bootstrap_of(context));
  const double atoms = static_cast<double>(samples.atoms());
  const Estimate capacity = moments.of([&](const double* m) { return 1.5 + (m[1] - m[0] * m[0]) / atoms; });
  Artifact artifact;
  artifact.results.push_back(result_from("value", capacity, "", samples.count(),
                                         at_pressure ? "C_P / (N kB), classical, 3/2 of the motion included" : "C_V / (N kB), classical, 3/2 of the motion included"));
  artifact.cost = cost;
  return artifact;
}

}  // namespace bgw::tasks
