#include "runtime/crystal/lattice_value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

Vector3 vector_of(const Value& value) {
  const List& list = value.as_list();
  if (list.size() != 3) throw InputError("a cell vector and a site have three numbers");
  return {list[0].as_double(), list[1].as_double(), list[2].as_double()};
}

LatticeKind kind_of_file(const Value& lattice) {
  LatticeKind kind{"file", {}, {}, 0};
  const List& rows = lattice.at("cell").as_list();
  if (rows.size() != 3) throw InputError("a cell has three vectors");
  for (std::size_t k = 0; k < 3; ++k) kind.shape.vectors[k] = vector_of(rows[k]);
  for (const Value& site : lattice.at("sites").as_list()) kind.basis.push_back(vector_of(site));
  return kind;
}

std::optional<double> number_at(const Value& lattice, const char* name) {
  const Value* value = lattice.find(name);
  return value == nullptr || value->is_none() ? std::nullopt : std::optional<double>(value->as_double());
}

// The nearest atoms of molecular nitrogen are 0.4 of this apart, those of metals 1.1.
constexpr double kOverlap = 0.2;  // of the cube root of the volume of an atom

void refuse_overlap(const Structure& structure, const std::string& name) {
  const Cell cell{structure.cell};
  const Pair closest = closest_pair(cell, structure.positions);
  const double room = std::cbrt(cell.volume() / static_cast<double>(structure.positions.size()));
  if (closest.distance > kOverlap * room) return;
  if (closest.first == closest.second) {
    throw InputError(fmt::format("{}: atom {} and its own image overlap: they are {:.4g} apart, in a crystal of this density atoms have {:.4g}; the cell is too thin",
                                 name, closest.first + 1, closest.distance, room));
  }
  throw InputError(fmt::format("{}: atoms {} and {} overlap: they are {:.4g} apart, in a crystal of this density atoms have {:.4g}", name, closest.first + 1,
                               closest.second + 1, closest.distance, room));
}

/// A name becomes a word of the program.
void expect_word(const Structure& structure, const std::string& name) {
  for (const std::string& species : structure.kinds()) {
    const bool good = species.size() <= 32 && std::all_of(species.begin(), species.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
    if (!good) throw InputError(fmt::format("{}: the name of a species has at most 32 letters and digits, it is '{}'", name, species.substr(0, 32)));
  }
}

void refuse_mixture(const Structure& structure, const std::string& name) {
  const std::vector<std::string> kinds = structure.kinds();
  if (kinds.size() > 1)
    throw InputError(fmt::format("{}: a crystal of one species is expected, the potentials know no others; here are {}", name, fmt::join(kinds, ", ")));
}

}  // namespace

LatticeKind kind_of(const Value& lattice, const Shape& shape) {
  const std::string& name = lattice.at("kind").as_string();
  if (name == "file") return kind_of_file(lattice);
  const LatticeKind* kind = find_lattice(name);
  if (kind == nullptr) throw InputError(fmt::format("unknown lattice '{}'; known are {}, file", name, fmt::join(lattice_names(), ", ")));
  return shaped(*kind, shape);
}

LatticeKind kind_of(const Value& lattice) {
  return kind_of(lattice, {number_at(lattice, "b_over_a"), number_at(lattice, "c_over_a"), number_at(lattice, "delta").value_or(0.0)});
}

Map lattice_of_structure(const Structure& structure, const std::string& name) {
  const std::size_t atoms = structure.positions.size();
  if (atoms > kMostAtomsOfFile)
    throw InputError(fmt::format("{}: {} atoms, limit {}: give the cell of the crystal and write `repeats`", name, atoms, kMostAtomsOfFile));
  expect_word(structure, name);
  refuse_mixture(structure, name);
  refuse_overlap(structure, name);
  const Cell cell{structure.cell};
  List rows, sites;
  for (const Vector3& row : structure.cell) rows.push_back(List{row[0], row[1], row[2]});
  for (const Vector3& position : structure.positions) {
    Vector3 f = cell.fractional(position);
    for (double& x : f) x -= std::floor(x);
    sites.push_back(List{f[0], f[1], f[2]});
  }
  Map lattice{{"cell", std::move(rows)}, {"sites", std::move(sites)}, {"density", static_cast<double>(atoms) / cell.volume()}};
  if (structure.species.front() != kUnnamed) lattice["species"] = structure.species.front();
  return lattice;
}

}  // namespace bgw::crystal
