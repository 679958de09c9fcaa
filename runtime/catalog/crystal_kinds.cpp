#include "runtime/catalog/kinds.h"
#include "runtime/catalog/lattice_checks.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::Attribute;
using schema::KindSchema;
using schema::Type;
using schema::TypeKind;

constexpr double kLargestPower = 64.0;  // of the kernels, which multiply
constexpr double kMostAtoms = 1e7;

/// Four numbers of Molinero and Moore (2009) vary; the others are Stillinger and Weber (1985).
KindSchema potential() {
  const std::vector<std::string> sw{"stillinger_weber"}, lj{"lennard_jones"}, harmonic{"harmonic"}, einstein{"einstein"}, file{"file"};
  const auto sw_number = [&](const char* name, double value, const char* doc, schema::Bounds bounds = {}) {
    return Attribute{name, Type::of(TypeKind::number), doc, false, value, sw, bounds};
  };
  KindSchema kind;
  kind.noun = "potential";
  kind.doc = "How the energy depends on the positions";
  kind.discriminator = "style";
  kind.attributes = {
      {"style", Type::word({"stillinger_weber", "lennard_jones", "harmonic", "einstein"}, {"file"}), "form of the energy", true, {}},
      {"epsilon", Type::quantity("energy"), "depth of the pair energy", true, {}, sw, kPositive, "6.189 kcal/mol"},
      {"sigma", Type::quantity("length"), "length scale", true, {}, sw, kPositive, "2.3925 angstrom"},
      {"lambda", number_or_interval(), "strength of the three-body term", true, {}, sw, {0.0, {}, {}}, "23.15"},
      sw_number("A", 7.049556277, "strength of the pair term"),
      sw_number("B", 0.6022245584, "weight of its repulsion"),
      sw_number("p", 4.0, "power of its repulsion", {0.0, {}, kLargestPower}),
      sw_number("q", 0.0, "power of its attraction", {0.0, {}, kLargestPower}),
      sw_number("gamma", 1.2, "decay of the three-body term", {0.0, {}, {}}),
      sw_number("a", 1.8, "cutoff in units of sigma", kPositive),
      sw_number("cos0", -0.33331324756823727, "cosine of the preferred angle, cos(109.47 deg)", {-1.0, {}, 1.0}),
      {"epsilon", Type::quantity("energy"), "depth of the pair energy", false, 1.0, lj, kPositive, "1 lj"},
      {"sigma", Type::quantity("length"), "length scale", false, 1.0, lj, kPositive, "1 lj"},
      {"cutoff", Type::quantity("length"), "no energy beyond this distance", true, {}, lj, kPositive, "2.7 lj"},
      {"shift", Type::of(TypeKind::boolean), "subtract the energy at the cutoff", false, false, lj},
      {"tail", Type::of(TypeKind::boolean), "add the mean energy beyond the cutoff", false, false, lj},
      {"switch_from", Type::quantity("length"), "from here to the cutoff a quintic takes the energy smoothly to zero", false, {}, lj, kPositive, "1.98 lj"},
      {"spring", Type::quantity("spring"), "of the springs between the neighbours of the lattice", true, {}, harmonic, kPositive, "5 eV/angstrom^2"},
      {"cutoff", Type::quantity("length"), "sites up to this distance are neighbours", true, {}, harmonic, kPositive, "3 angstrom"},
      {"spring", Type::quantity("spring"), "that ties each atom to its site", true, {}, einstein, kPositive, "5 eV/angstrom^2"},
      {"path", Type::of(TypeKind::string), "file with the tables of the potential", true, {}, file, {}, "\"Si.table\""},
      {"cutoff", Type::quantity("length"), "no energy beyond this distance", true, {}, file, kPositive, "5 angstrom"},
  };
  kind.complete = check_potential;
  return kind;
}

KindSchema lattice() {
  KindSchema kind;
  kind.noun = "lattice";
  kind.doc = "A perfect crystal in its periodic box";
  kind.attributes = {
      {"kind", Type::word({"diamond_cubic", "ice_ih", "fcc", "bcc", "hcp", "beta_tin", "fcc_orthorhombic", "file"}), "which crystal", true, {}},
      {"atoms", Type::of(TypeKind::integer), "atoms in the box", false, {}, {}, {1.0, {}, kMostAtoms}, "64"},
      {"density", quantity_or_interval("density"), "atoms per volume; kind file has its own when this is left out", false, {}, {}, kPositive, "0.0336 /angstrom^3"},
      {"repeats", Type::list(Type::of(TypeKind::integer)), "cells along x, y, z; from `atoms` when left out", false, {}, {}, {1.0, {}, 1e4}},
      {"b_over_a", number_or_interval(), "edge of the cell along y over that along x; that of the ideal lattice when left out", false, {}, {}, kPositive, "1.05"},
      {"c_over_a", number_or_interval(), "edge of the cell along z over that along x; that of the ideal lattice when left out", false, {}, {}, kPositive, "0.58"},
      {"delta", number_or_interval(), "shift of the sites of beta_tin in the plane, in cell edges", false, {}, {}, {-0.25, {}, 0.25}, "0.06"},
      {"path", Type::of(TypeKind::string), "extended XYZ or POSCAR file with the cell and sites of kind file, scaled to `density` where that is given", false, {}, {}, {}, "\"cell.extxyz\""},
  };
  kind.complete = complete_lattice;
  return kind;
}

KindSchema system() {
  KindSchema kind;
  kind.noun = "system";
  kind.doc = "Atoms of a lattice with a potential";
  kind.attributes = {
      {"potential", Type::reference({"potential"}), "how they interact", true, {}},
      {"lattice", Type::reference({"lattice"}), "where they sit", true, {}},
      {"mass", Type::quantity("mass"), "of an atom; absolute free energies and md need it", false, {}, {}, kPositive, "18.015 g/mol"},
      {"species", Type::of(TypeKind::string), "chemical symbol; files with other atoms are refused", false, {}, {}, {}, "\"Si\""},
      {"minimum_image", Type::word({"strict", "compatible"}), "strict: the box is at least twice the cutoff", false, "strict"},
  };
  kind.complete = check_system;
  return kind;
}

KindSchema ensemble() {
  const std::vector<std::string> npt{"npt"};
  KindSchema kind;
  kind.noun = "ensemble";
  kind.doc = "What is held fixed";
  kind.discriminator = "kind";
  kind.attributes = {
      {"kind", Type::word({"nvt"}, {"npt"}), "nvt: number, volume and temperature; npt: pressure in place of volume", true, {}},
      {"temperature", quantity_or_interval("temperature"), "of the crystal", true, {}, {}, kPositive, "200 K"},
      {"pressure", quantity_or_interval("pressure"), "on the box", true, {}, npt, {}, "1 GPa"},
      {"box", Type::word({"isotropic", "a_eq_b", "orthorhombic"}), "how the box moves: all edges alike, two alike, or each by itself", false, "isotropic", npt},
  };
  return kind;
}

}  // namespace

void add_crystal_kinds(schema::Catalog& catalog) {
  catalog.add(potential());
  catalog.add(lattice());
  catalog.add(system());
  catalog.add(ensemble());
}

}  // namespace bgw::catalog
