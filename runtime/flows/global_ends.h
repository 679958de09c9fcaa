#pragma once

#include "runtime/crystal/cell.h"
#include "runtime/flows/coupling_flow.h"
#include "runtime/flows/truncated_noise.h"

namespace bgw::flows {

/// The ends of a flow on the positions of N - 1 atoms relative to atom 0, in units of the cell vectors: states
/// [B, N - 1, 3] on the unit torus, atom 0 at its corner. The base is truncated noise around the sites relative to the
/// site of atom 0, cut at half the smallest distance of sites (images counted), so that the balls of two sites are apart.
///
/// Booking. Positions r_i = R_i + t + u_i with sum u_i = 0 have d^3N r = N^(3/2) d^3 t d^(3N-3) u in an orthonormal basis
/// of the u, and d^3N r = d^3 r_0 d^(3N-3) v for v_i = u_i - u_0. So ln Zc = ln int exp(-beta U) dv - (3/2) ln N, which is
/// what log_target books beside ln Zc of the crystal's Gaussian; base and target are densities of v, and the constant
/// Jacobian of the units drops out.
///
/// The published flow also permutes its N - 1 atoms and shifts all by a uniform vector, with -ln (N-1)! and -ln V in its
/// density. Neither is done here. The network treats the rows alike, so the flow carries permuted noise to the permuted
/// image of unpermuted noise. The balls of the base are apart, and the flow is a bijection: those images are apart, too,
/// and the density of the published mixture at a point is 1/(N-1)! of that of the one labelled base which reaches it.
/// The same (N-1)! counts the labelled arrangements of the crystal, and V the places of atom 0; energy and network see
/// neither, and in the log weight they cancel.
class GlobalEnds : public Ends {
 public:
  /// @param target  must outlive this object; its modes are those of an einstein_crystal, whose width is the noise's
  /// @param sites   [N, 3] Cartesian, about which displacements count
  /// @throws InputError for another base, fewer than two atoms, or a cell too flat for the balls
  GlobalEnds(const physics::WhitenedTarget& target, const Tensor& sites, const crystal::Cell& cell);

  const physics::WhitenedTarget& target() const override { return target_; }
  std::int64_t latent_dimension() const override { return 3 * (target_.particles() - 1); }
  std::int64_t auxiliary_dimension() const override { return 0; }

  Tensor state_of_latent(const Tensor& latent) const override;
  Tensor pull_back_to_latent(const Tensor& latent, const Tensor& state_bar) const override;
  Tensor log_base(const Tensor& state) const override;  // minus infinity where an atom left its ball
  Tensor base_score(const Tensor& state) const override;

  TargetValue log_target(const Tensor& state, bool with_gradient) const override;
  /// From the nearest image of each site, mean removed: exact for the energy, wherever an atom went.
  Tensor displacements(const Tensor& state) const override;
  Tensor state_of(const Tensor& displacements, const Tensor& auxiliary) const override;
  const TruncatedNoise& noise() const { return noise_; }

 private:
  Tensor state_of_relative(const Tensor& relative) const;  // [B, N - 1, 3], u_i - u_0, in lengths
  Tensor relative_of(const Tensor& state) const;

  const physics::WhitenedTarget& target_;
  Tensor cell_, inverse_cell_;  // [3, 3], rows are the cell vectors; relative @ inverse_cell is in units of them
  Tensor sites_;                // [N - 1, 3], relative to that of atom 0, in units of the cell vectors
  TruncatedNoise noise_;
  double log_constant_;         // of ln target
};

}  // namespace bgw::flows
