// Crystals at rest under pressure: the way down, the surface it goes on, and what the task relax makes of known crystals.
#include "tests/support/catch.h"

#include <cmath>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/sampling/descent.h"
#include "runtime/sampling/relaxation.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/memory_context.h"

using namespace bgw;
using namespace bgw::sampling;
using schema::List;
using schema::Map;
using schema::Value;

namespace {

constexpr double kKilocalorie = 0.043364104241800934;  // per mol, eV
constexpr double kGigapascal = 0.006241509074460763;   // eV/angstrom^3

Value silicon_of(Map lattice) {
  return Map{{"potential", testing::stillinger_weber_value(50.003 * kKilocalorie, 2.0951, 21.0)}, {"lattice", std::move(lattice)}, {"minimum_image", "strict"}};
}

Value diamond() { return silicon_of({{"kind", "diamond_cubic"}, {"atoms", 64}, {"density", 0.0567}, {"repeats", List{2, 2, 2}}}); }

Value tin(List repeats, double delta = 0.0) {
  const std::int64_t atoms = 4 * repeats[0].as_int() * repeats[1].as_int() * repeats[2].as_int();
  Map lattice{{"kind", "beta_tin"}, {"atoms", atoms}, {"density", 0.061}, {"repeats", std::move(repeats)}, {"c_over_a", 0.58}};
  if (delta != 0.0) lattice["delta"] = delta;
  return silicon_of(std::move(lattice));
}

plan::TaskSpec relaxing(Value system, double gigapascal, Map changes = {}) {
  plan::TaskSpec spec;
  spec.name = spec.kind = "relax";
  Map arguments{{"system", std::move(system)}, {"pressure", gigapascal * kGigapascal}, {"box", "isotropic"}, {"sites", "free"}, {"periodic_in", "box"},
                {"tries", 0}, {"displacement", 0.1}, {"temperature", nullptr}, {"steps", 200}, {"seed", nullptr}};
  for (auto& [name, value] : changes) arguments[name] = value;
  spec.arguments = std::move(arguments);
  spec.key = spec.stream_key = plan::sha256(plan::preimage(spec));
  return spec;
}

artifacts::Artifact run(const plan::TaskSpec& spec) {
  test::MemoryStore store;
  test::MemoryContext context(store, spec);
  return tasks::registry().at("relax")(context);
}

double number(const artifacts::Artifact& artifact, const std::string& name) {
  const artifacts::Result* result = artifact.find_result(name);
  INFO(name);
  REQUIRE(result);
  return result->value;
}

void check_equal(const artifacts::Artifact& a, const artifacts::Artifact& b) {
  REQUIRE(a.results.size() == b.results.size());
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    INFO(a.results[i].name);
    CHECK(a.results[i].value == b.results[i].value);
  }
  for (const auto& [name, array] : a.arrays) CHECK(array.doubles == b.array(name).doubles);
  CHECK(a.cost.gradient_calls == b.cost.gradient_calls);
}

/// A crystal of eight atoms with a surface of its enthalpy. Not movable: the surface refers to the model.
struct Small {
  explicit Small(BoxShape shape) : value(tin({1, 1, 2}, 0.05)), crystal(physics::make_crystal(value)),
                                   model(physics::make_energy_model(value, crystal.sites, crystal.cell)),
                                   surface(*model, crystal.cell.volume(), shape, 15 * kGigapascal, true) {}
  Small(const Small&) = delete;
  Value value;
  crystal::Crystal crystal;
  std::unique_ptr<physics::EnergyModel> model;
  EnthalpySurface surface;

  Tensor somewhere(double length) const { return length * tensor::RandomStream(plan::Key{}, "somewhere").normal(0, 0, 1, surface.width()); }
};

}  // namespace

TEST_CASE("a way down never rises and ends where the slope is none", "[relax]") {
  // The valley of Rosenbrock: narrow, bent, and flat along its floor.
  const auto height = [](const std::vector<double>& x) { return 100 * std::pow(x[1] - x[0] * x[0], 2) + std::pow(1 - x[0], 2); };
  const auto slope = [](const std::vector<double>& x) {
    return std::vector<double>{-400 * x[0] * (x[1] - x[0] * x[0]) - 2 * (1 - x[0]), 200 * (x[1] - x[0] * x[0])};
  };
  Descent descent({-1.2, 1.0}, 1000.0, 0.3);
  double last = INFINITY;
  int steps = 0;
  do {
    const std::vector<double> g = slope(descent.trial());
    descent.tell(height(descent.trial()), g.data());
    CHECK(descent.height() <= last + 1e-12);
    last = descent.height();
  } while (descent.largest_slope() > 1e-10 && ++steps < 500);
  CHECK(steps < 200);
  CHECK(std::abs(descent.point()[0] - 1) < 1e-9);
  CHECK(std::abs(descent.point()[1] - 1) < 1e-9);
}

