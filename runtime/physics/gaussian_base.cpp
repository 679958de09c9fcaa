#include "runtime/physics/gaussian_base.h"

#include <cmath>
#include <numbers>

#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/tensor/array.h"

namespace bgw::physics {
namespace {

/// Orthonormal vectors of the relative motion of n_b atoms, [3 n_b, 3 n_b - 3] (Helmert): atom j against the mean of
/// those before it.
Tensor relative_motions(std::int64_t basis) {
  Tensor vectors = at::zeros({3 * basis, 3 * basis - 3}, at::kDouble);
  for (std::int64_t j = 1; j < basis; ++j) {
    const double norm = 1.0 / std::sqrt(static_cast<double>(j * (j + 1)));
    for (std::int64_t c = 0; c < 3; ++c) {
      Tensor column = vectors.select(1, 3 * (j - 1) + c);
      for (std::int64_t b = 0; b < j; ++b) column[3 * b + c] = norm;
      column[3 * j + c] = -static_cast<double>(j) * norm;
    }
  }
  return vectors;
}

std::vector<std::int64_t> columns_of(const TranslationGroup& group) {
  std::vector<std::int64_t> columns(wave_vectors(group.periods).size(), 3 * group.basis);
  columns.front() -= 3;
  return columns;
}

}  // namespace

Tensor displacements_from_latents(const GaussianBase& base, const Tensor& latents) {
  return base.modes->displacements(latents);
}

// Columns of M are orthogonal, not normal: kappa M^T is its left inverse. It is blind to translations.
Tensor latents_from_displacements(const GaussianBase& base, const Tensor& displacements) {
  if (displacements.dim() != 3 || displacements.size(1) != base.sites.size(0))
    throw ShapeError("displacements must have the shape [batch, N, 3]");
  return base.modes->pull_back(displacements) / base.modes->squared_norms();
}

double log_partition(const GaussianBase& base) {
  const double volume = 0.5 * at::log(2.0 * std::numbers::pi / base.stiffness).sum().item<double>();
  return volume - base.beta * base.static_energy;
}

double free_energy_per_particle(const GaussianBase& base, double sigma) {
  return free_energy_per_particle(log_partition(base), base.sites.size(0), base.cell.volume(), sigma);
}

double rms_displacement(const GaussianBase& base) {
  const auto width = static_cast<double>(3 * base.modes->particles());
  return std::sqrt(base.modes->squared_norms().sum().item<double>() / width);
}

GaussianBase make_gaussian_base(const Spectrum& spectrum, const Tensor& constants, const Tensor& sites,
                                const crystal::Cell& cell, double static_energy, double beta) {
  const Tensor stiffness = of_modes(spectrum, spectrum.stiffness);
  if (!(stiffness.min().item<double>() > 0.0))
    throw std::logic_error("a Gaussian needs positive stiffness in every mode");
  std::vector<Tensor> blocks;
  for (std::size_t n = 0; n < spectrum.vectors.size(); ++n)
    blocks.push_back(spectrum.vectors[n] * at::rsqrt(spectrum.stiffness[n]));
  return {sites,     cell,          std::make_shared<ModeTransform>(spectrum.group, blocks),
          stiffness, constants,     static_energy,
          beta};
}

GaussianBase einstein_base(const TranslationGroup& group, const Tensor& sites, const crystal::Cell& cell,
                           double static_energy, double beta, double width) {
  const double stiffness = 1.0 / (width * width);
  const std::int64_t n = 3 * group.basis;
  Spectrum spectrum{group, wave_vectors(group.periods), {}, {}};
  for (const WaveVector& wave : spectrum.waves) {
    const Tensor all = at::eye(n, at::kDouble);
    const bool uniform = spectrum.vectors.empty();
    spectrum.vectors.push_back(uniform ? relative_motions(group.basis) : wave.real ? all : all.to(at::kComplexDouble));
    spectrum.stiffness.push_back(at::full({uniform ? n - 3 : n}, stiffness, at::kDouble));
  }
  // K = (1 - 1/N) / width^2: the share of the centre of mass couples all atoms alike.
  const double coupling = -stiffness / beta / static_cast<double>(group.particles());
  Tensor constants = (coupling * at::eye(3, at::kDouble))
                         .reshape({1, 3, 1, 1, 3})
                         .expand({group.basis, 3, group.cells(), group.basis, 3})
                         .clone();
  for (std::int64_t b = 0; b < group.basis; ++b)
    constants.select(0, b).select(1, 0).select(1, b).add_(stiffness / beta * at::eye(3, at::kDouble));
  return make_gaussian_base(spectrum, constants, sites, cell, static_energy, beta);
}

void add_to(artifacts::Artifact& artifact, const GaussianBase& base) {
  const auto& h = base.cell.vectors;
  const TranslationGroup& group = base.modes->group();
  const Tensor cell =
      at::tensor({h[0][0], h[0][1], h[0][2], h[1][0], h[1][1], h[1][2], h[2][0], h[2][1], h[2][2]}, at::kDouble)
          .reshape({3, 3});
  Tensor atoms = at::empty({group.cells(), group.basis}, at::kLong);
  std::copy(group.atoms.begin(), group.atoms.end(), atoms.data_ptr<std::int64_t>());
  artifact.arrays["sites"] = tensor::to_array(base.sites);
  artifact.arrays["cell"] = tensor::to_array(cell);
  artifact.arrays["periods"] =
      tensor::to_array(at::tensor({group.periods[0], group.periods[1], group.periods[2]}, at::kLong));
  artifact.arrays["atoms"] = tensor::to_array(atoms);
  artifact.arrays["mode_blocks"] = tensor::to_array(base.modes->numbers());
  artifact.arrays["stiffness"] = tensor::to_array(base.stiffness);
  artifact.arrays["force_constants"] = tensor::to_array(base.force_constants);
  artifact.arrays["static_energy"] = tensor::to_array(at::full({1}, base.static_energy, at::kDouble));
  artifact.attributes["beta"] = base.beta;
}

GaussianBase gaussian_base_from(const artifacts::Artifact& artifact) {
  GaussianBase base;
  base.sites = tensor::to_tensor(artifact.array("sites"));
  const std::vector<std::int64_t>& d = artifact.array("periods").integers;
  const TranslationGroup group =
      translation_group({d.at(0), d.at(1), d.at(2)}, artifact.array("atoms").integers);
  base.modes =
      std::make_shared<ModeTransform>(group, columns_of(group), tensor::to_tensor(artifact.array("mode_blocks")));
  base.stiffness = tensor::to_tensor(artifact.array("stiffness"));
  base.force_constants = tensor::to_tensor(artifact.array("force_constants"));
  base.static_energy = tensor::to_tensor(artifact.array("static_energy")).item<double>();
  base.beta = artifact.attributes.at("beta").as_double();
  const std::vector<double>& h = artifact.array("cell").doubles;
  for (std::size_t i = 0; i < 3; ++i) base.cell.vectors[i] = {h.at(3 * i), h.at(3 * i + 1), h.at(3 * i + 2)};
  return base;
}

}  // namespace bgw::physics
