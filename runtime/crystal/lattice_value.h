#pragma once

#include <string>

#include "compiler/schema/value.h"
#include "runtime/crystal/lattice.h"
#include "runtime/crystal/structure.h"

// Lattices as they stand in the arguments of tasks (docs/tasks.md). A lattice from a file holds the numbers of the file:
// "cell" [3][3] and "sites" [n][3] in fractions of it, so that tasks need no file and a key tells one crystal from
// another.
namespace bgw::crystal {

/// Most atoms of a file: the cell of a crystal, not a sample of it.
inline constexpr std::size_t kMostAtomsOfFile = 10'000;

/// The lattice that a value names or holds.
/// @throws InputError for an unknown kind
LatticeKind kind_of(const schema::Value& lattice, const Shape& shape);
/// The same with the shape that the value gives in numbers.
LatticeKind kind_of(const schema::Value& lattice);

/// Members "cell" and "sites" of a lattice from a file, "species" where the file names it, and "density" of its own.
/// @throws InputError for several species, atoms on one another, or too many of them
schema::Map lattice_of_structure(const Structure& structure, const std::string& name);

}  // namespace bgw::crystal
