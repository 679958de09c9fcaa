#pragma once

#include <memory>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/crystal/lattice.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/potential.h"

namespace bgw::physics {

/// The perfect crystal of a system value (docs/tasks.md).
crystal::Crystal make_crystal(const schema::Value& system);

/// The energy of a system around its perfect lattice sites: einstein and harmonic crystals by their springs, all others by
/// the vector kernels.
/// @throws InputError when the cell is smaller than twice the cutoff and `minimum_image` is not "compatible"
std::unique_ptr<EnergyModel> make_energy_model(const schema::Value& system);

/// The same potential around other sites: relaxed ones, or any structure (displacements zero). In a cell smaller than
/// twice the cutoff all periodic images count, unless `minimum_image` is "compatible". Springs stay those of the sites
/// given.
/// @param form training forms and soft cores; einstein and harmonic crystals have none
std::unique_ptr<EnergyModel> make_energy_model(const schema::Value& system, const std::vector<crystal::Vector3>& sites,
                                               const crystal::Cell& cell, const PotentialForm& form = {});

}  // namespace bgw::physics
