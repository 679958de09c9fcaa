#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/crystal/cell.h"

namespace bgw::physics {

/// The pure translations of a periodic crystal, and what they make of its atoms: `cells` copies of `basis` atoms. The
/// translations modulo the box are a finite Abelian group, a product of three cyclic groups, for any crystal in any box
/// that holds it: a cubic box of diamond with edge L gives L x 2L x 2L. So a discrete Fourier transform of three axes
/// serves them all; a crystal without symmetry is one cell.
struct TranslationGroup {
  std::array<std::int64_t, 3> periods{1, 1, 1};
  std::array<crystal::Vector3, 3> steps{};  // Cartesian generators; steps[k] * periods[k] leads to a periodic image
  std::int64_t basis = 0;                   // atoms in a primitive cell, n_b
  std::vector<std::int32_t> atoms;          // [cells][basis], the atom of each place
  std::vector<std::int32_t> cell_of;        // [N], (g0 periods[1] + g1) periods[2] + g2
  std::vector<std::int32_t> basis_of;       // [N]

  std::int64_t cells() const { return periods[0] * periods[1] * periods[2]; }
  std::int64_t particles() const { return static_cast<std::int64_t>(atoms.size()); }
  /// The cell that is seen from `from` where `to` stands.
  std::int64_t difference(std::int64_t to, std::int64_t from) const;
};

/// Every atom by itself: one cell.
TranslationGroup no_translations(std::int64_t particles, const crystal::Cell& cell);

/// All translations that map the sites onto themselves, to within 1e-5 of the mean distance of atoms. Geometric: what
/// the lattice is called and in which order its sites stand does not matter.
TranslationGroup translations_of(const std::vector<crystal::Vector3>& sites, const crystal::Cell& cell);

/// A group from the numbers that a file keeps; it has no `steps`, which only translations_of finds.
/// @param atoms  [cells * basis]
/// @throws InputError when they contradict each other
TranslationGroup translation_group(const std::array<std::int64_t, 3>& periods, const std::vector<std::int64_t>& atoms);

/// The wave vectors of a group of translations of which each stands for itself and its opposite: k = (k0, k1, k2) is
/// the phase factor exp(2 pi i sum k_a g_a / periods[a]). They come in the order of k0, k1, k2 with k2 <= periods[2] / 2,
/// the first of k and -k.
struct WaveVector {
  std::array<std::int64_t, 3> index{};
  bool real = false;  // k = -k: all phase factors are 1 or -1
};
std::vector<WaveVector> wave_vectors(const std::array<std::int64_t, 3>& periods);

}  // namespace bgw::physics
