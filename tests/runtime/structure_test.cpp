#include "runtime/crystal/structure.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "runtime/crystal/lattice_value.h"
#include "runtime/crystal/space_group.h"
#include "runtime/foundation/errors.h"
#include "tests/support/catch.h"

using namespace bgw;
using namespace bgw::crystal;

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

/// Diamond of edge 5.43 in its primitive cell, which is triclinic.
const std::string kPoscar =
    "silicon\n"
    "5.43\n"
    "0.0 0.5 0.5\n"
    "0.5 0.0 0.5\n"
    "0.5 0.5 0.0\n"
    "Si\n"
    "2\n"
    "Direct\n"
    "0.00 0.00 0.00\n"
    "0.25 0.25 0.25\n";

std::string poscar_complaint(const std::string& text) {
  try {
    lattice_of_structure(parse_structure(text, "POSCAR"), "POSCAR");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no complaint";
}

Crystal crystal_of(const Structure& structure, const std::array<int, 3>& repeats) {
  schema::Map lattice = lattice_of_structure(structure, "file");
  const double density = lattice.at("density").as_double();
  lattice["kind"] = "file";
  return make_crystal(kind_of(lattice), repeats, density);
}

double difference(const Vector3& a, const Vector3& b) { return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]); }

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

TEST_CASE("a POSCAR is read with its cell, positions and species", "[poscar]") {
  const Structure structure = parse_structure(kPoscar, "POSCAR");
  CHECK(structure.cell[0] == Vector3{0.0, 2.715, 2.715});
  REQUIRE(structure.positions.size() == 2);
  CHECK(difference(structure.positions[1], {1.3575, 1.3575, 1.3575}) < 1e-12);
  CHECK(structure.kinds() == std::vector<std::string>{"Si"});
}

TEST_CASE("one crystal in the ways of a POSCAR is one crystal", "[poscar]") {
  const Structure first = parse_structure(kPoscar, "POSCAR");
  const double volume = Cell{first.cell}.volume();
  std::string vasp4 = replaced(kPoscar, "Si\n2", "2");
  const std::string cartesian = replaced(replaced(kPoscar, "Direct", "Cartesian"), "0.25 0.25 0.25", "0.25 0.25 0.25");
  for (const std::string& text : {vasp4, cartesian, replaced(kPoscar, "5.43", "-" + std::to_string(volume)), replaced(kPoscar, "5.43", "5.43 5.43 5.43"),
                                  replaced(replaced(kPoscar, "Direct", "Selective dynamics\ndirect"), "0.25 0.25 0.25", "0.25 0.25 0.25 T T F"),
                                  replaced(kPoscar, "Si\n2", "Si_pv Si\n1 1"), kPoscar + "\n0.1 0.2 0.3\n0.1 0.2 0.3\n", replaced(kPoscar, "2\n", "2 ! atoms\n")}) {
    INFO(text);
    const Structure other = parse_structure(text, "CONTCAR");
    REQUIRE(other.positions.size() == 2);
    for (std::size_t k = 0; k < 3; ++k) CHECK(difference(other.cell[k], first.cell[k]) < 1e-6);
    for (std::size_t i = 0; i < 2; ++i) CHECK(difference(other.positions[i], first.positions[i]) < 1e-6);
  }
  CHECK(parse_structure(vasp4, "POSCAR").kinds() == std::vector<std::string>{kUnnamed});
}

TEST_CASE("the format of a structure is known by its name or by its second line", "[poscar]") {
  for (const char* name : {"POSCAR", "dir/CONTCAR_relaxed", "si.vasp", "crystal", "crystal.txt"}) CHECK(parse_structure(kPoscar, name).positions.size() == 2);
  for (const char* name : {"x.extxyz", "x.xyz", "crystal"}) CHECK(parse_structure(kTwoAtoms, name).positions.size() == 2);
  CHECK(parse_structure(replaced(kPoscar, "silicon", "64"), "crystal").positions.size() == 2);
}

TEST_CASE("a left-handed cell is turned round and is the same crystal", "[poscar]") {
  const std::string mirrored = replaced(replaced(kPoscar, "0.0 0.5 0.5\n", ""), "0.5 0.5 0.0\n", "0.5 0.5 0.0\n0.0 0.5 0.5\n");
  const std::string left = replaced(replaced(mirrored, "0.5 0.0 0.5\n0.5 0.5 0.0", "0.5 0.5 0.0\n0.5 0.0 0.5"), "0.25 0.25 0.25", "0.2 0.25 0.3");
  const Structure structure = parse_structure(left, "POSCAR");
  CHECK(Cell{structure.cell}.signed_volume() > 0.0);
  // 0.2, 0.25 and 0.3 of the vectors as they are written.
  CHECK(difference(structure.positions[1], {5.43 * (0.1 + 0.125), 5.43 * (0.1 + 0.15), 5.43 * (0.125 + 0.15)}) < 1e-12);
}

