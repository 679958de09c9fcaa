#pragma once

#include <memory>

#include "runtime/flows/generator.h"
#include "runtime/flows/step.h"

namespace bgw::flows {

/// ln of the target density at states, and its gradient.
struct TargetValue {
  Tensor energy;       // [B], potential energy
  Tensor log_density;  // [B]
  Tensor gradient;     // [B, rows, 3], d log_density / d state; undefined when not asked for
};

/// What lies on both sides of a chain of steps: how states begin as a base density, and what they are at the end. Base and
/// target density are both booked relative to the Gaussian base of the crystal, so that a chain of no steps on that base
/// has the log weight -D, D as in physics/whitened_target.h.
class Ends {
 public:
  virtual ~Ends() = default;
  virtual const physics::WhitenedTarget& target() const = 0;
  virtual std::int64_t latent_dimension() const = 0;
  virtual std::int64_t auxiliary_dimension() const = 0;

  virtual Tensor state_of_latent(const Tensor& latent) const = 0;  // [B, latent] -> [B, rows, 3]
  /// Gradient of a loss with respect to the latent numbers, from that with respect to the first state.
  virtual Tensor pull_back_to_latent(const Tensor& latent, const Tensor& state_bar) const = 0;
  virtual Tensor log_base(const Tensor& state) const = 0;    // [B], ln q0
  virtual Tensor base_score(const Tensor& state) const = 0;  // d ln q0 / d state

  virtual TargetValue log_target(const Tensor& state, bool with_gradient) const = 0;
  virtual Tensor displacements(const Tensor& state) const = 0;  // [B, N, 3], from the sites
  /// The state of given configurations, completed by auxiliary numbers.
  virtual Tensor state_of(const Tensor& displacements, const Tensor& auxiliary) const = 0;
};

/// A flow of written-out steps between two ends: the losses of all network flows.
class CouplingFlow : public Generator {
 public:
  /// @param type   precision of the networks: float32 or float64
  /// @param chunk  samples that training takes at once
  CouplingFlow(std::unique_ptr<Ends> ends, StepChain steps, ParameterLayout layout, at::ScalarType type,
               std::int64_t chunk);

  const physics::WhitenedTarget& target() const override { return ends_->target(); }
  std::int64_t latent_dimension() const override { return ends_->latent_dimension(); }
  std::int64_t auxiliary_dimension() const override { return ends_->auxiliary_dimension(); }
  const ParameterLayout& layout() const override { return layout_; }
  Tensor start(const plan::Key& stream_key) const override { return layout_.start(stream_key, type_); }
  std::int64_t chunk() const override { return chunk_; }
  const Ends& ends() const { return *ends_; }
  const StepChain& steps() const { return steps_; }

  Draws generate(const Tensor& latent, const Tensor& parameters) const override;
  Tensor log_weight_of(const Tensor& displacements, const Tensor& auxiliary, const Tensor& parameters) const override;
  SampleLoss reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const override;
  SampleLoss forward_kl(const Tensor& displacements, const Tensor& auxiliary, const Tensor& parameters) const override;
  LatentValue latent_work(const Tensor& latent, const Tensor& parameters) const override;

 private:
  std::unique_ptr<Ends> ends_;
  StepChain steps_;
  ParameterLayout layout_;
  at::ScalarType type_;
  std::int64_t chunk_;
};

}  // namespace bgw::flows
