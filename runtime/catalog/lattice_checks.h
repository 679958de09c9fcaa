#pragma once

#include <optional>

#include "compiler/schema/kind_schema.h"

// What types cannot say of potentials, lattices and systems.
namespace bgw::catalog {

void check_potential(schema::Map& potential, schema::CheckContext& context);
/// Fills `repeats` from `atoms` or the other way round; reads the cell and sites of kind file.
void complete_lattice(schema::Map& lattice, schema::CheckContext& context);
void check_system(schema::Map& system, schema::CheckContext& context);

/// E0401 for an atom count that fills no box of this lattice, at `attribute`.
bool expect_filled(const schema::Value& lattice, std::int64_t atoms, const std::string& attribute, schema::CheckContext& context);
/// E0402 for a box of that many atoms that is smaller than twice the cutoff anywhere in the ranges of the lattice.
void expect_wide_box(const schema::Value& system, std::int64_t atoms, const std::string& attribute, schema::CheckContext& context);

/// Beyond it atoms do not interact; nullopt where the program does not say.
std::optional<double> cutoff_of(const schema::Value& potential);
/// Smallest distance of two sites anywhere in the ranges of the lattice.
double nearest_distance(const schema::Value& lattice);
/// Numbers of neighbours that close a shell around a site in the middle of the lattice's ranges: some up to `atoms` and
/// the first beyond. Empty for a crystal of a file, whose distances are rarely equal.
std::vector<int> closed_shells(const schema::Value& lattice, std::int64_t atoms);
/// Largest angular frequency of the crystal, in 1/fs: that of atoms joined to their z nearest neighbours by springs as
/// stiff as the pair term at their distance, sqrt(2 z k / (3 mass)); exact in fcc and diamond for such springs. The
/// three-body term, which this leaves out, adds some tens of percent. nullopt where the potential has no pair term.
std::optional<double> stiffest_mode(const schema::Value& system, double mass);

}  // namespace bgw::catalog
