#pragma once

#include "runtime/flows/generator.h"
#include "runtime/physics/latent_target.h"

namespace bgw::flows {

/// A crystal seen through a flow: the latent numbers are the coordinates, the flow's own density is N(0, I) in them, and D is
/// minus the log weight. Samplers that go from the Gaussian to the crystal then go from the flow to the crystal ("escorted"),
/// and the mean of exp(log weight) of what is annealed is that of the flow's own draws, with the same constants.
///
/// A gradient pulls the crystal's force back through all of the flow, and costs a few passes of it.
/// Holds a reference to the flow, which must outlive it.
/// @source Matthews, Arbel, Rezende, Doucet, ICML 2022 (flows with annealing); Vaikuntanathan, Jarzynski, Phys. Rev. Lett. 100,
///         190601 (2008) (escorted)
class GeneratorTarget : public physics::LatentTarget {
 public:
  GeneratorTarget(const Generator& generator, Tensor parameters)
      : generator_(generator), parameters_(std::move(parameters)) {}

  std::int64_t dimension() const override { return generator_.latent_dimension(); }
  /// In chunks of the flow, side by side on all threads, with interludes (foundation/interlude.h): memory and the time to a stop
  /// do not grow with the batch.
  physics::WhitenedValue evaluate(const Tensor& y) const override;
  /// By the flow, with an energy call each.
  physics::Configurations configurations(const Tensor& y, const Tensor& work) const override;

 private:
  const Generator& generator_;
  Tensor parameters_;
};

}  // namespace bgw::flows
