#pragma once

#include <cstdint>

namespace bgw::physics {

/// beta F / N of a crystal, the one convention of every printed free energy (method.md eq. 2.1):
///   -(1/N) [ln Zc + ln V + (1/2) ln N - 3 N ln Lambda],  Lambda = sigma, n_p = 1.
/// Zc is the configuration integral of labelled sites over the (3N-3)-dimensional subspace without centre-of-mass
/// motion, in orthonormal coordinates. n_p = 1 counts one tagged atom on one site type: lattices with more atoms in the
/// primitive cell have ln(n_p)/N less.
/// @param log_zc  ln Zc, lengths in the unit of `volume` and `sigma`
/// @param n       particles
/// @param volume  of the periodic cell
/// @param sigma   the potential's length, stands for the de Broglie length
double free_energy_per_particle(double log_zc, std::int64_t n, double volume, double sigma);

}  // namespace bgw::physics
