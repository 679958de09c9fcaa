#pragma once

#include <vector>

#include "runtime/physics/energy_model.h"
#include "runtime/physics/translation_group.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// Second derivatives of an energy that has the crystal's translations, in real space: how the force on basis atom b of
/// cell 0 answers to basis atom b' of cell g.
struct ForceConstants {
  TranslationGroup group;
  Tensor blocks;  // [n_b, 3, cells, n_b, 3], float64
};

/// Mean over the batch of the model's Hessians, averaged over the translations. [B, N, 3] -> force constants with the
/// model's units
ForceConstants mean_force_constants(const EnergyModel& model, const TranslationGroup& group,
                                    const Tensor& displacements);

/// A dense matrix [3N, 3N] averaged over the translations, as blocks.
Tensor folded(const Tensor& matrix, const TranslationGroup& group);
/// The dense matrix of the blocks.
Tensor unfolded(const ForceConstants& constants);

/// A field [N, 3] averaged over the translations: each basis atom has one vector.
Tensor averaged(const Tensor& field, const TranslationGroup& group);

/// The mean of the blocks and of those with the two atoms exchanged, which a second derivative equals.
ForceConstants exchange_symmetric(const ForceConstants& constants);

/// A symmetry operation of the crystal in its box: r -> rotation r + shift carries atom i to image[i].
struct PointOperation {
  Tensor rotation;                  // [3, 3]
  std::vector<std::int32_t> image;  // [N]
};
ForceConstants symmetrised(const ForceConstants& constants, const std::vector<PointOperation>& operations);
/// The same for a field [N, 3].
Tensor symmetrised(const Tensor& field, const std::vector<PointOperation>& operations);

/// Vibrations at the wave vectors of the group: for each of `wave_vectors` the eigenvectors of
/// D(k) = sum_g Phi(g) exp(2 pi i k.g), without the three uniform translations of k = 0. Where the eigenvalues leave a
/// choice (the phase of a lone vector, the basis of a degenerate set) fixed random directions make it, so the vectors
/// are a continuous function of the force constants and do not hang on the eigensolver's last bit. Eigenvalues within
/// a relative 1e-8 of their neighbour count as degenerate and get their mean.
struct Spectrum {
  TranslationGroup group;
  std::vector<WaveVector> waves;
  std::vector<Tensor> vectors;    // [3 n_b, bands], orthonormal columns; float64 where k = -k, else complex128
  std::vector<Tensor> stiffness;  // [bands], ascending; negative for imaginary modes
};
/// @throws NumericalError when the force constants are not finite
Spectrum spectrum_of(const ForceConstants& constants);

/// One value for each real mode, in the order of ModeTransform: the bands of a pair k, -k count twice.
Tensor of_modes(const Spectrum& spectrum, const std::vector<Tensor>& of_bands);

/// Matrix elements e^H D(k) e of other force constants in the modes of a spectrum, band by band.
std::vector<Tensor> in_modes(const Spectrum& spectrum, const ForceConstants& constants);

}  // namespace bgw::physics
