#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/flows/generator.h"
#include "runtime/flows/local_force.h"
#include "runtime/flows/mode_force.h"
#include "runtime/flows/mode_split_gains.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// What makes one mode-split flow differ from another, apart from its parameters.
struct ModeSplitSpec {
  std::int64_t splits = 16;     // L
  std::int64_t look_ahead = 4;  // every k-th split, the first included, looks ahead; 0: none
  std::uint64_t seed = 0;       // of the random halves, which are part of the model
  GainForm gains = GainForm::constant;
  at::ScalarType precision = at::kDouble;  // of the forces: float32 or float64
};

/// The mode-split flow: a bijection of the whitened modes of a crystal made of its own forces.
///
/// y = e^s z. Then for each of L random splits of the modes into halves A and B, and for (C, U) = (A, B), (B, A):
///   u = M h y_C,  F = beta M^T g(u),  y_U <- y_U - (a/L) F_U - [look ahead] (a2/n_look) (F2_U - F_U)
/// with F2 = beta M^T g(u + M d) - d,  d = -lambda (F - h y_C), where y_C is zero in U.
/// Half of the modes moves by a function of the other half, so each step is exactly invertible for any parameters and
/// ln |dy/dz| = sum s exactly. Why it works: each cubic term of the energy is removed by the splits that cut it 2-1;
/// h restores the variance that the field of one half lacks; looking ahead adds the second order. All gains are numbers
/// (mode_split_gains.h), which carry over to other sizes; the halves depend on seed, split and number of modes only.
///
/// g is the gradient of the crystal's energy, or that of a guide, another energy of the same atoms: any g makes a bijection,
/// and the weights tell it from the right one. A guide may leave out what is nearly harmonic, since the force then gets
/// what its mean linear answer lacks (linear_remainder.h). Or F is learned (local_force.h): F(y) = y + M^T f(M y), where f, a
/// network, gives what the Gaussian base leaves of the gradient, so that nothing harmonic mixes. The crystal's energy is then
/// computed once a sample, for its weight. The weights of the network follow the gains in the parameters; force matching
/// moves them alone, all other losses the gains alone, whatever Hessian F has: derivatives need (dF/dy)^T w and no symmetry.
///
/// Forces may be float32: states, energies and weights are float64 still, so that the density is exact for the forces as
/// they are. States are then multiples of 2^-40, which makes the inverse exact bit by bit.
///
/// Derivatives are written out. An additive step y_U' = y_U - t(y_C) has t' in one Hessian-vector product, which comes with
/// the force in one call of the model: scores go forward by it and losses back, (ds, dL)_C = +-(dt/dy_C)^T (s, dL)_U. Samples
/// pass in blocks of a few, each from end to end on one thread, with the states between its steps and nothing else. So
/// neither batch nor threads change a number. Holds references to the target and the guide, which must outlive it.
class ModeSplitFlow {
 public:
  /// @param guide    energy whose forces move the modes; that of the target when null
  /// @param learned  network in place of both, unless null; must outlive the flow
  /// @throws InputError when splits < 1, look_ahead < 0, there are fewer than two modes, or float32 forces are asked of an
  ///         energy that has none
  ModeSplitFlow(const physics::WhitenedTarget& target, const ModeSplitSpec& spec,
                const physics::EnergyModel* guide = nullptr, const LocalForce* learned = nullptr);

  const physics::WhitenedTarget& target() const { return target_; }
  std::int64_t dimension() const { return target_.dimension(); }         // m
  std::int64_t look_ahead_splits() const { return gains_.look_ahead_splits(); }  // n_look
  const ParameterLayout& layout() const { return layout_; }
  /// Where the weights of a learned force are; none of another.
  ParameterRange learned_force() const { return {gains_.layout().size(), layout_.size() - gains_.layout().size()}; }
  /// Start values: what training finds for ices and silicon, so that an untrained flow already is a good one. Theory
  /// gives a = 2/3 and h = sqrt 2 for a cubic crystal. Weights of a network come from the key. [P], float64
  Tensor start(const plan::Key& stream_key = {}) const;

  Tensor forward(const Tensor& z, const Tensor& parameters) const;  // [B, m] -> y [B, m]
  Tensor inverse(const Tensor& y, const Tensor& parameters) const;  // [B, m] -> z [B, m]
  double log_determinant(const Tensor& parameters) const;           // ln |det dy/dz|, the same for all z

  /// Pushes standard normal z [B, m] to configurations.
  Draws generate(const Tensor& z, const Tensor& parameters) const;
  /// The log weights of given configurations [B, N, 3]. Uniform shifts drop out. [B]
  Tensor log_weight_of(const Tensor& displacements, const Tensor& parameters) const;

  /// The loss of a sample and its gradient, each in its own row.
  /// @param z  [B, m] standard normal
  /// @source Roeder, Wu, Duvenaud, NeurIPS 2017; Vaitl, Winkler, Richter, Kessel, ICLR 2024 (the score carried forward)
  SampleLoss reverse_kl(KlGradient gradient, const Tensor& z, const Tensor& parameters) const;
  /// The same of configurations of the crystal. @param displacements [B, N, 3]
  SampleLoss forward_kl(const Tensor& displacements, const Tensor& parameters) const;
  LatentValue latent_work(const Tensor& z, const Tensor& parameters) const;
  /// Half of |M^T f(M y) - F|^2 of each field, and its gradient, in parts. Of a learned force.
  SampleLoss force_matching(const LabelledFields& labels, const Tensor& parameters) const;

  /// Calls so far of energies that the flow has of its own.
  physics::CallCount other_calls() const { return force_ == nullptr ? physics::CallCount{} : force_->other_calls(); }
  bool is_single() const { return spec_.precision == at::kFloat; }
  /// Rows that one thread takes at once.
  std::int64_t rows_at_once() const;

  /// Energy-and-gradient calls of one forward or inverse pass of one sample: 2 L + 2 n_look; none when the force is learned.
  std::int64_t calls_per_sample() const;

  /// The modes of half A of a split, ascending not required; int64 [floor(m/2)].
  Tensor half(std::int64_t split) const;

 private:
  struct Split {
    Tensor order;                    // [m], modes of A, then of B
    std::vector<double> in_half[2];  // [m], 1 for the modes of A, and of B, else 0
  };
  struct Table;  // of the gains of all splits
  class Block;

  Tensor reduced(const Tensor& energy) const;  // beta (U - U0)
  Table table(const Tensor& parameters) const;
  /// Rows of derivatives by the gains, among all parameters: as they are, or their sum where there are others.
  Tensor among_all(const Tensor& by_gains) const;

  const physics::WhitenedTarget& target_;
  std::unique_ptr<const ModeForce> force_;  // that moves the modes; null when it is learned
  const LocalForce* learned_;               // null: none
  ModeSplitSpec spec_;
  ModeSplitGains gains_;
  ParameterLayout layout_;  // of the gains, then of a learned force
  std::vector<Split> splits_;
};

}  // namespace bgw::flows
