#pragma once

#include <atomic>
#include <vector>

#include "runtime/crystal/cell.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/neighbour_list.h"
#include "runtime/physics/potential.h"

namespace bgw::physics {

/// Which periodic images of a pair count.
enum class Images { all, nearest };

/// Energies by the vector kernels: eight configurations at once on a neighbour list of the sites; a configuration
/// that has moved so far that the list may miss a pair gets a list of its own positions. Blocks of eight are fixed
/// by the place in the batch and every lane is computed alone, so neither batch nor threads change a number.
class KernelEnergyModel final : public EnergyModel {
 public:
  /// @throws InputError without atoms, for atoms that stand nowhere, and in a cell thinner than a fiftieth of the
  /// cutoff
  KernelEnergyModel(const Potential& potential, std::vector<crystal::Vector3> sites, const crystal::Cell& cell,
                    Images images, const kernels::KernelTable& kernels = kernels::kernels());

  std::int64_t particles() const override { return static_cast<std::int64_t>(sites_.size()); }
  Tensor energy(const Tensor& displacements) const override;
  EnergyAndGradient energy_and_gradient(const Tensor& displacements) const override;
  GradientAndProduct gradient_and_product(const Tensor& displacements, const Tensor& vectors) const override;
  Tensor hessian_sum(const Tensor& displacements) const override;
  Tensor folded_hessian_sum(const Tensor& displacements, const TranslationGroup& group) const override;
  Tensor energy(const Tensor& displacements, const Tensor& deformation) const override;
  EnergyGradientStrain energy_gradient_and_strain(const Tensor& displacements, const Tensor& deformation) const override;
  CallCount calls() const override;

  const Potential& potential() const { return potential_; }
  const NeighbourList& list() const { return list_; }
  /// Configurations so far that needed a list of their own.
  std::int64_t outgrown() const { return outgrown_; }

 private:
  struct Inputs;
  struct Outputs;
  struct LaneRows;
  class Workspace;
  class HessianSum;

  void check_sites() const;
  void check(const Tensor& field, const char* name) const;
  void check_cells(const Tensor& deformation, std::int64_t batch) const;
  void evaluate(std::int64_t batch, const Inputs& inputs, const Outputs& outputs) const;
  void evaluate_block(std::int64_t block, std::int64_t batch, const Inputs& inputs, const Outputs& outputs, Workspace& space) const;
  void evaluate_alone(std::int64_t row, const Inputs& inputs, const Outputs& outputs) const;
  bool is_listed(std::int64_t row, const Inputs& inputs) const;
  void load(const LaneRows& lanes, const Inputs& inputs, Workspace& space) const;
  void store(const LaneRows& lanes, const Inputs& inputs, Workspace& space, const Outputs& outputs) const;
  void store_numbers(std::int64_t row, std::size_t lane, const Inputs& inputs, const Workspace& space, const Outputs& outputs) const;
  void call(const NeighbourList& list, bool deformed, Workspace& space, const Outputs& outputs) const;
  NeighbourList list_at(const double* displacements, const double* deformation) const;
  void add_hessian(const NeighbourList& list, const std::vector<const double*>& configurations, const HessianSum& sum) const;
  void add_hessians(const Tensor& displacements, const HessianSum& sum) const;

  Potential potential_;
  std::vector<crystal::Vector3> sites_;
  crystal::Cell cell_;
  Images images_;
  ListKind kind_;
  const kernels::KernelTable& kernels_;
  NeighbourList list_;
  double tail_energy_;  // of all atoms, in the undeformed cell
  double tail_virial_;  // its pressure times the volume
  mutable std::atomic<std::int64_t> energy_calls_{0}, gradient_calls_{0}, hessian_calls_{0}, outgrown_{0};
};

}  // namespace bgw::physics
