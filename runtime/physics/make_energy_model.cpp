#include "runtime/physics/make_energy_model.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/crystal/lattice_value.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/kernel_energy_model.h"

namespace bgw::physics {
namespace {

bool is_small(const crystal::Cell& cell, double cutoff) {
  const crystal::Vector3 heights = cell.heights();
  return *std::min_element(heights.begin(), heights.end()) < 2.0 * cutoff;
}

bool is_compatible(const schema::Value& system) { return system.string_or("minimum_image", "strict") == "compatible"; }

/// Where the box holds the cutoff sphere both definitions agree, and the list of all images is quicker.
Images images_for(const schema::Value& system, const crystal::Cell& cell, double cutoff) {
  return is_compatible(system) && is_small(cell, cutoff) ? Images::nearest : Images::all;
}

}  // namespace

crystal::Crystal make_crystal(const schema::Value& system) {
  const schema::Value& lattice = system.at("lattice");
  const schema::List& repeats = lattice.at("repeats").as_list();
  if (repeats.size() != 3) throw InputError("repeats of a lattice are three integers");
  return crystal::make_crystal(crystal::kind_of(lattice),
                               {static_cast<int>(repeats[0].as_int()), static_cast<int>(repeats[1].as_int()),
                                static_cast<int>(repeats[2].as_int())},
                               lattice.at("density").as_double());
}

std::unique_ptr<EnergyModel> make_energy_model(const schema::Value& system) {
  const crystal::Crystal crystal = make_crystal(system);
  const Potential potential = make_potential(system.at("potential"));
  if (is_small(crystal.cell, potential.cutoff) && !is_compatible(system)) {
    const crystal::Vector3 h = crystal.cell.heights();
    throw InputError(
        fmt::format("the cell {:.4g} x {:.4g} x {:.4g} is smaller than twice the cutoff {:.4g}; take more atoms, or "
                    "write minimum_image = compatible",
                    h[0], h[1], h[2], potential.cutoff));
  }
  return std::make_unique<KernelEnergyModel>(potential, crystal.sites, crystal.cell,
                                             images_for(system, crystal.cell, potential.cutoff));
}

std::unique_ptr<EnergyModel> make_energy_model(const schema::Value& system, const std::vector<crystal::Vector3>& sites,
                                               const crystal::Cell& cell) {
  const Potential potential = make_potential(system.at("potential"));
  return std::make_unique<KernelEnergyModel>(potential, sites, cell, images_for(system, cell, potential.cutoff));
}

}  // namespace bgw::physics
