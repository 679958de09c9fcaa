#include "runtime/physics/make_energy_model.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "runtime/crystal/lattice_value.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/kernel_energy_model.h"
#include "runtime/physics/quadratic_energy_model.h"

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

bool is_of_springs(const schema::Value& system) {
  const std::string style = system.at("potential").string_or("style", "");
  return style == "einstein" || style == "harmonic";
}

double positive(const schema::Value& potential, const char* name) {
  const double x = potential.at(name).as_double();
  if (!(x > 0.0) || !std::isfinite(x))
    throw InputError(fmt::format("potential: {} must be a positive number, got {:g}", name, x));
  return x;
}

std::unique_ptr<EnergyModel> make_springs(const schema::Value& potential, const std::vector<crystal::Vector3>& sites,
                                          const crystal::Cell& cell) {
  const double spring = positive(potential, "spring");
  if (potential.at("style").as_string() == "einstein")
    return std::make_unique<EinsteinEnergyModel>(spring, static_cast<std::int64_t>(sites.size()));
  return std::make_unique<HarmonicEnergyModel>(spring, positive(potential, "cutoff"), sites, cell);
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
  if (!is_of_springs(system)) {
    const double cutoff = make_potential(system.at("potential")).cutoff;
    if (is_small(crystal.cell, cutoff) && !is_compatible(system)) {
      const crystal::Vector3 h = crystal.cell.heights();
      throw InputError(
          fmt::format("the cell {:.4g} x {:.4g} x {:.4g} is smaller than twice the cutoff {:.4g}; take more atoms, or "
                      "write minimum_image = compatible",
                      h[0], h[1], h[2], cutoff));
    }
  }
  return make_energy_model(system, crystal.sites, crystal.cell);
}

std::unique_ptr<EnergyModel> make_energy_model(const schema::Value& system, const std::vector<crystal::Vector3>& sites,
                                               const crystal::Cell& cell, const PotentialForm& form) {
  if (is_of_springs(system)) return make_springs(system.at("potential"), sites, cell);
  const Potential potential = make_potential(system.at("potential"), form);
  return std::make_unique<KernelEnergyModel>(potential, sites, cell, images_for(system, cell, potential.cutoff));
}

}  // namespace bgw::physics
