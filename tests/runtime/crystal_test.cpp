#include "runtime/crystal/lattice.h"
#include "runtime/crystal/neighbours.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "runtime/crystal/space_group.h"
#include "tests/support/catch.h"

using namespace bgw::crystal;

namespace {

double norm(const Vector3& v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

Crystal crystal_of(const std::string& name, std::int64_t atoms, double density) {
  const LatticeKind& kind = *find_lattice(name);
  return make_crystal(kind, *repeats_for(kind, atoms), density);
}

/// Number of neighbours of site 0 at the nearest distances, all images, as distance -> count.
std::map<long, int> shells(const Crystal& crystal, double cutoff) {
  std::map<long, int> found;
  for (const Vector3& site : crystal.sites) {
    for (int x = -2; x <= 2; ++x) {
      for (int y = -2; y <= 2; ++y) {
        for (int z = -2; z <= 2; ++z) {
          const Vector3 shift = crystal.cell.cartesian({double(x), double(y), double(z)});
          const double r = norm({site[0] - crystal.sites[0][0] + shift[0], site[1] - crystal.sites[0][1] + shift[1],
                                 site[2] - crystal.sites[0][2] + shift[2]});
          if (r > 1e-9 && r < cutoff) ++found[std::lround(r * 1e3)];
        }
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("a crystal holds its atoms at its density") {
  for (const std::string& name : lattice_names()) {
    const auto n = static_cast<std::int64_t>(64 * find_lattice(name)->basis.size());
    const Crystal crystal = crystal_of(name, n, 0.04);
    CHECK(crystal.sites.size() == static_cast<std::size_t>(n));
    CHECK(static_cast<double>(n) / crystal.cell.volume() == Approx(0.04).epsilon(1e-13));
  }
}

TEST_CASE("neighbour shells of the lattices are those of the textbook") {
  const double rho = 0.033567184;
  using Shells = std::map<long, int>;
  CHECK(shells(crystal_of("diamond_cubic", 64, rho), 6.3) == Shells{{2685, 4}, {4384, 12}, {5141, 12}, {6200, 6}});
  CHECK(shells(crystal_of("ice_ih", 64, rho), 5.2) == Shells{{2685, 4}, {4384, 12}, {4474, 1}, {5141, 9}});
  CHECK(shells(crystal_of("fcc", 256, 1.28), 2.1) == Shells{{1034, 12}, {1462, 6}, {1791, 24}, {2068, 12}});
  CHECK(shells(crystal_of("bcc", 54, 0.25), 2.1) == Shells{{1732, 8}, {2000, 6}});
}

TEST_CASE("mW ice of 64 molecules has the edges of the literature") {
  const Crystal cubic = crystal_of("diamond_cubic", 64, 0.033567184);
  CHECK(cubic.cell.vectors[0][0] == Approx(12.4).epsilon(1e-7));
  const Crystal hexagonal = crystal_of("ice_ih", 64, 0.033567184);
  CHECK(hexagonal.cell.vectors[0][0] == Approx(8.768).epsilon(1e-4));
  CHECK(hexagonal.cell.vectors[1][1] == Approx(15.187).epsilon(1e-4));
}

TEST_CASE("repeats are equal where the count is a cube and nearest to a cube otherwise") {
  const LatticeKind& dc = *find_lattice("diamond_cubic");
  using Repeats = std::array<int, 3>;
  CHECK(*repeats_for(dc, 8) == Repeats{1, 1, 1});
  CHECK(*repeats_for(dc, 216) == Repeats{3, 3, 3});
  CHECK(*repeats_for(dc, 4096) == Repeats{8, 8, 8});
  CHECK(*repeats_for(dc, 96) == Repeats{2, 2, 3});
  CHECK(*repeats_for(*find_lattice("ice_ih"), 1728) == Repeats{6, 6, 6});
  CHECK_FALSE(repeats_for(dc, 60));
  CHECK_FALSE(repeats_for(dc, 0));
  CHECK_FALSE(repeats_for(dc, 8 * 11));
}

TEST_CASE("atom counts offered instead of a wrong one are boxes near to a cube") {
  const LatticeKind& dc = *find_lattice("diamond_cubic");
  CHECK(allowed_atoms(dc, 60) == std::vector<std::int64_t>{8, 64, 96});
  CHECK(allowed_atoms(dc, 100) == std::vector<std::int64_t>{64, 96, 144, 216});
  for (const std::int64_t n : allowed_atoms(*find_lattice("ice_ih"), 500))
    CHECK(repeats_for(*find_lattice("ice_ih"), n));
}

TEST_CASE("hcp and orthorhombic fcc fill equal boxes") {
  using Repeats = std::array<int, 3>;
  const LatticeKind &fcc = *find_lattice("fcc_orthorhombic"), &hcp = *find_lattice("hcp");
  CHECK(*repeats_for(fcc, 180) == Repeats{5, 3, 2});
  CHECK(*repeats_for(hcp, 180) == Repeats{5, 3, 3});
  CHECK(*repeats_for(fcc, 1080) == Repeats{9, 5, 4});
  CHECK(*repeats_for(hcp, 1080) == Repeats{9, 5, 6});
  // The box of 180 atoms at rho = 1.28 of the literature.
  const Vector3 edges = box_of(fcc, {5, 3, 2}, 1.28).lengths(), other = box_of(hcp, {5, 3, 3}, 1.28).lengths();
  for (std::size_t k = 0; k < 3; ++k) CHECK(edges[k] == Approx(other[k]).epsilon(1e-13));
  CHECK(edges[0] == Approx(5.169).epsilon(1e-4));
  CHECK(edges[1] == Approx(5.372).epsilon(1e-4));
  CHECK(edges[2] == Approx(5.065).epsilon(1e-4));
}

TEST_CASE("close packings have the shells of the textbook") {
  using Shells = std::map<long, int>;
  CHECK(shells(crystal_of("fcc_orthorhombic", 180, 1.28), 2.1) == shells(crystal_of("fcc", 256, 1.28), 2.1));
  CHECK(shells(crystal_of("hcp", 180, 1.28), 2.0) == Shells{{1034, 12}, {1462, 6}, {1688, 2}, {1791, 18}, {1980, 12}});
}

TEST_CASE("beta-tin with the height of diamond is diamond") {
  const LatticeKind tin = shaped(*find_lattice("beta_tin"), {{}, std::sqrt(2.0), 0.0});
  const auto counts = [](const std::vector<Shell>& shells) {
    std::map<long, int> found;
    for (const Shell& shell : shells) found[std::lround(shell.distance * 1e3)] += shell.count;
    return found;
  };
  CHECK(counts(neighbour_shells(tin, 0.05, 6.0)) == counts(neighbour_shells(*find_lattice("diamond_cubic"), 0.05, 6.0)));
}

TEST_CASE("neighbour shells of the infinite crystal are those of a large box") {
  for (const std::string& name : lattice_names()) {
    INFO(name);
    const LatticeKind& kind = *find_lattice(name);
    std::map<long, int> found;
    for (const Shell& shell : neighbour_shells(kind, 1.0, 1.9)) found[std::lround(shell.distance * 1e3)] += shell.count;
    CHECK(found == shells(make_crystal(kind, {4, 4, 4}, 1.0), 1.9));
  }
}

TEST_CASE("a cutoff before the first shell still finds it") {
  const std::vector<Shell> first = neighbour_shells(*find_lattice("diamond_cubic"), 0.033567184, 0.0);
  REQUIRE(first.size() == 1);
  CHECK(first[0].distance == Approx(2.6847).epsilon(1e-4));
  CHECK(first[0].count == 4);
}

TEST_CASE("edge ratios and delta change the shape and keep the density") {
  const LatticeKind& tin = *find_lattice("beta_tin");
  CHECK(takes_edge_ratios(tin));
  CHECK(takes_delta(tin));
  CHECK_FALSE(takes_edge_ratios(*find_lattice("fcc")));
  CHECK_FALSE(takes_delta(*find_lattice("hcp")));
  const LatticeKind shape = shaped(tin, {1.05, 0.58, 0.0625});
  const Vector3 edges = box_of(shape, {1, 1, 1}, 0.061).lengths();
  CHECK(edges[1] / edges[0] == Approx(1.05));
  CHECK(edges[2] / edges[0] == Approx(0.58));
  CHECK(edges[0] * edges[1] * edges[2] == Approx(4.0 / 0.061));
  CHECK(shape.basis[1][0] - tin.basis[1][0] == Approx(0.0625));
  CHECK(shape.basis[2][1] - tin.basis[2][1] == Approx(0.0625));
  CHECK(*repeats_for(shaped(tin, {{}, 0.59, 0.0}), 64) == std::array<int, 3>{2, 2, 4});
  CHECK(*repeats_for(shaped(tin, {{}, 0.59, 0.0}), 216) == std::array<int, 3>{3, 3, 6});
}

TEST_CASE("an unknown lattice has no kind") { CHECK(find_lattice("graphite") == nullptr); }

TEST_CASE("fractional and cartesian coordinates are inverse in a triclinic cell") {
  const Cell cell{{{{4.0, 0.0, 0.0}, {1.0, 5.0, 0.0}, {-0.7, 1.1, 6.0}}}};
  CHECK_FALSE(cell.is_orthorhombic());
  CHECK(cell.volume() == Approx(120.0));
  const Vector3 x{1.3, -2.2, 7.7};
  const Vector3 back = cell.cartesian(cell.fractional(x));
  for (std::size_t d = 0; d < 3; ++d) CHECK(back[d] == Approx(x[d]).epsilon(1e-13));
  CHECK(cell.heights()[2] == Approx(6.0));
}

TEST_CASE("minimum image maps displacements into half the box and is unchanged by lattice vectors") {
  const Cell cell = Cell::orthorhombic(4.0, 5.0, 6.0);
  const Vector3 d = cell.minimum_image({3.9, -2.6, 8.9});
  CHECK(d[0] == Approx(-0.1));
  CHECK(d[1] == Approx(2.4));
  CHECK(d[2] == Approx(2.9));
}

namespace {

/// Distance of two places of a periodic box.
double apart(const Cell& cell, const Vector3& a, const Vector3& b) {
  Vector3 f = cell.fractional({a[0] - b[0], a[1] - b[1], a[2] - b[2]});
  for (double& x : f) x -= std::nearbyint(x);
  return norm(cell.cartesian(f));
}

Vector3 moved(const SymmetryOperation& operation, const Vector3& place) {
  Vector3 to = operation.translation;
  for (std::size_t a = 0; a < 3; ++a) {
    for (std::size_t b = 0; b < 3; ++b) to[a] += operation.rotation[a][b] * place[b];
  }
  return to;
}

double farthest_from_image(const Crystal& crystal, const SymmetryOperation& operation) {
  double farthest = 0.0;
  for (std::size_t i = 0; i < crystal.sites.size(); ++i)
    farthest = std::max(farthest, apart(crystal.cell, moved(operation, crystal.sites[i]), crystal.sites[static_cast<std::size_t>(operation.image[i])]));
  return farthest;
}

}  // namespace

TEST_CASE("lattices have the space groups of the textbook") {
  const auto group_of = [](const char* name, std::int64_t atoms) { return space_group(crystal_of(name, atoms, 0.05)); };
  CHECK(group_of("diamond_cubic", 64).number == 227);
  CHECK(group_of("diamond_cubic", 64).symbol == "Fd-3m");
  CHECK(group_of("diamond_cubic", 64).point_group == "m-3m");
  CHECK(group_of("fcc", 108).number == 225);
  CHECK(group_of("fcc_orthorhombic", 180).number == 225);
  CHECK(group_of("bcc", 54).number == 229);
  CHECK(group_of("hcp", 180).number == 194);
  CHECK(group_of("ice_ih", 64).number == 194);
  CHECK(group_of("beta_tin", 64).number == 141);
  for (const std::string& name : lattice_names()) {
    INFO(name);
    CHECK(group_of(name.c_str(), static_cast<std::int64_t>(find_lattice(name)->basis.size()) * 8).atoms_per_primitive_cell ==
          find_lattice(name)->atoms_per_primitive_cell);
  }
}

TEST_CASE("symmetry operations map every atom on the atom they name") {
  for (const std::string& name : lattice_names()) {
    INFO(name);
    const Crystal crystal = make_crystal(*find_lattice(name), {2, 2, 3}, 0.05);
    const auto operations = point_operations(crystal);
    REQUIRE_FALSE(operations.empty());
    for (std::size_t i = 0; i < crystal.sites.size(); ++i) CHECK(operations[0].image[i] == static_cast<std::int32_t>(i));
    for (const SymmetryOperation& operation : operations) {
      CHECK(std::set<std::int32_t>(operation.image.begin(), operation.image.end()).size() == crystal.sites.size());
      CHECK(farthest_from_image(crystal, operation) < 1e-9);
    }
  }
}

TEST_CASE("a box keeps the rotations that its shape allows") {
  const auto kept = [](const char* name, const std::array<int, 3>& repeats) { return point_operations(make_crystal(*find_lattice(name), repeats, 0.05)).size(); };
  CHECK(kept("diamond_cubic", {2, 2, 2}) == 48);
  CHECK(kept("diamond_cubic", {2, 2, 3}) == 16);
  CHECK(kept("diamond_cubic", {2, 3, 4}) == 8);
  CHECK(kept("ice_ih", {2, 2, 2}) == 8);
  CHECK(kept("hcp", {5, 3, 3}) == 8);
  CHECK(kept("fcc_orthorhombic", {5, 3, 2}) == 4);
  CHECK(kept("beta_tin", {2, 2, 4}) == 16);
}

TEST_CASE("primitive cells hold each atom once") {
  for (const std::string& name : lattice_names()) {
    INFO(name);
    const Crystal crystal = make_crystal(*find_lattice(name), {1, 2, 3}, 0.05);
    const PrimitiveCells cells = primitive_cells(crystal);
    const std::size_t places = cells.sites.size();
    CHECK(places == static_cast<std::size_t>(find_lattice(name)->atoms_per_primitive_cell));
    CHECK(static_cast<std::size_t>(cells.counts[0] * cells.counts[1] * cells.counts[2]) * places == crystal.sites.size());
    std::set<std::array<std::int32_t, 4>> seen;
    for (std::size_t i = 0; i < crystal.sites.size(); ++i) {
      const auto& n = cells.cell[i];
      seen.insert({n[0], n[1], n[2], cells.basis[i]});
      Vector3 place = cells.sites[static_cast<std::size_t>(cells.basis[i])];
      for (std::size_t k = 0; k < 3; ++k) {
        CHECK(n[k] >= 0);
        CHECK(n[k] < cells.counts[k]);
        for (std::size_t d = 0; d < 3; ++d) place[d] += n[k] * cells.vectors[k][d];
      }
      CHECK(apart(crystal.cell, place, crystal.sites[i]) < 1e-9);
    }
    CHECK(seen.size() == crystal.sites.size());
  }
}

TEST_CASE("nearest neighbours are found across the faces of any cell", "[crystal]") {
  for (const char* name : {"fcc", "bcc", "hcp", "diamond_cubic", "ice_ih"}) {
    const LatticeKind& kind = *find_lattice(name);
    const Crystal crystal = make_crystal(kind, {3, 1, 2}, 0.05);
    const double expected = nearest_shell(kind, 0.05).distance;
    CHECK(closest_pair(crystal.cell, crystal.sites).distance == Approx(expected));
  }
  const Cell slanted{{{{3.0, 0.0, 0.0}, {1.4, 2.0, 0.0}, {0.3, -0.7, 5.0}}}};
  CHECK(closest_pair(slanted, {{0.1, 0.2, 0.3}}).distance == Approx(std::hypot(1.4, 2.0)));
  const Vector3 across = slanted.cartesian({0.98, 0.99, 0.97});
  CHECK(closest_pair(slanted, {{0, 0, 0}, across}).distance == Approx(norm(slanted.minimum_image(across))));
}
