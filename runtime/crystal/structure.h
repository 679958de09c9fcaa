#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/crystal/cell.h"

// Crystals as other programs write them. Lengths are angstrom, or those of the potential where it has no units.
namespace bgw::crystal {

/// What a file calls an atom that it does not name.
inline constexpr const char* kUnnamed = "X";

/// One periodic configuration.
struct Structure {
  std::vector<std::string> species;  // one an atom
  std::vector<Vector3> positions;    // Cartesian, in file order
  Matrix3 cell{};                    // rows are the cell vectors a, b, c; right-handed

  /// Each once, in the order in which they come.
  std::vector<std::string> kinds() const;
};

/// Reads a structure of either format. Extended XYZ begins with the number of atoms and goes on with a line of
/// key=value, POSCAR goes on with its scale.
/// @param name  of the file, for messages
/// @throws InputError "FILE:LINE: what is wrong and what is expected"
Structure parse_structure(std::string_view text, const std::string& name);

/// Reads the first line (number of atoms), the comment line with Lattice="ax ay az bx by bz cx cy cz" and Properties
/// (default species:S:1:pos:R:3), and the atoms of an extended XYZ text. Other columns and keys are passed over; a
/// second frame is refused.
Structure parse_extxyz(std::string_view text, const std::string& name);

/// The key=value pairs of a comment line of extended XYZ.
/// @throws InputError for quotes that are not closed
std::map<std::string, std::string> extxyz_keys(std::string_view comment, const std::string& name);

/// Reads POSCAR and CONTCAR of VASP 5 and later, and of VASP 4, which do not name the species. What follows the atoms,
/// velocities for instance, is passed over.
/// @source www.vasp.at/wiki/index.php/POSCAR
Structure parse_poscar(std::string_view text, const std::string& name);

}  // namespace bgw::crystal
