#include <cmath>
#include <fstream>
#include <sstream>

#include "runtime/crystal/lattice_value.h"
#include "runtime/physics/make_energy_model.h"
#include "tests/shared/systems.h"
#include "tests/support/catch.h"

using namespace bgw;
using namespace bgw::testing;

namespace {

schema::Value system_of(const schema::Value& potential, schema::Map lattice, const std::array<int, 3>& repeats) {
  lattice["repeats"] = schema::List{repeats[0], repeats[1], repeats[2]};
  return schema::Map{{"potential", potential}, {"lattice", std::move(lattice)}, {"minimum_image", "strict"}};
}

schema::Value short_lennard_jones() {
  return schema::Map{{"style", "lennard_jones"}, {"epsilon", 1.0}, {"sigma", 1.0}, {"cutoff", 2.2}, {"shift", true}};
}

struct AtRest {
  double energy_per_atom = 0.0, largest_force = 0.0;
};

AtRest at_rest(const schema::Value& system) {
  const auto model = physics::make_energy_model(system);
  const auto found = model->energy_and_gradient(at::zeros({1, model->particles(), 3}, at::kDouble));
  return {found.energy.item<double>() / static_cast<double>(model->particles()), found.gradient.abs().max().item<double>()};
}

schema::Map lattice_of_file(const std::string& text, const std::string& name) {
  schema::Map lattice = crystal::lattice_of_structure(crystal::parse_structure(text, name), name);
  lattice["kind"] = "file";
  return lattice;
}

double lennard_jones(double r) { return 4.0 * (std::pow(r, -12.0) - std::pow(r, -6.0)); }

}  // namespace

TEST_CASE("beta-tin with the height of diamond has its energy", "[lattices]") {
  const schema::Value silicon = stillinger_weber_value(50.003, 2.0951, 21.0);
  const schema::Map diamond{{"kind", "diamond_cubic"}, {"density", 0.0499}};
  const schema::Map tin{{"kind", "beta_tin"}, {"density", 0.0499}, {"c_over_a", std::sqrt(2.0)}, {"delta", 0.0}};
  const AtRest one = at_rest(system_of(silicon, diamond, {2, 2, 2})), other = at_rest(system_of(silicon, tin, {3, 3, 2}));
  CHECK(other.energy_per_atom == Approx(one.energy_per_atom).epsilon(1e-12));
  CHECK(other.largest_force < 1e-9);
}

TEST_CASE("compressed beta-tin is lower in energy when its sites move in the plane", "[lattices]") {
  const schema::Value potential = stillinger_weber_value(6.189, 2.3925, 21.0);
  const auto tin = [&](double c_over_a, double delta) {
    const schema::Map lattice{{"kind", "beta_tin"}, {"density", 0.0405}, {"c_over_a", c_over_a}, {"delta", delta}};
    return at_rest(system_of(potential, lattice, {2, 2, 3})).energy_per_atom;
  };
  CHECK(tin(0.579, 0.0) == Approx(-11.7328).margin(1e-4).epsilon(0));
  CHECK(tin(0.573, 0.066) == Approx(-11.7714).margin(1e-4).epsilon(0));
}

TEST_CASE("the energy of a pair potential is the sum over the shells of the lattice", "[lattices]") {
  for (const char* name : {"fcc", "hcp", "fcc_orthorhombic", "bcc", "diamond_cubic"}) {
    INFO(name);
    const crystal::LatticeKind& kind = *crystal::find_lattice(name);
    double sum = 0.0;
    for (const crystal::Shell& shell : crystal::neighbour_shells(kind, 1.1, 2.2)) sum += 0.5 * shell.count * (lennard_jones(shell.distance) - lennard_jones(2.2));
    const AtRest found = at_rest(system_of(short_lennard_jones(), schema::Map{{"kind", name}, {"density", 1.1}}, {6, 4, 4}));
    CHECK(found.energy_per_atom == Approx(sum).epsilon(1e-12));
    CHECK(found.largest_force < 1e-9);
  }
}

TEST_CASE("a stretched hexagonal packing keeps its density and is higher in energy", "[lattices]") {
  const auto packed = [&](double c_over_a) {
    const schema::Value system = system_of(short_lennard_jones(), schema::Map{{"kind", "hcp"}, {"density", 1.0}, {"c_over_a", c_over_a}}, {5, 3, 3});
    const crystal::Crystal crystal = physics::make_crystal(system);
    CHECK(180.0 / crystal.cell.volume() == Approx(1.0).epsilon(1e-12));
    return at_rest(system).energy_per_atom;
  };
  CHECK(packed(1.75) > packed(std::sqrt(8.0 / 3.0)));
  CHECK(packed(1.55) > packed(std::sqrt(8.0 / 3.0)));
}

TEST_CASE("the primitive cell of a file has the energy of the lattice built in", "[lattices]") {
  const schema::Value silicon = stillinger_weber_value(50.003, 2.0951, 21.0);
  const schema::Map file = lattice_of_file("silicon\n5.43\n0 .5 .5\n.5 0 .5\n.5 .5 0\n2\nDirect\n0 0 0\n.25 .25 .25\n", "POSCAR");
  const schema::Map diamond{{"kind", "diamond_cubic"}, {"density", 8.0 / std::pow(5.43, 3)}};
  const AtRest own = at_rest(system_of(silicon, file, {3, 3, 3})), built_in = at_rest(system_of(silicon, diamond, {2, 2, 2}));
  CHECK(own.energy_per_atom == Approx(built_in.energy_per_atom).epsilon(1e-12));
  CHECK(own.largest_force < 1e-9);
}

TEST_CASE("the clathrate of the examples is at rest and has the energy that LAMMPS minimised", "[lattices]") {
  std::ifstream stream(BGW_SOURCE_DIR "/examples/silicon_clathrate.vasp");
  std::ostringstream text;
  text << stream.rdbuf();
  const AtRest found = at_rest(system_of(stillinger_weber_value(1.0, 2.0951, 21.0), lattice_of_file(text.str(), "clathrate.vasp"), {1, 1, 1}));
  CHECK(found.energy_per_atom == Approx(-4.28703791537212 / 2.16833).epsilon(1e-9));
  CHECK(found.largest_force < 1e-6);
}
