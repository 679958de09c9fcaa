#include <fmt/format.h>

#include "runtime/estimators/lfep.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/model.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tasks {
namespace {

/// What has been drawn so far, in batches; all batches together are the samples.
struct Drawn {
  std::vector<Tensor> displacements, energy, log_weight;
  std::int64_t count = 0;

  void add(const flows::Draws& draws) {
    displacements.push_back(draws.displacements);
    energy.push_back(draws.energy);
    log_weight.push_back(draws.log_weight);
    count += draws.log_weight.size(0);
  }
};

artifacts::Artifact arrays_of(const Drawn& drawn) {
  artifacts::Artifact artifact;
  artifact.arrays["displacements"] = tensor::to_array(at::cat(drawn.displacements), "angstrom");
  artifact.arrays["energy"] = tensor::to_array(at::cat(drawn.energy), "eV");
  artifact.arrays["log_weight"] = tensor::to_array(at::cat(drawn.log_weight), "kT");
  return artifact;
}

Drawn drawn_from(const artifacts::Artifact& checkpoint) {
  Drawn drawn;
  drawn.add({tensor::to_tensor(checkpoint.array("displacements")), tensor::to_tensor(checkpoint.array("energy")),
             tensor::to_tensor(checkpoint.array("log_weight"))});
  return drawn;
}

/// Nothing where no draw has been in the crystal yet.
double ess_so_far(const Tensor& log_weight) {
  return number_left(log_weight) == log_weight.numel() ? 0.0 : estimators::ess_fraction(log_weight);
}

void refuse_melt(const Tensor& log_weight) {
  if (number_left(log_weight) < log_weight.numel()) return;
  throw NumericalError(fmt::format(
      "the model does not draw the crystal: all of {} draws are outside of its basin, with an atom further than half the distance of "
      "nearest neighbours from its site, or atoms further than a fifth of it in the mean; train the flow longer, or take a base of smaller vibrations",
      log_weight.numel()));
}

}  // namespace

artifacts::Artifact sample(engine::TaskContext& context) {
  const auto model = load_model(context, context.spec());
  const std::int64_t count = context.arguments().at("count").as_int();
  const std::int64_t batch = context.arguments().at("batch").as_int();
  const tensor::RandomStream latent(context.spec().stream_key, "latent");

  Drawn drawn;
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    drawn = drawn_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  }
  const auto state = [&] {
    artifacts::Artifact artifact = arrays_of(drawn);
    artifact.cost = cost_of(before + model->calls());
    return artifact;
  };
  const std::int64_t at_once = std::min(batch, model->at_once());
  while (drawn.count < count) {
    const std::int64_t size = std::min(at_once, count - drawn.count);
    drawn.add(model->generate(latent.normal(0, drawn.count, size, model->latent_dimension())));
    context.report({"drawing", drawn.count, count, {{"ess", ess_so_far(at::cat(drawn.log_weight))}}});
    context.step_done(state);
  }

  const Listening listening = stop_in_interludes(context, state);
  artifacts::Artifact result = state();
  add_crystal(result, model->ground());
  const Tensor log_weight = at::cat(drawn.log_weight);
  refuse_melt(log_weight);
  add_weights(result, log_weight, context.spec().stream_key);
  result.results.push_back({"left_basin", static_cast<double>(number_left(log_weight)), {}, "", count,
                            "draws outside of the basin of the crystal, which weigh nothing"});
  const estimators::Estimate f =
      estimators::lfep(log_weight, tensor::RandomStream(context.spec().stream_key, "bootstrap"));
  add_free_energy(result, model->ground(), {-f.value, f.sigma}, count);
  return result;
}

}  // namespace bgw::tasks