TEST_CASE("what is wrong with a POSCAR is told with its line", "[poscar]") {
  CHECK(poscar_complaint(kPoscar) == "no complaint");
  CHECK(holds(poscar_complaint(""), "POSCAR:1: the file is empty"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "5.43", "big")), "POSCAR:2: the second line is the scale"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "5.43", "0")), "POSCAR:2: the second line is the scale"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "0.5 0.0 0.5", "0.5 0.0")), "POSCAR:4: a cell vector has three numbers, this line has 2"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "0.5 0.0 0.5", "0.0 0.5 0.5")), "lie in one plane"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "\n2\n", "\n2 2\n")), "POSCAR:7: 1 species are named and 2 numbers of atoms given"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "\n2\n", "\n2.5\n")), "POSCAR:7: here stand the numbers of atoms"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "\n2\n", "\n0\n")), "POSCAR:7: here stand the numbers of atoms"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "Direct", "Polar")), "POSCAR:8: here stands Direct or Cartesian, it is 'Polar'"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "\n2\n", "\n3\n")), "POSCAR: the file ends after 2 of 3 atoms"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "\n2\n", "\n1\n")), "POSCAR:10: the file goes on after 1 atoms"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "0.25 0.25 0.25", "0.25 nan 0.25")), "POSCAR:10: each number of an atom is a number, it is 'nan'"));
  CHECK(holds(poscar_complaint(kPoscar.substr(0, kPoscar.find("Direct"))), "POSCAR:8: the file ends where Direct or Cartesian should be"));
}

TEST_CASE("a crystal of two species, atoms on one another and a sample of a liquid are no lattice", "[poscar]") {
  CHECK(holds(poscar_complaint(replaced(kPoscar, "Si\n2", "Si C\n1 1")), "the potentials know no others; here are Si, C"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "0.25 0.25 0.25", "0.999 0.001 0.0")), "POSCAR: atoms 1 and 2 overlap: they are 0.003"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "0.25 0.25 0.25", "0 1 0")), "atoms 1 and 2 overlap: they are 0 apart"));
  CHECK(holds(poscar_complaint(replaced(kPoscar, "Si", "\xff\x01")), "the name of a species has at most 32 letters"));
  Structure many;
  many.cell = Cell::orthorhombic(30, 30, 30).vectors;
  many.positions.resize(kMostAtomsOfFile + 1);
  many.species.resize(kMostAtomsOfFile + 1, "Si");
  CHECK_THROWS_AS(lattice_of_structure(many, "many"), InputError);
}

TEST_CASE("a primitive cell of a file and the lattice built in are one crystal", "[poscar]") {
  const Structure structure = parse_structure(kPoscar, "POSCAR");
  const Crystal crystal = crystal_of(structure, {2, 2, 2});
  REQUIRE(crystal.sites.size() == 16);
  CHECK(crystal.cell.volume() == Approx(2.0 * 5.43 * 5.43 * 5.43).epsilon(1e-12));
  const SpaceGroup group = space_group(crystal);
  CHECK(group.number == 227);
  CHECK(group.atoms_per_primitive_cell == 2);
  CHECK(point_operations(crystal).size() == 48);       // the rhombohedral box of equal repeats keeps them all
  CHECK(point_operations(crystal_of(structure, {2, 2, 3})).size() == 4);
  schema::Map lattice = lattice_of_structure(structure, "POSCAR");
  lattice["kind"] = "file";
  const double density = 8.0 / std::pow(5.43, 3);
  CHECK(lattice.at("density").as_double() == Approx(density).epsilon(1e-12));
  CHECK(lattice.at("species").as_string() == "Si");
  const auto own = neighbour_shells(kind_of(lattice), density, 9.0), built_in = neighbour_shells(*find_lattice("diamond_cubic"), density, 9.0);
  REQUIRE(own.size() == built_in.size());
  for (std::size_t k = 0; k < own.size(); ++k) {
    CHECK(own[k].count == built_in[k].count);
    CHECK(own[k].distance == Approx(built_in[k].distance).epsilon(1e-12));
  }
}

