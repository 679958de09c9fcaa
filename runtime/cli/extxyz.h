#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bgw::cli {

/// One periodic configuration, lengths in angstrom.
struct Structure {
  std::vector<std::string> species;              // one an atom
  std::vector<std::array<double, 3>> positions;  // in file order
  std::array<std::array<double, 3>, 3> cell{};   // rows are the cell vectors a, b, c
};

/// Reads the first line (number of atoms), the comment line with Lattice="ax ay az bx by bz cx cy cz" and Properties
/// (default species:S:1:pos:R:3), and the atoms of an extended XYZ text. Other columns and keys are passed over.
/// @param name  of the file, for messages
/// @throws InputError "FILE:LINE: what is wrong and what is expected"; also for a second frame
Structure parse_extxyz(std::string_view text, const std::string& name);

/// @throws CommandFailure (2) when the file cannot be read
Structure read_extxyz(const std::filesystem::path& file);

}  // namespace bgw::cli
