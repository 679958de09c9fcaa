#include "runtime/flows/training_loss.h"

#include "runtime/tensor/random_stream.h"

namespace bgw::flows {
namespace {

/// The random numbers of a training.
struct Streams {
  explicit Streams(const plan::Key& key) : latent(key, "train.latent"), auxiliary(key, "train.auxiliary") {}
  tensor::RandomStream latent, auxiliary;
};

SampleLoss from_model(const Objective& objective, const Streams& streams, const Portion& p, const Tensor& parameters) {
  const Generator& flow = *objective.generator;
  const Tensor latent = streams.latent.normal(p.total, p.first, p.count, flow.latent_dimension());
  return flow.reverse_kl(objective.gradient, latent, parameters);
}

SampleLoss from_data(const Objective& objective, const Streams& streams, const Portion& p, const Tensor& parameters) {
  const Generator& flow = *objective.generator;
  const Tensor auxiliary = streams.auxiliary.normal(p.total, p.first, p.count, flow.auxiliary_dimension());
  return flow.forward_kl(objective.data(p), auxiliary, parameters);  // those outside add nothing to the sum over the batch
}

/// Row by row where both losses give one for each sample.
SampleLoss mixed(const SampleLoss& reverse, const SampleLoss& forward, double share) {
  return {reverse.log_weight, (1.0 - share) * reverse.gradient + share * forward.gradient, forward.outside};
}

}  // namespace

LossFunction training_loss(Schedule schedule, const plan::Key& stream_key) {
  return [schedule = std::move(schedule), streams = Streams(stream_key)](const Portion& p, const Tensor& parameters) {
    const Objective& objective = schedule(p.stage, p.step);
    if (objective.labels) return objective.generator->force_matching(objective.labels(p), parameters);
    if (objective.forward_share <= 0) return from_model(objective, streams, p, parameters);
    if (objective.forward_share >= 1) return from_data(objective, streams, p, parameters);
    return mixed(from_model(objective, streams, p, parameters), from_data(objective, streams, p, parameters),
                 objective.forward_share);
  };
}

LossFunction training_loss(const Objective& objective, const plan::Key& stream_key) {
  return training_loss([objective](std::int64_t, std::int64_t) -> const Objective& { return objective; }, stream_key);
}

DataSource rows_of(const Tensor& displacements, const plan::Key& stream_key) {
  const tensor::RandomStream stream(stream_key, "train.data");
  return [displacements, stream](const Portion& p) {
    const Tensor uniform = stream.uniform(p.total, p.first, p.count, 1).squeeze(1);
    const Tensor row = (uniform * static_cast<double>(displacements.size(0))).to(at::kLong);
    return displacements.index_select(0, row.clamp_max(displacements.size(0) - 1));
  };
}

}  // namespace bgw::flows
