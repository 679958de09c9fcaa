#include "runtime/trajectory/frame_reader.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "runtime/crystal/lattice.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/trajectory/extxyz_writer.h"
#include "runtime/trajectory/h5md_writer.h"
#include "runtime/trajectory/sample_reader.h"
#include "runtime/trajectory/site_assignment.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"

namespace {

using namespace bgw;
using crystal::Vector3;
using trajectory::Frame;

/// Two configurations of two atoms in a cell that shears, as a task at constant pressure leaves them.
artifacts::Artifact sheared() {
  artifacts::Artifact samples;
  samples.arrays["sites"] = {{2, 3}, {0, 0, 0, 2, 2, 2}, {}, "angstrom"};
  samples.arrays["cell"] = {{3, 3}, {4, 0, 0, 0, 4, 0, 0, 0, 4}, {}, "angstrom"};
  samples.arrays["displacements"] = {{2, 2, 3}, {0.1, 0, 0, -0.1, 0, 0, 0, 1.0 / 3.0, 0, 0, -1.0 / 3.0, 0}, {}, "angstrom"};
  samples.arrays["deformation"] = {{2, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0.5, 0, 0, 1, 0, 0, 0, 2}, {}, ""};
  samples.arrays["energy"] = {{2}, {-1.5, -1.25}, {}, "eV"};
  samples.arrays["time"] = {{2}, {0, 20}, {}, "fs"};
  samples.arrays["chain"] = {{2}, {}, {3, 3}, ""};
  return samples;
}

std::filesystem::path stored(const test::ScratchDirectory& scratch, const artifacts::Artifact& artifact) {
  const std::filesystem::path file = scratch.path() / "result.h5";
  store::write_durably(file, store::encode_hdf5(artifact));
  return file;
}

void check_same(const Frame& a, const Frame& b) {
  REQUIRE(a.positions.size() == b.positions.size());
  for (std::size_t i = 0; i < a.positions.size(); ++i) CHECK(a.positions[i] == b.positions[i]);
  CHECK(a.cell == b.cell);
  CHECK(a.time == b.time);
  CHECK(a.chain == b.chain);
  CHECK(a.step == b.step);
}

struct Ice {
  crystal::Crystal crystal = crystal::make_crystal(*crystal::find_lattice("diamond_cubic"), {2, 2, 2}, 0.0336);
  std::vector<Vector3> moved() const {
    std::vector<Vector3> positions = crystal.sites;
    for (std::size_t i = 0; i < positions.size(); ++i) {
      for (std::size_t d = 0; d < 3; ++d) positions[i][d] += 0.2 * std::sin(1.7 * static_cast<double>(3 * i + d) + 0.3);
    }
    return positions;
  }
};

double largest_difference(const std::vector<Vector3>& a, const std::vector<Vector3>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) largest = std::max(largest, std::abs(a[i][d] - b[i][d]));
  }
  return largest;
}

}  // namespace

TEST_CASE("samples of a cell that moves stand at F (R + u) in a cell with the rows h F^T", "[trajectory]") {
  const test::ScratchDirectory scratch;
  trajectory::SampleReader samples(stored(scratch, sheared()));
  REQUIRE(samples.frames() == 2);
  const Frame frame = samples.frame(1);
  CHECK(frame.positions[0][0] == Approx(0.5 / 3.0));  // x + y / 2
  CHECK(frame.positions[1][0] == Approx(2.0 + 0.5 * (2.0 - 1.0 / 3.0)));
  CHECK(frame.positions[1][2] == 4.0);
  CHECK(frame.cell[1] == Vector3{2.0, 4.0, 0.0});
  CHECK(frame.cell[2] == Vector3{0.0, 0.0, 8.0});
  CHECK(*frame.energy == -1.25);
  check_same(samples.frame(0), trajectory::SampleReader(scratch.path() / "result.h5").frame(0));
}

TEST_CASE("what is written as H5MD and as extended XYZ reads back bit for bit", "[trajectory]") {
  const test::ScratchDirectory scratch;
  trajectory::SampleReader samples(stored(scratch, sheared()));
  const trajectory::Heading heading{"Si", false};
  for (const char* format : {"hdf5", "extxyz"}) {
    INFO(format);
    const std::filesystem::path file = scratch.path() / format;
    std::unique_ptr<trajectory::FrameWriter> writer;
    if (format == std::string("hdf5")) writer = std::make_unique<trajectory::H5mdWriter>(file, heading, samples.content());
    else writer = std::make_unique<trajectory::ExtxyzWriter>(file, heading);
    for (std::int64_t i = 0; i < 2; ++i) writer->write(samples.frame(i));
    writer->finish();
    const auto reader = trajectory::open_frames(file, format);
    for (std::int64_t i = 0; i < 2; ++i) {
      const auto frame = reader->next();
      REQUIRE(frame);
      check_same(*frame, samples.frame(i));
      CHECK(frame->species == std::vector<std::string>{"Si", "Si"});
    }
    CHECK_FALSE(reader->next());
  }
}

