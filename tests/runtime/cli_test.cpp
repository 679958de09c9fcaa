#include "runtime/cli/extxyz.h"
#include "runtime/foundation/errors.h"
#include "tests/support/catch.h"

using namespace bgw;
using cli::parse_extxyz;
using cli::Structure;

namespace {

const std::string kTwoAtoms =
    "2\n"
    "Lattice=\"4 0 0 0.5 5 0 0 0 6\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
    "mW 0 0.25 -1e-3\n"
    "mW 1.5 2 +3\n";

std::string complaint(const std::string& text) {
  try {
    parse_extxyz(text, "x.extxyz");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no complaint";
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  return text.replace(text.find(what), what.size(), by);
}

bool holds(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a structure is read with its cell, positions and species", "[extxyz]") {
  const Structure structure = parse_extxyz(kTwoAtoms, "x.extxyz");
  CHECK(structure.cell[1][0] == 0.5);
  CHECK(structure.cell[2][2] == 6);
  REQUIRE(structure.positions.size() == 2);
  CHECK(structure.positions[0][2] == -1e-3);
  CHECK(structure.positions[1][2] == 3);
  CHECK(structure.species[1] == "mW");
}

TEST_CASE("line ends of either kind, blank lines at the end and other columns change nothing", "[extxyz]") {
  std::string windows;
  for (const char c : kTwoAtoms) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(parse_extxyz(windows + "\r\n \r\n", "x").positions == parse_extxyz(kTwoAtoms, "x").positions);
  const std::string wider =
      "1\nenergy=-3.5 Lattice=\"4 0 0 0 4 0 0 0 4\" Properties=id:I:1:pos:R:3:forces:R:3:species:S:1\n7 1 2 3 9 9 9 "
      "Si\n";
  const Structure structure = parse_extxyz(wider, "x");
  CHECK(structure.positions[0] == std::array<double, 3>{1, 2, 3});
  CHECK(structure.species[0] == "Si");
  CHECK(parse_extxyz("1\nLattice=\"4 0 0 0 4 0 0 0 4\"\nSi 1 2 3\n", "x").positions[0][1] == 2);
}

TEST_CASE("what is wrong with a structure is told with its line", "[extxyz]") {
  CHECK(holds(complaint(""), "x.extxyz:1: the file is empty"));
  CHECK(holds(complaint("two\n"), "x.extxyz:1: the first line is the number of atoms"));
  CHECK(holds(complaint("-2\n"), ":1:"));
  CHECK(holds(complaint("2\n"), "x.extxyz:2: the comment line"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "Lattice", "Box")), "x.extxyz:2: a crystal needs its cell"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "4 0 0 0.5", "4 0 0")),
              "x.extxyz:2: Lattice has nine numbers, here it has 8"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "0 0 6", "0 0 0")), "lie in one plane"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "pos:R:3", "force:R:3")), "pos:R:3 is missing"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "pos:R:3", "pos:R")), "a list of name:type:columns"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "T T T", "T T F")), "periodic"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "T T T\"", "T T T")), "is not closed"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "1.5", "nan")), "x.extxyz:4: each coordinate is a number, it is 'nan'"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "1.5", "-1e300")), "x.extxyz:4: each coordinate is at most 1e+06"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "0.25", "0,25")), "x.extxyz:3: each coordinate is a number, it is '0,25'"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "mW 1.5", "1.5")),
              "x.extxyz:4: an atom has 4 columns here, this line has 3"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "2\n", "3\n")), "x.extxyz:4: the file ends after 2 of 3 atoms"));
  CHECK(holds(complaint(replaced(kTwoAtoms, "2\n", "1\n")), "x.extxyz:4: the file goes on"));
}
