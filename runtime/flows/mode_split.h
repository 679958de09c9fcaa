#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// What makes one mode-split flow differ from another, apart from its five parameters.
struct ModeSplitSpec {
  std::int64_t splits = 16;     // L
  std::int64_t look_ahead = 4;  // every k-th split, the first included, looks ahead; 0: none
  std::uint64_t seed = 0;       // of the random halves, which are part of the model
};

/// The five scalars, in the order in which they lie in a parameter tensor:
/// a   weight of the force;  h   amplification of the conditioning half's field;
/// a2  weight of the look-ahead correction;  lambda  step of the look-ahead;  s0  log of the overall widening
inline constexpr std::array<const char*, 5> kModeSplitParameters = {"a", "h", "a2", "lambda", "s0"};

/// Start values: what training finds for ices and silicon, so that an untrained flow already is a good one. Theory
/// gives a = 2/3 and h = sqrt 2 for a cubic crystal. [5], float64
Tensor mode_split_start();

/// The mode-split flow: a bijection of the whitened modes of a crystal made of its own forces.
///
/// y = e^{s0} z. Then for each of L random splits of the modes into halves A and B, and for (C, U) = (A, B), (B, A):
///   u = h M_C y_C,  F = beta M^T g(u),  y_U <- y_U - (a/L) F_U - [look ahead] (a2/n_look) (F2_U - F_U)
/// with F2_U = beta M_U^T g(u + M_U d_U + M_C d_C) - d_U,  d_U = -lambda F_U,  d_C = -lambda (F_C - h y_C).
/// Half of the modes moves by a function of the other half, so each step is exactly invertible for any parameters and
/// ln |dy/dz| = m s0 exactly. Why it works: each cubic term of the energy is removed by the splits that cut it 2-1;
/// h restores the variance that the field of one half lacks; looking ahead adds the second order.
///
/// A batch of parameters [B, 5] gives each sample its own copy, so that a gradient comes sample by sample and its sum
/// over the batch can be taken in a fixed order; [5] is shared by all. Gradients flow into parameters and inputs when
/// grad mode is on. The halves depend on seed, split and number of modes only; parameters carry over to other sizes.
/// Holds a reference to the target, which must outlive it.
class ModeSplitFlow {
 public:
  /// @throws InputError when splits < 1, look_ahead < 0, or there are fewer than two modes
  ModeSplitFlow(const physics::WhitenedTarget& target, const ModeSplitSpec& spec);

  const physics::WhitenedTarget& target() const { return target_; }
  std::int64_t dimension() const { return target_.dimension(); }         // m
  std::int64_t look_ahead_splits() const { return look_ahead_splits_; }  // n_look

  Tensor forward(const Tensor& z, const Tensor& parameters) const;  // [B, m] -> y [B, m]
  Tensor inverse(const Tensor& y, const Tensor& parameters) const;  // [B, m] -> z [B, m]
  /// ln |det dy/dz| = m s0; [] for parameters [5], [B] for [B, 5].
  Tensor log_determinant(const Tensor& parameters) const;

  /// Energy-and-gradient calls of one forward or inverse pass of one sample: 2 L + 2 n_look.
  std::int64_t calls_per_sample() const;

  /// The modes of half A of a split, ascending not required; int64 [floor(m/2)].
  Tensor half(std::int64_t split) const;

 private:
  struct Split {
    Tensor order;  // [m], modes of A, then of B
    Tensor in_a;   // [m], 1 for the modes of A, else 0
    Tensor in_b;   // [m]
  };
  struct Scalars {
    Tensor a, h, a2, lambda, s0;  // [B, 1] or [1, 1]
  };

  static Scalars scalars(const Tensor& parameters);
  bool looks_ahead(std::int64_t split) const;
  Tensor shift(const Tensor& y, const Tensor& in_c, const Tensor& in_u, const Scalars& p, bool look) const;

  const physics::WhitenedTarget& target_;
  ModeSplitSpec spec_;
  std::int64_t look_ahead_splits_;
  std::vector<Split> splits_;
};

}  // namespace bgw::flows
