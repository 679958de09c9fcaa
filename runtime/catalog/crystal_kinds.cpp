#include <cmath>
#include <map>

#include <fmt/format.h>

#include "runtime/catalog/kinds.h"
#include "runtime/crystal/lattice.h"

namespace bgw::catalog {
namespace {

using schema::Attribute;
using schema::CheckContext;
using schema::KindSchema;
using schema::List;
using schema::Map;
using schema::Type;
using schema::TypeKind;
using schema::Value;

const schema::Bounds kPositive{{}, 0.0, {}};

constexpr double kLargestPower = 64.0;  // of the kernels, which multiply
constexpr double kMostAtoms = 1e7;

void check_potential(Map& potential, CheckContext& context) {
  for (const char* power : {"p", "q"}) {
    if (!potential.count(power) || potential.at(power).as_double() == std::floor(potential.at(power).as_double())) continue;
    context.complain({"E0307", power, fmt::format("the power `{}` of {} is a whole number, got {}", power, context.block, potential.at(power).as_double()), {}, {}});
  }
}

/// Four numbers of Molinero and Moore (2009) vary; the others are Stillinger and Weber (1985).
KindSchema potential() {
  const std::vector<std::string> sw{"stillinger_weber"}, lj{"lennard_jones"};
  const auto sw_number = [&](const char* name, double value, const char* doc, schema::Bounds bounds = {}) {
    return Attribute{name, Type::of(TypeKind::number), doc, false, value, sw, bounds};
  };
  KindSchema kind;
  kind.noun = "potential";
  kind.doc = "How the energy depends on the positions";
  kind.discriminator = "style";
  kind.attributes = {
      {"style", Type::word({"stillinger_weber", "lennard_jones"}, {"harmonic", "einstein", "file"}), "form of the energy", true, {}},
      {"epsilon", Type::quantity("energy"), "depth of the pair energy", true, {}, sw, kPositive, "6.189 kcal/mol"},
      {"sigma", Type::quantity("length"), "length scale", true, {}, sw, kPositive, "2.3925 angstrom"},
      {"lambda", Type::of(TypeKind::number), "strength of the three-body term", true, {}, sw, {0.0, {}, {}}, "23.15"},
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
  };
  kind.complete = check_potential;
  return kind;
}

std::string cell_in_words(const std::string& kind) {
  static const std::map<std::string, std::string> words{{"diamond_cubic", "a cubic diamond cell"}, {"ice_ih", "an ice Ih cell"},
                                                        {"fcc", "an fcc cell"}, {"bcc", "a bcc cell"}};
  const auto found = words.find(kind);
  return found == words.end() ? fmt::format("a {} cell", kind) : found->second;
}

std::string joined(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t n : numbers) text += fmt::format("{}, ", n);
  return text + "…";
}

std::string nearest_counts(const std::vector<std::int64_t>& allowed, std::int64_t atoms) {
  std::int64_t below = 0, above = 0;
  for (const std::int64_t n : allowed) {
    if (n < atoms) below = n;
    if (n > atoms && above == 0) above = n;
  }
  return below == 0 ? fmt::format("nearest is {}", above) : fmt::format("nearest are {} and {}", below, above);
}

/// Fills `repeats` from `atoms` or the other way round.
void complete_lattice(Map& lattice, CheckContext& context) {
  const std::string kind_name = lattice.at("kind").as_string();
  const crystal::LatticeKind& kind = *crystal::find_lattice(kind_name);
  const auto basis = static_cast<std::int64_t>(kind.basis.size());
  if (!lattice.at("repeats").is_none()) {
    const List& repeats = lattice.at("repeats").as_list();
    std::int64_t cells = 1;
    for (std::size_t k = 0; k < 3 && k < repeats.size(); ++k) cells *= repeats[k].as_int();
    if (repeats.size() != 3) {
      context.complain({"E0403", "repeats", "`repeats` is three positive ints, the cells along x, y and z", {}, {"write for instance `repeats = [2, 2, 2]`"}});
      return;
    }
    if (static_cast<double>(cells * basis) > kMostAtoms) {
      context.complain({"E0403", "repeats", fmt::format("these repeats hold {} atoms, limit {:.0f}", cells * basis, kMostAtoms), {}, {}});
      return;
    }
    if (lattice.at("atoms").is_none()) lattice["atoms"] = cells * basis;
    if (lattice.at("atoms").as_int() != cells * basis) {
      context.complain({"E0403", "repeats", fmt::format("these repeats hold {} atoms, `atoms` says {}", cells * basis, lattice.at("atoms").as_int()),
                        {fmt::format("a {} cell has {} atoms", kind_name, basis)}, {"leave one of the two out"}});
    }
    return;
  }
  if (lattice.at("atoms").is_none()) {
    context.complain({"E0204", "", fmt::format("{} lacks `atoms`", context.block), {}, {"write `atoms = …`, or `repeats = [i, j, k]`"}});
    return;
  }
  const std::int64_t atoms = lattice.at("atoms").as_int();
  const auto repeats = crystal::repeats_for(kind, atoms);
  if (!repeats) {
    const auto allowed = crystal::allowed_atoms(kind, atoms);
    context.complain({"E0401", "atoms", fmt::format("{} atoms do not fill {}", atoms, cell_in_words(kind_name)), {},
                      {fmt::format("{} in a box near a cube takes {}; {}", kind_name, joined(allowed), nearest_counts(allowed, atoms))}});
    return;
  }
  lattice["repeats"] = List{(*repeats)[0], (*repeats)[1], (*repeats)[2]};
}

KindSchema lattice() {
  KindSchema kind;
  kind.noun = "lattice";
  kind.doc = "A perfect crystal in its periodic box";
  kind.attributes = {
      {"kind", Type::word(crystal::lattice_names(), {"hcp", "beta_tin", "file", "fcc_orthorhombic"}), "which crystal", true, {}},
      {"atoms", Type::of(TypeKind::integer), "atoms in the box", false, {}, {}, {1.0, {}, kMostAtoms}, "64"},
      {"density", Type::quantity("density"), "atoms per volume", true, {}, {}, kPositive, "0.0336 /angstrom^3"},
      {"repeats", Type::list(Type::of(TypeKind::integer)), "cells along x, y, z; from `atoms` when left out", false, {}, {}, {1.0, {}, 1e4}},
  };
  kind.complete = complete_lattice;
  return kind;
}

double cutoff_of(const Value& potential) {
  if (potential.at("style").as_string() == "lennard_jones") return potential.at("cutoff").as_double();
  return potential.at("a").as_double() * potential.at("sigma").as_double();
}

/// Shortest edge of the box.
double shortest_edge(const Value& lattice) {
  const crystal::LatticeKind& kind = *crystal::find_lattice(lattice.at("kind").as_string());
  const double aspect_volume = kind.aspect[0] * kind.aspect[1] * kind.aspect[2];
  const double unit = std::cbrt(static_cast<double>(kind.basis.size()) / lattice.at("density").as_double() / aspect_volume);
  double shortest = INFINITY;
  for (std::size_t k = 0; k < 3; ++k) {
    shortest = std::min(shortest, unit * kind.aspect[k] * static_cast<double>(lattice.at("repeats").as_list()[k].as_int()));
  }
  return shortest;
}

void check_minimum_image(Map& system, CheckContext& context) {
  if (system.at("minimum_image").as_string() != "strict") return;
  const double edge = shortest_edge(system.at("lattice"));
  const double cutoff = cutoff_of(system.at("potential"));
  if (edge >= 2.0 * cutoff * (1.0 - 1e-12)) return;
  context.complain({"E0402", "lattice", fmt::format("the box of {} is smaller than twice the cutoff", context.block),
                    {fmt::format("with {} atoms the shortest edge is {:.3f} angstrom, twice the cutoff {:.3f} angstrom", system.at("lattice").at("atoms").as_int(), edge, 2.0 * cutoff)},
                    {"take more atoms, or write `minimum_image = compatible` to use the nearest image all the same"}});
}

KindSchema system() {
  KindSchema kind;
  kind.noun = "system";
  kind.doc = "Atoms of a lattice with a potential";
  kind.attributes = {
      {"potential", Type::reference({"potential"}), "how they interact", true, {}},
      {"lattice", Type::reference({"lattice"}), "where they sit", true, {}},
      {"mass", Type::quantity("mass"), "of an atom; absolute free energies need it", false, {}, {}, kPositive, "18.015 g/mol"},
      {"minimum_image", Type::word({"strict", "compatible"}), "strict: the box is at least twice the cutoff", false, "strict"},
  };
  kind.complete = check_minimum_image;
  return kind;
}

KindSchema ensemble() {
  KindSchema kind;
  kind.noun = "ensemble";
  kind.doc = "What is held fixed";
  kind.discriminator = "kind";
  kind.attributes = {
      {"kind", Type::word({"nvt"}, {"npt"}), "nvt: number, volume and temperature", true, {}},
      {"temperature", Type::quantity("temperature"), "of the crystal", true, {}, {}, kPositive, "200 K"},
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
