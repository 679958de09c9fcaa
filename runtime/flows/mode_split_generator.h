#pragma once

#include <memory>

#include "runtime/flows/generator.h"
#include "runtime/flows/mode_split.h"

namespace bgw::flows {

/// The mode-split flow behind the doorway of all flows.
class ModeSplitGenerator : public Generator {
 public:
  /// @param guide    energy whose forces move the modes; that of the target when null
  /// @param learned  network in place of both, unless null
  /// @throws InputError as ModeSplitFlow does
  ModeSplitGenerator(const physics::WhitenedTarget& target, const ModeSplitSpec& spec,
                     std::unique_ptr<const physics::EnergyModel> guide = nullptr,
                     std::shared_ptr<const LocalForce> learned = nullptr);

  const physics::WhitenedTarget& target() const override { return flow_.target(); }
  std::int64_t latent_dimension() const override { return flow_.dimension(); }
  const ParameterLayout& layout() const override { return flow_.layout(); }
  Tensor start(const plan::Key& stream_key) const override { return flow_.start(stream_key); }
  std::int64_t chunk() const override;
  std::int64_t calls_per_sample() const override { return flow_.calls_per_sample(); }
  physics::CallCount other_calls() const override;

  Draws generate(const Tensor& latent, const Tensor& parameters) const override;
  Tensor log_weight_of(const Tensor& displacements, const Tensor& auxiliary, const Tensor& parameters) const override;
  SampleLoss reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const override;
  SampleLoss forward_kl(const Tensor& displacements, const Tensor& auxiliary, const Tensor& parameters) const override;
  LatentValue latent_work(const Tensor& latent, const Tensor& parameters) const override;
  ParameterRange learned_force() const override { return flow_.learned_force(); }
  SampleLoss force_matching(const LabelledFields& labels, const Tensor& parameters) const override {
    return flow_.force_matching(labels, parameters);
  }

 private:
  std::unique_ptr<const physics::EnergyModel> guide_;
  std::shared_ptr<const LocalForce> learned_;
  ModeSplitFlow flow_;
};

/// The Gaussian base as a flow without parameters, which moves nothing.
class GaussianGenerator : public Generator {
 public:
  explicit GaussianGenerator(const physics::WhitenedTarget& target) : target_(target) {}

  const physics::WhitenedTarget& target() const override { return target_; }
  std::int64_t latent_dimension() const override { return target_.dimension(); }
  const ParameterLayout& layout() const override { return layout_; }
  Tensor start(const plan::Key&) const override { return at::empty({0}, at::kDouble); }
  std::int64_t chunk() const override;

  Draws generate(const Tensor& latent, const Tensor& parameters) const override;
  Tensor log_weight_of(const Tensor& displacements, const Tensor& auxiliary, const Tensor& parameters) const override;
  SampleLoss reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const override;
  SampleLoss forward_kl(const Tensor& displacements, const Tensor& auxiliary, const Tensor& parameters) const override;
  LatentValue latent_work(const Tensor& latent, const Tensor& parameters) const override;

 private:
  const physics::WhitenedTarget& target_;
  ParameterLayout layout_;
};

}  // namespace bgw::flows
