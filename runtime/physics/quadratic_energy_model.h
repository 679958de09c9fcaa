#pragma once

#include <atomic>
#include <vector>

#include "runtime/crystal/cell.h"
#include "runtime/physics/energy_model.h"

namespace bgw::physics {

/// An energy that is a square of the displacements, so that every free energy and every average of it is known: what
/// tests of bases, samplers and estimators stand on. Derived classes compute one configuration; the batch is worked on
/// in parallel, each configuration alone.
class QuadraticEnergyModel : public EnergyModel {
 public:
  std::int64_t particles() const override { return particles_; }
  Tensor energy(const Tensor& displacements) const override;
  EnergyAndGradient energy_and_gradient(const Tensor& displacements) const override;
  GradientAndProduct gradient_and_product(const Tensor& displacements, const Tensor& vectors) const override;
  Tensor hessian_sum(const Tensor& displacements) const override;
  Tensor energy(const Tensor& displacements, const Tensor& deformation) const override;
  EnergyGradientStrain energy_gradient_and_strain(const Tensor& displacements,
                                                  const Tensor& deformation) const override;
  CallCount calls() const override { return {energy_calls_, gradient_calls_, hessian_calls_}; }

 protected:
  explicit QuadraticEnergyModel(std::int64_t particles) : particles_(particles) {}

  /// The energy of u [N, 3] in the crystal deformed by f; adds its gradient [N, 3] and strain gradient [9] where they
  /// are not null.
  virtual double evaluate(const double* u, const crystal::Matrix3& f, double* gradient, double* strain) const = 0;

 private:
  struct Results;
  void evaluate_batch(const Tensor& u, const Tensor* deformation, const Results& results) const;
  void check(const Tensor& field, const char* name) const;

  std::int64_t particles_;
  mutable std::atomic<std::int64_t> energy_calls_{0}, gradient_calls_{0}, hessian_calls_{0};
};

/// Every atom on a spring of its own, U = spring/2 sum |F (u_i - mean u)|^2: the centre of mass is free, and sites go
/// with the cell, so that a deformation without displacements costs nothing.
class EinsteinEnergyModel final : public QuadraticEnergyModel {
 public:
  /// @param spring eV/angstrom^2
  EinsteinEnergyModel(double spring, std::int64_t particles) : QuadraticEnergyModel(particles), spring_(spring) {}

 private:
  double evaluate(const double* u, const crystal::Matrix3& f, double* gradient, double* strain) const override;

  double spring_;
};

/// Central springs between all sites up to a distance, periodic images included, in the harmonic limit:
/// U = spring/2 sum_pairs (n . (F (d + u_j - u_i) - d))^2, with d the separation of the sites, n its direction.
/// Quadratic in the displacements, and together with them in the deformation: the crystal rests at its own sites in its
/// own cell.
class HarmonicEnergyModel final : public QuadraticEnergyModel {
 public:
  /// @param spring eV/angstrom^2
  /// @param cutoff angstrom, included
  /// @throws InputError where no two sites are so near
  HarmonicEnergyModel(double spring, double cutoff, const std::vector<crystal::Vector3>& sites,
                      const crystal::Cell& cell);

 private:
  struct Spring {
    std::int32_t i, j;
    crystal::Vector3 separation, direction;
  };
  double evaluate(const double* u, const crystal::Matrix3& f, double* gradient, double* strain) const override;

  double spring_;
  std::vector<Spring> springs_;
};

}  // namespace bgw::physics