TEST_CASE("a configuration that weighs nothing is written as extended XYZ by its weight, and reads back", "[trajectory]") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path file = scratch.path() / "left.xyz";
  Frame frame = trajectory::SampleReader(stored(scratch, sheared())).frame(0);
  frame.weight = 0.0;
  frame.log_weight = -INFINITY;
  trajectory::ExtxyzWriter writer(file, {"Si", false});
  writer.write(frame);
  writer.finish();
  CHECK(trajectory::open_frames(file, "extxyz")->next()->log_weight == -INFINITY);
}

TEST_CASE("a file that is no trajectory is refused by its name", "[trajectory]") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path text = scratch.path() / "notes.txt";
  std::ofstream(text) << "two atoms\n";
  CHECK_THROWS_AS(trajectory::open_frames(text, "hdf5"), StoreError);
  CHECK_THROWS_AS(trajectory::open_frames(text, "extxyz")->next(), InputError);
  CHECK_THROWS_WITH(trajectory::open_frames(text, "lammpsdump")->next(), Catch::Contains("notes.txt:1: a dump of LAMMPS"));
  CHECK_THROWS_AS(trajectory::open_frames(scratch.path() / "none", "extxyz"), StoreError);
  artifacts::Artifact bare;
  bare.arrays["x"] = {{1}, {1.0}, {}, ""};
  CHECK_THROWS_WITH(trajectory::open_frames(stored(scratch, bare), "hdf5"), Catch::Contains("neither particles"));
  CHECK_THROWS_AS(trajectory::SampleReader(scratch.path() / "result.h5"), InputError);
}

TEST_CASE("a dump of LAMMPS gives its triclinic cell, and its atoms in the order of their ids", "[trajectory]") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path file = scratch.path() / "dump";
  // Cell a = (4, 0, 0), b = (1, 5, 0), c = (-2, 0.5, 6) with its origin at (10, 20, 30), as LAMMPS bounds it.
  std::ofstream(file) << "ITEM: UNITS\nmetal\nITEM: TIME\n1250.5\nITEM: TIMESTEP\n2501000\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS xy xz yz pp pp pp\n"
                      << "8 15 1\n20 25.5 -2\n30 36 0.5\nITEM: ATOMS id type x y z\n2 1 11 22 33\n1 1 10 20 30\n";
  const auto reader = trajectory::open_frames(file, "lammpsdump");
  const Frame frame = reader->next().value();
  CHECK(frame.step == 2501000);
  CHECK(*frame.time == Approx(1250500));  // ps of the units metal
  CHECK(frame.cell[0] == Vector3{4, 0, 0});
  CHECK(frame.cell[1] == Vector3{1, 5, 0});
  CHECK(frame.cell[2] == Vector3{-2, 0.5, 6});
  CHECK(frame.positions[0] == Vector3{0, 0, 0});
  CHECK(frame.positions[1] == Vector3{1, 2, 3});
  std::ofstream(file) << "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS ff pp pp\n0 1\n0 1\n0 1\nITEM: ATOMS id x y z\n1 0 0 0\n";
  CHECK_THROWS_WITH(trajectory::open_frames(file, "lammpsdump")->next(), Catch::Contains("periodic in three directions"));
}

TEST_CASE("what stands beside the positions of extended XYZ is a number or refused", "[trajectory]") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path file = scratch.path() / "one.xyz";
  const auto read = [&](const std::string& keys) {
    std::ofstream(file) << "1\nLattice=\"4 0 0 0 4 0 0 0 4\" Properties=species:S:1:pos:R:3 " + keys + "\nSi 0 0 0\n";
    return trajectory::open_frames(file, "extxyz")->next().value();
  };
  const Frame frame = read("time=+2.5e3 log_weight=-7 chain=3 step=4000000");
  CHECK(*frame.time == 2500.0);
  CHECK(*frame.log_weight == -7.0);
  CHECK(*frame.chain == 3);
  CHECK(frame.step == 4000000);
  for (const char* keys : {"time=soon", "time=1.5ps", "log_weight=-inf", "weight=nan"}) {
    INFO(keys);
    CHECK_THROWS_WITH(read(keys), Catch::Contains("is a finite number, it is '"));
  }
  for (const char* keys : {"chain=0.5", "step=1e300"}) CHECK_THROWS_WITH(read(keys), Catch::Contains("is a whole number, it is '"));
}