TEST_CASE("the symmetry of a file is found although it rounds its numbers", "[poscar]") {
  const std::string rounded =
      "lonsdaleite\n1.0\n3.84 0.0 0.0\n-1.92 3.32554 0.0\n0.0 0.0 6.27069\n4\nDirect\n"
      "0.33333 0.66667 0.0625\n0.66667 0.33333 0.5625\n0.33333 0.66667 0.4375\n0.66667 0.33333 0.9375\n";
  const Crystal crystal = crystal_of(parse_structure(rounded, "POSCAR"), {3, 3, 2});
  CHECK(space_group(crystal).number == 194);
  const auto operations = point_operations(crystal);
  CHECK(operations.size() == 24);  // all of D6h in the hexagonal box
  for (const SymmetryOperation& operation : operations) {
    for (std::size_t a = 0; a < 3; ++a) {
      for (std::size_t b = 0; b < 3; ++b) {
        double product = 0.0;
        for (std::size_t c = 0; c < 3; ++c) product += operation.rotation[a][c] * operation.rotation[b][c];
        CHECK(product == Approx(a == b ? 1.0 : 0.0).margin(1e-14));
      }
    }
  }
}

TEST_CASE("neighbours in crooked cells are those of a sum over many images", "[neighbours]") {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  for (int trial = 0; trial < 10; ++trial) {
    Cell cell;
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t d = 0; d < 3; ++d) cell.vectors[k][d] = (k == d ? 2.0 + 3.0 * uniform(random) : 0.0) + 1.5 * (uniform(random) - 0.5);
    }
    std::vector<Vector3> sites;
    for (int i = 0; i < 5; ++i) sites.push_back(cell.cartesian({3.0 * uniform(random), uniform(random), -uniform(random)}));
    std::vector<double> wanted;
    Pair closest{0, 0, INFINITY};
    for (std::size_t i = 0; i < sites.size(); ++i) {
      for (std::size_t j = 0; j < sites.size(); ++j) {
        for (int x = -9; x <= 9; ++x) {
          for (int y = -9; y <= 9; ++y) {
            for (int z = -9; z <= 9; ++z) {
              if (i == j && x == 0 && y == 0 && z == 0) continue;
              const Vector3 shift = cell.cartesian({double(x), double(y), double(z)});
              const double r = difference({sites[j][0] + shift[0], sites[j][1] + shift[1], sites[j][2] + shift[2]}, sites[i]);
              if (i == 0 && r <= 4.0) wanted.push_back(r);
              if (r < closest.distance) closest = {i, j, r};
            }
          }
        }
      }
    }
    std::sort(wanted.begin(), wanted.end());
    const std::vector<double> found = distances_from(cell, sites, 0, 4.0);
    REQUIRE(found.size() == wanted.size());
    for (std::size_t k = 0; k < found.size(); ++k) CHECK(found[k] == Approx(wanted[k]).epsilon(1e-12));
    CHECK(closest_pair(cell, sites).distance == Approx(closest.distance).epsilon(1e-12));
    CHECK_FALSE(lonely_site(cell, sites, 20.0));
    CHECK(lonely_site(cell, sites, 0.99 * closest.distance) == std::optional<std::size_t>(0));
  }
}

TEST_CASE("a very crooked cell is searched as quickly as a straight one of the same lattice", "[neighbours]") {
  const Cell straight = Cell::orthorhombic(4.0, 4.0, 5.0);
  Cell crooked;
  crooked.vectors[0] = straight.vectors[0];
  crooked.vectors[1] = {4000.0, 4.0, 0.0};
  crooked.vectors[2] = {-8000.0, 12000.0, 5.0};
  const std::vector<Vector3> sites{{0.0, 0.0, 0.0}, {1.0, 2.0, 2.0}};
  CHECK(closest_pair(crooked, sites).distance == Approx(3.0).epsilon(1e-9));
  const std::vector<double> one = distances_from(crooked, sites, 0, 9.0), other = distances_from(straight, sites, 0, 9.0);
  REQUIRE(one.size() == other.size());
  for (std::size_t k = 0; k < one.size(); ++k) CHECK(one[k] == Approx(other[k]).epsilon(1e-9));
}

TEST_CASE("a cell too large to be searched is taken as it is", "[poscar]") {
  const LatticeKind& fcc = *find_lattice("fcc");
  Crystal crystal = make_crystal(fcc, {7, 7, 6}, 1.0);
  crystal.cell.vectors[2][0] += 1.0;  // whose box is crooked
  crystal.repeats = {1, 1, 1};
  CHECK(space_group(crystal).atoms_per_primitive_cell == 1176);
  const auto operations = point_operations(crystal);
  REQUIRE(operations.size() == 1);
  for (std::size_t i = 0; i < crystal.sites.size(); ++i) CHECK(operations[0].image[i] == static_cast<std::int32_t>(i));
}