TEST_CASE("a step that leads to no number is shortened, and a point from which none leads down is stuck", "[relax]") {
  Descent descent({1.0}, 1.0, 10.0);  // x - ln x, of which the first step leads to zero
  for (int k = 0; k < 60 && (k == 0 || descent.largest_slope() > 1e-9); ++k) {
    const double x = descent.trial()[0], slope = 2.0 - 1.0 / x;
    descent.tell(x > 0 ? 2.0 * x - std::log(x) : NAN, &slope);
  }
  CHECK(std::abs(descent.point()[0] - 0.5) < 1e-8);
  Descent wrong({0.0}, 1.0, 1.0);  // a slope that lies
  for (int k = 0; k < 100 && !wrong.stuck(); ++k) {
    const double lie = 1.0;
    wrong.tell(-1e6 * wrong.trial()[0], &lie);
  }
  CHECK(wrong.stuck());
  CHECK(wrong.point()[0] == 0.0);
}

TEST_CASE("the slope of the enthalpy is that of finite differences, over sites and boxes of every shape", "[relax]") {
  for (const BoxShape shape : {BoxShape::isotropic, BoxShape::a_eq_b, BoxShape::orthorhombic, BoxShape::triclinic}) {
    const Small small(shape);
    const Tensor point = small.somewhere(0.05), direction = tensor::RandomStream(plan::Key{}, "direction").normal(0, 0, 1, small.surface.width());
    const double step = 1e-5;
    const Tensor sides = small.surface.at(at::cat({point + step * direction, point - step * direction})).height;
    const double difference = (sides[0] - sides[1]).item<double>() / (2 * step);
    CHECK(std::abs((small.surface.at(point).slope * direction).sum().item<double>() - difference) < 1e-7 * std::abs(difference) + 1e-7);
  }
}

TEST_CASE("a slope that keeps the symmetry is the slope itself where the crystal has it", "[relax]") {
  const Small small(BoxShape::a_eq_b);
  const physics::CrystalSymmetry symmetry = physics::symmetry_of(small.crystal);
  REQUIRE(symmetry.rotations.size() >= 4);
  const EnthalpySurface kept = small.surface.keeping(symmetry);
  const Tensor lattice = at::zeros({1, small.surface.width()}, at::kDouble);
  CHECK((kept.at(lattice).slope - small.surface.at(lattice).slope).abs().max().item<double>() < 1e-10);
  // Of a crystal without it, what is left is as symmetric as the lattice: averaged again it stays.
  const Tensor slope = kept.at(small.somewhere(0.05)).slope;
  const Tensor field = small.surface.displacements(slope)[0];
  CHECK((symmetry.average(field) - field).abs().max().item<double>() < 1e-12);
  CHECK((kept.at(small.somewhere(0.05)).slope - small.surface.at(small.somewhere(0.05)).slope).abs().max().item<double>() > 1e-2);
}

TEST_CASE("an edge that is sixteen times longer has no enthalpy", "[relax]") {
  const Small small(BoxShape::orthorhombic);
  Tensor point = at::zeros({2, small.surface.width()}, at::kDouble);
  point[1][24] = 1e3;
  const HeightAndSlope found = small.surface.at(point);
  CHECK(std::isfinite(found.height[0].item<double>()));
  CHECK(std::isinf(found.height[1].item<double>()));
  CHECK(found.slope[1].abs().max().item<double>() == 0.0);
}

TEST_CASE("what a try becomes does not hang on the others", "[relax]") {
  const Small small(BoxShape::a_eq_b);
  const Tensor points = tensor::RandomStream(plan::Key{}, "starts").normal(0, 0, 5, small.surface.width()) * 0.1;
  const double stiffness = stiffest_curvature(small.surface, points.narrow(0, 0, 1));
  const AnnealingOptions annealing{stiffness, 0.02, 40, plan::Key{}};
  const auto nothing = [](std::int64_t) {};
  const Tensor all = annealed(small.surface, points, 3, annealing, nothing);
  const Tensor two = annealed(small.surface, points.narrow(0, 2, 2), 5, annealing, nothing);
  CHECK(at::equal(all.narrow(0, 2, 2), two));
  CHECK((all - points).abs().max().item<double>() > 0.05);
  const RelaxationOptions options{stiffness, 1e-6, 2000};
  const auto together = relaxed(small.surface, all, options, nothing), alone = relaxed(small.surface, two.narrow(0, 1, 1), options, nothing);
  CHECK(together[3].end == Relaxed::End::settled);
  CHECK(together[3].height == alone[0].height);
  CHECK(at::equal(together[3].point, alone[0].point));
}

