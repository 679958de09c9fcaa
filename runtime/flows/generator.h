#pragma once

#include <cstdint>
#include <stdexcept>

#include "compiler/plan/plan.h"
#include "runtime/flows/parameter_layout.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// Configurations drawn from a generator, with the weights that make them exact.
struct Draws {
  Tensor displacements;  // [B, N, 3], from the sites of the base
  Tensor energy;         // [B]
  Tensor log_weight;     // [B], ln target - ln model, so that with ln Zc of the Gaussian base
                         //      ln Zc(target) = sum ln(2 pi / kappa) / 2 - beta U0 + ln mean exp(log_weight)
};

/// How the gradient of the reverse Kullback-Leibler divergence is taken. Both have the same mean.
enum class KlGradient {
  path,  // through the sample only, dropping the score, whose mean is zero: no noise at the optimum, costs more
  total  // of beta U(f(z)) - ln |df/dz|, as it stands
};

/// A batch's share of a loss. The loss of a sample is -log_weight.
struct SampleLoss {
  Tensor log_weight;  // [B], ln target - ln model of samples of the model, ln model - ln target of samples of the
                      //      crystal, with the constants of Draws
  Tensor gradient;    // [R, P], dloss/dparameters, in R parts of the batch: their sum is that of all samples
  std::int64_t outside = 0;  // samples of the crystal where the model has no density: left out of both
};

/// Fields of a crystal with the true force on them.
struct LabelledFields {
  Tensor modes;  // [B, m], y, of the field M y
  Tensor force;  // [B, m], M^T beta g(M y) - y, what the Gaussian base leaves of the gradient
};

/// D and its gradient where a generator's latent numbers are the coordinates: -log_weight = |z|^2/2 + ... beyond N(0, I).
struct LatentValue {
  Tensor work;                  // [B], minus the log weight
  Tensor gradient;              // [B, latent_dimension]
  Tensor largest_displacement;  // [B], largest |u_i| of an atom
};

/// A flow on its Gaussian: standard normal numbers in, weighted configurations of a crystal out, and back. All tensors
/// are float64 on the CPU but for the parameters, whose type is the precision of the flow's networks. A sample's numbers
/// do not depend on the others of its batch; sums over a batch are taken over chunks of `chunk()` samples.
class Generator {
 public:
  virtual ~Generator() = default;

  virtual const physics::WhitenedTarget& target() const = 0;
  virtual std::int64_t latent_dimension() const = 0;  // standard normal numbers behind a sample
  /// Standard normal numbers that complete a configuration to what the flow acts on: those of the auxiliary copies.
  virtual std::int64_t auxiliary_dimension() const { return 0; }
  virtual const ParameterLayout& layout() const = 0;
  virtual Tensor start(const plan::Key& stream_key) const = 0;  // [P]
  /// Samples that training takes at once, a constant of the flow and the crystal.
  virtual std::int64_t chunk() const = 0;
  /// Energy-and-gradient calls of a drawn sample beside the energy of the result.
  virtual std::int64_t calls_per_sample() const { return 0; }

  /// Calls so far of energies of the flow's own, beside those of `target().model()`.
  virtual physics::CallCount other_calls() const { return {}; }

  /// @param latent [B, latent_dimension]
  virtual Draws generate(const Tensor& latent, const Tensor& parameters) const = 0;
  /// The log weight of given configurations, by the inverse flow: the number that `generate` gives for the latent numbers
  /// they come from. Uniform shifts of a configuration drop out.
  /// @param displacements [B, N, 3], from the sites of the base
  /// @param auxiliary     [B, auxiliary_dimension]
  virtual Tensor log_weight_of(const Tensor& displacements, const Tensor& auxiliary,
                               const Tensor& parameters) const = 0;

  /// Of the model from the crystal: samples from the model.
  virtual SampleLoss reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const = 0;
  /// Of the crystal from the model: samples from the crystal. The gradient is that of -ln q. Where the model has no density
  /// nothing can be learned of a sample, and it is left out.
  virtual SampleLoss forward_kl(const Tensor& displacements, const Tensor& auxiliary,
                                const Tensor& parameters) const = 0;
  /// For moves in the latent space.
  virtual LatentValue latent_work(const Tensor& latent, const Tensor& parameters) const = 0;

  /// Parameters of a learned force: force matching moves them and no others, all other losses move the others.
  virtual ParameterRange learned_force() const { return {layout().size(), 0}; }
  /// How far a learned force is from the true one: the loss of a sample is half the squared error in whitened modes, kT.
  /// @throws std::logic_error for a flow that learns no force
  virtual SampleLoss force_matching(const LabelledFields&, const Tensor&) const {
    throw std::logic_error("this flow learns no force");
  }
};

}  // namespace bgw::flows
