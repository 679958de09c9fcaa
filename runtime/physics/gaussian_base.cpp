#include "runtime/physics/gaussian_base.h"

#include <cmath>
#include <numbers>

#include "runtime/foundation/errors.h"
#include "runtime/physics/canonical_modes.h"
#include "runtime/physics/free_energy.h"
#include "runtime/tensor/array.h"

namespace bgw::physics {

Tensor displacements_from_latents(const GaussianBase& base, const Tensor& latents) {
  if (latents.dim() != 2 || latents.size(1) != base.stiffness.size(0))
    throw ShapeError("latents must have the shape [batch, modes]");
  return at::matmul(latents, base.modes.t()).reshape({latents.size(0), base.sites.size(0), 3});
}

// Columns of M are orthogonal, not normal: kappa M^T is its left inverse. It is blind to translations.
Tensor latents_from_displacements(const GaussianBase& base, const Tensor& displacements) {
  if (displacements.dim() != 3 || displacements.size(1) != base.sites.size(0))
    throw ShapeError("displacements must have the shape [batch, N, 3]");
  return at::matmul(displacements.reshape({displacements.size(0), -1}), base.modes) * base.stiffness;
}

double log_partition(const GaussianBase& base) {
  const double volume = 0.5 * at::log(2.0 * std::numbers::pi / base.stiffness).sum().item<double>();
  return volume - base.beta * base.static_energy;
}

double free_energy_per_particle(const GaussianBase& base, double sigma) {
  return free_energy_per_particle(log_partition(base), base.sites.size(0), base.cell.volume(), sigma);
}

double rms_displacement(const GaussianBase& base) {
  return std::sqrt((base.modes * base.modes).sum().item<double>() / static_cast<double>(base.modes.size(0)));
}

// A stiffness far above all others on the three translations brings them to the end of the spectrum, whatever the
// sign of the rest.
Modes modes_of(const Tensor& matrix) {
  const std::int64_t width = matrix.size(0);
  const std::int64_t n = width / 3;
  const Tensor translations = at::eye(3, at::kDouble).repeat({n, 1}) / std::sqrt(static_cast<double>(n));  // [3N, 3]
  const Tensor inner = matrix - translations.matmul(translations.t().matmul(matrix));
  const Tensor projected = inner - inner.matmul(translations).matmul(translations.t());
  const double bound = projected.abs().sum(1).max().item<double>();
  if (!std::isfinite(bound)) throw NumericalError("the stiffness matrix is not finite");
  const Tensor lifted = 0.5 * (projected + projected.t()) + 4.0 * bound * translations.matmul(translations.t());
  const auto [values, vectors] = at::linalg_eigh(lifted, "L");
  return canonical({vectors.slice(1, 0, width - 3).contiguous(), values.slice(0, 0, width - 3).contiguous()});
}

GaussianBase make_gaussian_base(const Modes& modes, const Tensor& sites, const crystal::Cell& cell,
                                double static_energy, double beta) {
  if (!(modes.stiffness.min().item<double>() > 0.0))
    throw std::logic_error("a Gaussian needs positive stiffness in every mode");
  return {sites, cell, (modes.vectors * at::rsqrt(modes.stiffness)).contiguous(), modes.stiffness, static_energy, beta};
}

void add_to(artifacts::Artifact& artifact, const GaussianBase& base) {
  const auto& h = base.cell.vectors;
  const Tensor cell =
      at::tensor({h[0][0], h[0][1], h[0][2], h[1][0], h[1][1], h[1][2], h[2][0], h[2][1], h[2][2]}, at::kDouble)
          .reshape({3, 3});
  artifact.arrays["sites"] = tensor::to_array(base.sites);
  artifact.arrays["cell"] = tensor::to_array(cell);
  artifact.arrays["modes"] = tensor::to_array(base.modes);
  artifact.arrays["stiffness"] = tensor::to_array(base.stiffness);
  artifact.arrays["static_energy"] = tensor::to_array(at::full({1}, base.static_energy, at::kDouble));
  artifact.attributes["beta"] = base.beta;
}

GaussianBase gaussian_base_from(const artifacts::Artifact& artifact) {
  GaussianBase base;
  base.sites = tensor::to_tensor(artifact.array("sites"));
  base.modes = tensor::to_tensor(artifact.array("modes"));
  base.stiffness = tensor::to_tensor(artifact.array("stiffness"));
  base.static_energy = tensor::to_tensor(artifact.array("static_energy")).item<double>();
  base.beta = artifact.attributes.at("beta").as_double();
  const std::vector<double>& h = artifact.array("cell").doubles;
  for (std::size_t i = 0; i < 3; ++i) base.cell.vectors[i] = {h.at(3 * i), h.at(3 * i + 1), h.at(3 * i + 2)};
  return base;
}

}  // namespace bgw::physics