TEST_CASE("diamond at rest has its published edge, and no pressure is left in it", "[relax]") {
  for (const char* box : {"isotropic", "a_eq_b", "orthorhombic", "triclinic"}) {
    const artifacts::Artifact free = run(relaxing(diamond(), 0.0, {{"box", box}}));
    INFO(box);
    CHECK(std::abs(number(free, "edge") - 5.43095) < 1e-5);  // Stillinger and Weber (1985): two bonds of 2^(1/6) sigma
    CHECK(std::abs(number(free, "energy") + 2 * 50.003 * kKilocalorie) < 1e-7);  // two epsilon an atom
    CHECK(number(free, "largest_force") < 1e-8);
    for (const char* along : {"pressure_xx", "pressure_yy", "pressure_zz"}) CHECK(std::abs(number(free, along)) < 1e-9);
    CHECK(number(free, "imaginary_modes") == 0);
  }
}

TEST_CASE("the enthalpy at rest rises with the pressure by the volume", "[relax]") {
  const Map box{{"box", "a_eq_b"}, {"periodic_in", "cell"}};
  const double step = 0.05;
  const artifacts::Artifact at = run(relaxing(tin({2, 2, 4}, 0.06), 15.0, box));
  const double slope = (number(run(relaxing(tin({2, 2, 4}, 0.06), 15.0 + step, box)), "enthalpy") - number(run(relaxing(tin({2, 2, 4}, 0.06), 15.0 - step, box)), "enthalpy")) /
                       (2 * step * kGigapascal);
  CHECK(std::abs(slope - number(at, "volume")) < 1e-5);
  CHECK(number(at, "largest_force") < 1e-8);
  for (const char* along : {"pressure_xx", "pressure_yy", "pressure_zz"}) CHECK(std::abs(number(at, along) - 15.0 * kGigapascal) < 1e-9);
}

TEST_CASE("the distorted cell of four atoms is the known one, in its cell and in a box that repeats it", "[relax]") {
  const artifacts::Artifact cell = run(relaxing(tin({2, 2, 4}, 0.06), 15.0, {{"box", "a_eq_b"}, {"periodic_in", "cell"}}));
  const artifacts::Artifact box = run(relaxing(tin({2, 2, 4}, 0.06), 15.0, {{"box", "a_eq_b"}}));
  CHECK(std::abs(number(cell, "enthalpy") / kKilocalorie + 59.35437) < 1e-5);  // an independent code
  CHECK(std::abs(number(cell, "delta") - 0.063) < 5e-4);
  CHECK(number(cell, "imaginary_modes") == 0);
  for (const char* name : {"enthalpy", "volume", "c_over_a", "delta", "lowest_curvature"}) CHECK(std::abs(number(cell, name) - number(box, name)) < 1e-7);
  CHECK(cell.array("sites").shape[0] == 64);
}

TEST_CASE("the ideal cell keeps its symmetry, unstable as it is", "[relax]") {
  const artifacts::Artifact ideal = run(relaxing(tin({3, 3, 5}), 15.0, {{"box", "orthorhombic"}, {"periodic_in", "cell"}}));
  CHECK(std::abs(number(ideal, "delta")) < 1e-12);
  CHECK(std::abs(number(ideal, "b_over_a") - 1) < 1e-12);
  CHECK(number(ideal, "imaginary_modes") > 0);
  CHECK(number(ideal, "lowest_curvature") < -0.01);
  CHECK(number(ideal, "found") == 0);
}

TEST_CASE("displaced cells of four atoms find the orthorhombic one, and the artifact says where its atoms are", "[relax]") {
  const plan::TaskSpec spec = relaxing(tin({2, 2, 4}), 15.0, {{"box", "orthorhombic"}, {"periodic_in", "cell"}, {"tries", 32}, {"displacement", 0.3}, {"seed", 1}});
  const artifacts::Artifact found = run(spec);
  CHECK(std::abs(number(found, "enthalpy") / kKilocalorie + 59.64351) < 1e-5);  // an independent code
  CHECK(number(found, "found") > 0);
  CHECK(number(found, "spread") > 0);
  CHECK(number(found, "lattice_enthalpy") > number(found, "enthalpy"));
  CHECK_FALSE(found.find_result("delta"));

  const Tensor f = tensor::to_tensor(found.array("deformation"))[0], u = tensor::to_tensor(found.array("displacements"))[0], sites = tensor::to_tensor(found.array("sites"));
  const Tensor moved = at::matmul(sites + u, f.t()).contiguous();
  const crystal::Crystal lattice = physics::make_crystal(spec.arguments.at("system"));
  std::vector<crystal::Vector3> positions;
  for (std::int64_t i = 0; i < moved.size(0); ++i) positions.push_back({moved[i][0].item<double>(), moved[i][1].item<double>(), moved[i][2].item<double>()});
  const crystal::Cell cell = lattice.cell.deformed({{{f[0][0].item<double>(), 0, 0}, {0, f[1][1].item<double>(), 0}, {0, 0, f[2][2].item<double>()}}});
  const double energy = physics::make_energy_model(spec.arguments.at("system"), positions, cell)->energy(at::zeros({1, 64, 3}, at::kDouble)).item<double>();
  CHECK(std::abs(energy - found.array("energy").doubles[0]) < 1e-9);
  CHECK(std::abs(energy / 64 - number(found, "energy")) < 1e-10);
}