TEST_CASE("times of H5MD are in the unit that it names", "[trajectory]") {
  const test::ScratchDirectory scratch;
  artifacts::Artifact plain;
  plain.arrays["positions"] = {{2, 1, 3}, {0, 0, 0, 0.1, 0, 0}, {}, "nm"};
  plain.arrays["cell"] = {{3}, {4, 4, 4}, {}, ""};
  plain.arrays["time"] = {{2}, {0.5, 1.5}, {}, "ps"};
  {
    const auto reader = trajectory::open_frames(stored(scratch, plain), "hdf5");
    CHECK(reader->length_unit() == "nm");
    CHECK(*reader->next().value().time == 500.0);
    CHECK(*reader->next().value().time == 1500.0);
  }
  plain.arrays["time"].unit = "weeks";
  CHECK_THROWS_WITH(trajectory::open_frames(stored(scratch, plain), "hdf5"), Catch::Contains("`time` is in 'weeks'; bgw knows fs, ps and ns"));
}

TEST_CASE("atoms find their sites in any order, on any side of the box, wherever the crystal stands", "[trajectory]") {
  const Ice ice;
  const std::vector<Vector3> positions = ice.moved();
  trajectory::SiteAssignment in_order(ice.crystal.sites, ice.crystal.cell);
  const std::vector<Vector3> u = in_order.displacements(positions, "here");
  Vector3 mean{};
  for (const Vector3& each : u) {
    for (std::size_t d = 0; d < 3; ++d) mean[d] += each[d];
  }
  for (const double x : mean) CHECK(std::abs(x) < 1e-12);

  const double edge = ice.crystal.cell.vectors[0][0];
  for (const double shift : {0.0, 3.7}) {
    std::vector<Vector3> shuffled;
    for (std::size_t i = 0; i < positions.size(); ++i) {
      Vector3 x = positions[(i * 37 + 5) % positions.size()];
      for (double& component : x) component = component + shift - edge * std::floor((component + shift) / edge);
      shuffled.push_back(x);
    }
    trajectory::SiteAssignment assignment(ice.crystal.sites, ice.crystal.cell);
    std::vector<Vector3> found = assignment.displacements(shuffled, "here");
    // A crystal that was moved may take the sites of any of its translations: the same displacements on others.
    std::vector<Vector3> wanted = u;
    std::sort(found.begin(), found.end());
    std::sort(wanted.begin(), wanted.end());
    CHECK(largest_difference(found, wanted) < 1e-12);
    // Later configurations drift.
    for (Vector3& x : shuffled) x[1] += 5.0;
    found = assignment.displacements(shuffled, "later");
    std::sort(found.begin(), found.end());
    CHECK(largest_difference(found, wanted) < 1e-12);
  }
}

TEST_CASE("a configuration of another crystal, or a molten one, is refused with its number", "[trajectory]") {
  const Ice ice;
  const auto refusal = [&](std::vector<Vector3> positions) {
    trajectory::SiteAssignment assignment(ice.crystal.sites, ice.crystal.cell);
    return assignment.displacements(positions, "traj.h5, configuration 1");
  };
  std::vector<Vector3> positions = ice.moved();
  positions[7][0] += 1.6;
  CHECK_THROWS_WITH(refusal(positions), Catch::Contains("limit 1.34 (half the distance of nearest neighbours)"));
  positions.pop_back();
  CHECK_THROWS_WITH(refusal(positions), Catch::Contains("has 63 atoms, the crystal of the system 64"));
  positions = ice.moved();
  positions[3][2] = NAN;
  CHECK_THROWS_WITH(refusal(positions), Catch::Contains("the position of atom 4 is not finite"));
  positions = ice.moved();
  positions[9] = positions[8];
  CHECK_THROWS_AS(refusal(positions), InputError);

  trajectory::SiteAssignment assignment(ice.crystal.sites, ice.crystal.cell);
  assignment.displacements(ice.moved(), "first");
  positions = ice.moved();
  positions[7][0] += 1.6;
  CHECK_THROWS_WITH(assignment.displacements(positions, "second"), Catch::Contains("second: atom 8 is"));
}

TEST_CASE("a pending file appears whole, and not where another stands", "[store]") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path place = scratch.path() / "out";
  const auto write = [&](const char* text, bool replace) {
    store::PendingFile pending(place);
    std::ofstream(pending.path()) << text;
    CHECK(store::is_there(pending.path()));
    return pending.publish(replace);
  };
  { const store::PendingFile dropped(place); std::ofstream(dropped.path()) << "half"; }
  CHECK(store::entries_of(scratch.path()).empty());
  CHECK(write("first", false));
  CHECK_FALSE(write("second", false));
  CHECK(store::read_bytes(place) == "first");
  CHECK(write("third", true));
  CHECK(store::read_bytes(place) == "third");
  CHECK(store::entries_of(scratch.path()).size() == 1);
}
