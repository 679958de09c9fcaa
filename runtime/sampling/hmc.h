#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/physics/latent_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::sampling {

/// Hybrid Monte Carlo of u_l(y) = |y|^2 / 2 + l D(y) in whitened coordinates with unit masses. A move alternates kicks
/// by -l grad D with exact rotations of (y, p), which are the motion of the harmonic part: a harmonic crystal is
/// sampled without rejection at any angle, and only anharmonicity limits it. Kicks stand at the nodes of Gauss-Lobatto
/// quadrature over the whole turn and have its weights. Since D is small beside |y|^2 / 2, what counts is how well a
/// move integrates the force along the rotation, and for that quadrature has, at the same number of gradients, an error
/// of a higher order than half kicks around equal rotations. docs/decisions/0031-sampling.md has what was measured.
/// @source McLachlan, BIT 35, 258 (1995); Laskar and Robutel, Celest. Mech. Dyn. Astr. 80, 39 (2001)
struct HmcOptions {
  double turn = 1.4;         // radians of a whole move, about: after a quarter turn the momentum has replaced the
                             // position, while after half a turn every even quantity, the energy first, is back
  double first_angle = 0.6;  // radians per rotation, before adaptation
  double smallest_angle = 0.05;
  double largest_angle = 1.4;
  double jitter = 0.2;           // each move and chain takes the angle times a uniform number in 1 -+ jitter
  double acceptance_aim = 0.85;  // of the adaptation
};

/// What independent chains are between two moves. Continuing from it gives, bit by bit, what an uninterrupted run
/// gives.
struct HmcState {
  Tensor positions;              // [C, m]
  Tensor work;                   // [C], D there
  Tensor gradient;               // [C, m], grad D there
  Tensor largest_displacement;   // [C], largest |u_i| of an atom there
  double angle = 0;              // radians per rotation, in the mean of a move
  std::int64_t move = 0;         // moves made; numbers the randoms
  std::int64_t adaptations = 0;  // moves that adapted the angle
  std::int64_t tried = 0;        // chain moves since the last reset of the statistics
  std::int64_t accepted = 0;     // those of them that were accepted

  double acceptance() const;  // 0 before the first move
};

/// Named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const HmcState& state);
HmcState hmc_state_from(const std::map<std::string, Tensor>& named);

/// Many chains at one l, moved together.
class Hmc {
 public:
  /// @param lambda   l, 0 for the Gaussian, 1 for the crystal
  /// @param purpose  sets the chains of one state apart from those of another in the random streams
  /// @param first    number of the first of the chains in the random streams
  Hmc(const physics::LatentTarget& target, double lambda, const HmcOptions& options, const plan::Key& stream_key,
      const std::string& purpose, std::int64_t first = 0);

  /// Chains that start from independent draws of the Gaussian. Where the Gaussian fits badly some lie so far uphill
  /// that no move from there is accepted; these are drawn in toward the sites, where D is zero, until l D is below a
  /// twentieth of the dimension. What chains forget in the moves that are discarded is not changed by it.
  HmcState start(std::int64_t chains) const;
  /// One move of every chain. A trajectory whose energy is not finite is rejected.
  void move(HmcState& state) const { advance(state, false); }
  /// The same, then a change of the angle toward the acceptance aimed at, ever smaller. Only for moves that are
  /// discarded: a chain that adapts is not stationary.
  void move_and_adapt(HmcState& state) const { advance(state, true); }

 private:
  struct Phase {
    Tensor position, momentum, work, gradient, largest_displacement;
  };
  void advance(HmcState& state, bool adapt) const;
  /// Rotations of a move: as many as make the turn.
  std::int64_t rotations(const HmcState& state) const;
  Phase trajectory(const HmcState& state, const Tensor& momentum, const Tensor& angle) const;

  const physics::LatentTarget& target_;
  double lambda_;
  HmcOptions options_;
  plan::Key stream_key_;
  std::string purpose_;
  std::int64_t first_;
};

}  // namespace bgw::sampling