TEST_CASE("a search that is stopped goes on as if it had not been", "[relax]") {
  const plan::TaskSpec spec = relaxing(tin({2, 2, 4}), 15.0, {{"box", "a_eq_b"}, {"periodic_in", "cell"}, {"tries", 20}, {"temperature", 600.0}, {"steps", 120}, {"seed", 1}});
  const artifacts::Artifact whole = run(spec);
  int stopped = 0;
  for (const int after : {1, 2, 4, 7, 9, 12}) {
    test::MemoryStore store;
    test::MemoryContext context(store, spec);
    context.ask_after = after;
    try {
      check_equal(tasks::registry().at("relax")(context), whole);  // it came too late
      continue;
    } catch (const Stopped&) {
      ++stopped;
    }
    context.ask_after = -1;
    INFO(after);
    check_equal(tasks::registry().at("relax")(context), whole);
  }
  CHECK(stopped >= 3);
}

TEST_CASE("a pressure under which no crystal holds is refused with what became of it", "[relax]") {
  REQUIRE_THROWS_WITH(run(relaxing(diamond(), -40.0)), Catch::Matchers::Contains("does not hold at a pressure of -40 GPa"));
  REQUIRE_THROWS_WITH(run(relaxing(diamond(), 1e7)), Catch::Matchers::Contains("times that of the lattice"));
}

TEST_CASE("a lattice whose sites have their symmetry to some digits only comes to rest with all of it", "[relax]") {
  // Diamond, in a file that rounds: each atom is off by another part of 1e-5 of an edge.
  const auto of_file = [](double off) {
    List sites;
    const Tensor noise = off * (tensor::RandomStream(plan::Key{}, "rounding").uniform(0, 0, 8, 3) - 0.5);
    for (std::int64_t i = 0; i < 8; ++i) {
      const double ideal[4][3] = {{0, 0, 0}, {0.5, 0.5, 0}, {0.5, 0, 0.5}, {0, 0.5, 0.5}};
      List site;
      for (std::int64_t d = 0; d < 3; ++d) site.push_back(ideal[i / 2][d] + (i % 2 == 0 ? 0.0 : 0.25) + noise[i][d].item<double>());
      sites.push_back(std::move(site));
    }
    const double a = 5.4;
    return silicon_of({{"kind", "file"}, {"cell", List{List{a, 0.0, 0.0}, List{0.0, a, 0.0}, List{0.0, 0.0, a}}}, {"sites", std::move(sites)}, {"repeats", List{2, 2, 2}}, {"atoms", 64}, {"density", 8 / (a * a * a)}});
  };
  const crystal::Crystal off = physics::make_crystal(of_file(1e-5)), exact = physics::make_crystal(of_file(0.0));
  CHECK(physics::symmetry_of(off).rotations.size() == physics::symmetry_of(exact).rotations.size());
  CHECK(physics::shift_to_symmetry(exact).abs().max().item<double>() < 1e-12);
  const Tensor gaps = physics::sites_tensor(off) + physics::shift_to_symmetry(off) - physics::sites_tensor(exact);
  CHECK((physics::sites_tensor(off) - physics::sites_tensor(exact)).abs().max().item<double>() > 1e-5);
  CHECK((gaps - gaps.mean(0, true)).abs().max().item<double>() < 1e-12);

  const artifacts::Artifact rounded = run(relaxing(of_file(1e-5), 0.0));
  CHECK(number(rounded, "largest_force") < 1e-8);
  CHECK(std::abs(number(rounded, "edge") - 5.43095) < 1e-5);
  CHECK(std::abs(number(rounded, "energy") + 2 * 50.003 * kKilocalorie) < 1e-7);
  CHECK(number(run(relaxing(of_file(1e-5), 0.0, {{"sites", "fixed"}})), "largest_force") > 1e-5);
}
