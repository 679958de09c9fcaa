// The tasks behind `surface` and `phase_diagram`, from measured states to lines, on crystals whose free energy is known.
#include "tests/support/toy_crystal.h"

#include <memory>

#include "runtime/artifacts/called_result.h"
#include "runtime/foundation/errors.h"
#include "runtime/phases/coexistence.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "tests/support/catch.h"
#include "tests/support/task_desk.h"

using namespace bgw;
using namespace bgw::test;
using schema::List;
using schema::Map;
using schema::Value;

namespace {

constexpr double kGigapascal = 0.006241509074460763;

const std::vector<double> kTemperatures{300, 600, 900}, kVolumes{16, 18, 20, 22}, kSkews{-0.05, 0.05};

struct Desk : TaskDesk {
  /// A task that measured several states of a toy at once.
  plan::Key measured(const std::string& lattice, std::int64_t repeat, const phases::Measurements& states) {
    const Value system = Map{{"lattice", Map{{"kind", lattice}, {"repeats", List{repeat, repeat, repeat}}}}};
    const plan::TaskSpec of = spec("reference", lattice, {{"system", system}, {"first", states.numbers.mean.front()}, {"count", static_cast<std::int64_t>(states.states.size())}});
    artifacts::Artifact artifact;
    std::vector<double> table;
    for (const phases::BoxState& state : states.states) table.insert(table.end(), {state.temperature, state.volume, state.c_over_a, state.b_over_a});
    artifact.arrays["states/table"] = tensor::to_array(at::tensor(at::ArrayRef<double>(table), at::kDouble).view({-1, 4}));
    artifact.arrays["states/numbers"] = tensor::to_array(at::tensor(at::ArrayRef<double>(states.numbers.mean), at::kDouble));
    artifact.arrays["states/covariance"] = tensor::to_array(states.numbers.covariance);
    artifact.arrays["sites"] = tensor::to_array(at::zeros({64, 3}, at::kDouble));
    artifact.arrays["cell"] = tensor::to_array(at::eye(3, at::kDouble));
    artifact.results = {{"per_particle", -10.0, 0.001, "kT", {}, ""}, {"all_sublattices", -10.0 - std::log(2.0) / 64, 0.001, "kT", {}, ""}};
    keep(of, std::move(artifact));
    return of.key;
  }

  plan::Key run(const plan::TaskSpec& of) {
    TaskDesk::run(of);
    return of.key;
  }
  const artifacts::Artifact& at(const plan::Key& key) { return *store.objects.at(key).artifact; }

  plan::Key surface(const std::vector<plan::Key>& states, const char* over = "temperature", int volume_degree = 2) {
    Map arguments{{"box", "a_eq_b"}, {"over", over}, {"temperature_degree", 1}, {"volume_degree", volume_degree}, {"shape_degree", volume_degree}};
    List list;
    std::map<std::string, plan::Key> inputs;
    for (const plan::Key& state : states) {
      const std::string role = "states." + std::to_string(list.size());
      inputs[role] = state;
      list.push_back(Map{{"task", role}});
    }
    arguments["states"] = std::move(list);
    return run(spec("surface", "G", std::move(arguments), inputs));
  }

  plan::TaskSpec diagram(const std::vector<plan::Key>& surfaces, const std::vector<double>& temperatures, double low, double high, bool coexistence = true) {
    List list, rising, grid;
    std::map<std::string, plan::Key> inputs;
    for (const plan::Key& surface : surfaces) {
      const std::string role = "phases." + std::to_string(list.size());
      inputs[role] = surface;
      list.push_back(Map{{"task", role}});
    }
    for (const double t : temperatures) rising.push_back(t);
    for (int i = 0; i <= 4; ++i) grid.push_back((low + 0.25 * i * (high - low)) * kGigapascal);
    return spec("phase_diagram", "pt", {{"phases", list}, {"temperature", rising}, {"pressure", grid}, {"coexistence", coexistence}}, inputs);
  }
};

/// Volume at which a toy in its best shape has a pressure, by bisection.
double volume_at(const Toy& toy, double temperature, double pressure) {
  double low = 10, high = 30;
  for (int k = 0; k < 200; ++k) {
    const double middle = 0.5 * (low + high);
    (-toy.by_volume(temperature, middle, toy.best_ratio(middle)) / middle > pressure ? low : high) = middle;
  }
  return low;
}

double gibbs_of(const Toy& toy, double temperature, double pressure) {
  const double v = volume_at(toy, temperature, pressure);
  return toy.free_energy(temperature, v, toy.best_ratio(v)) + pressure * v;
}

double crossing_of(const Toy& one, const Toy& other, double temperature, double low, double high) {
  const auto gap = [&](double p) { return gibbs_of(one, temperature, p) - gibbs_of(other, temperature, p); };
  REQUIRE((gap(low) > 0) != (gap(high) > 0));
  for (int k = 0; k < 200; ++k) {
    const double middle = 0.5 * (low + high);
    ((gap(middle) > 0) == (gap(low) > 0) ? low : high) = middle;
  }
  return low;
}

std::vector<double> dense_volumes() { return {13, 14.5, 16, 17.5}; }

}  // namespace

TEST_CASE("states become surfaces, surfaces a line where two crystals are known to meet", "[phase_tasks]") {
  Desk desk;
  const plan::Key a = desk.surface({desk.measured("diamond_cubic", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews))});
  const plan::Key b = desk.surface({desk.measured("beta_tin", 3, measure(dense(), kTemperatures, dense_volumes(), kSkews))});
  CHECK(desk.at(a).find_result("chi_square")->value < 1e-6);
  CHECK(desk.at(a).attributes.at("cell").as_string() == "diamond_cubic 2x2x2 (64 atoms)");
  CHECK(desk.at(a).attributes.at("sublattices").as_double() == Approx(std::log(2.0)).margin(1e-9));

  const artifacts::Artifact& pt = desk.at(desk.run(desk.diagram({b, a}, {300, 700}, 2, 16)));
  const List& points = pt.attributes.at("points").as_list();
  REQUIRE(points.size() == 2);
  for (const Value& point : points) {
    const double t = point.at("temperature").as_double();
    const double exact = crossing_of(Toy{}, dense(), t, 2 * kGigapascal, 16 * kGigapascal);
    CHECK(point.at("pressure").as_double() == Approx(exact / kGigapascal).epsilon(1e-6));
    CHECK(point.at("sigma").as_double() > 0);
    // The less dense phase stands first, in whatever order the phases are listed.
    CHECK(point.at("from").at("phase").as_string() == "diamond_cubic");
    CHECK(point.at("densities").as_list()[0].as_double() == Approx(1 / volume_at(Toy{}, t, exact)).epsilon(1e-6));
    CHECK(point.at("densities").as_list()[1].as_double() == Approx(1 / volume_at(dense(), t, exact)).epsilon(1e-6));
    const double step = 0.5;
    const double slope = (crossing_of(Toy{}, dense(), t + step, 2 * kGigapascal, 16 * kGigapascal) - crossing_of(Toy{}, dense(), t - step, 2 * kGigapascal, 16 * kGigapascal)) / (2 * step);
    CHECK(point.at("slope").as_double() == Approx(slope / kGigapascal).epsilon(1e-3));
    CHECK(point.at("stable").as_bool());
    const Map where{{"temperature", t}, {"from", "diamond_cubic"}, {"to", "beta_tin"}};
    REQUIRE(pt.find_result(artifacts::called_result("pressure", where)) != nullptr);
    CHECK(pt.find_result(artifacts::called_result("pressure", where))->value == Approx(exact).epsilon(1e-6));
  }
  CHECK(pt.find_result("without_crossing")->value == 0);
  CHECK(pt.array("lists/coexistence.pressure/value").doubles.size() == 2);
}

TEST_CASE("a diagram of surfaces over temperature knows the temperature of the line under each of its pressures", "[phase_tasks]") {
  Desk desk;
  const plan::Key a = desk.surface({desk.measured("fcc", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews, 5, 1))});
  const plan::Key b = desk.surface({desk.measured("bcc", 2, measure(dense(), kTemperatures, dense_volumes(), kSkews, 6, 1))});
  const double at_650 = crossing_of(Toy{}, dense(), 650, 2 * kGigapascal, 16 * kGigapascal);
  const artifacts::Artifact& pt = desk.at(desk.run(desk.diagram({b, a}, {300, 700}, at_650 / kGigapascal, 16)));
  const artifacts::Result* found = pt.find_result(artifacts::called_result("temperature", {{"pressure", at_650}, {"from", "fcc"}, {"to", "bcc"}}));
  REQUIRE(found != nullptr);
  CHECK(found->unit == "K");
  CHECK(std::abs(found->value - 650) < 4 * *found->sigma);
  CHECK(*found->sigma < 5);

  // A line between the isotherms of the diagram is one, too.
  const artifacts::Artifact& between = desk.at(desk.run(desk.diagram({b, a}, {300, 900}, at_650 / kGigapascal, 1.001 * at_650 / kGigapascal)));
  CHECK(between.find_result("without_crossing")->value == 2);
  CHECK(between.find_result(artifacts::called_result("temperature", {{"pressure", at_650}, {"from", "fcc"}, {"to", "bcc"}}))->value == found->value);

  const plan::Key c = desk.surface({desk.measured("hcp", 2, measure(dense(), kTemperatures, dense_volumes(), {-0.05, 0.0, 0.05}))}, "isotherms");
  const artifacts::Artifact& isotherms = desk.at(desk.run(desk.diagram({a, c}, {300, 600}, 2, 16)));
  for (const artifacts::Result& result : isotherms.results) CHECK_FALSE(result.name.starts_with("temperature("));
}

TEST_CASE("Gibbs energies and densities over the pressures are those of the crystals; the field says which lies lower", "[phase_tasks]") {
  Desk desk;
  const plan::Key a = desk.surface({desk.measured("fcc", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews))});
  const plan::Key b = desk.surface({desk.measured("bcc", 2, measure(dense(), kTemperatures, dense_volumes(), kSkews))});
  const artifacts::Artifact& pt = desk.at(desk.run(desk.diagram({a, b}, {600}, 4, 12)));
  const Map where{{"phase", "fcc"}, {"temperature", 600.0}};
  const std::vector<double>& gibbs = pt.array("lists/" + artifacts::called_result("gibbs", where) + "/value").doubles;
  const std::vector<double>& density = pt.array("lists/" + artifacts::called_result("density", where) + "/value").doubles;
  const std::vector<std::int64_t>& stable = pt.array("fields/stable_phase/places").integers;
  REQUIRE(gibbs.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    const double p = (4 + 2.0 * static_cast<double>(i)) * kGigapascal;
    CHECK(gibbs[i] == Approx(gibbs_of(Toy{}, 600, p)).margin(1e-9));
    CHECK(density[i] == Approx(1 / volume_at(Toy{}, 600, p)).epsilon(1e-7));
    CHECK(pt.find_result("unknown")->value == 0);
    CHECK(stable[i] == (gibbs_of(Toy{}, 600, p) < gibbs_of(dense(), 600, p) ? 0 : 1));
  }
}

TEST_CASE("isotherms know their temperatures and no others", "[phase_tasks]") {
  Desk desk;
  const plan::Key a = desk.surface({desk.measured("fcc", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews))}, "isotherms");
  const plan::Key b = desk.surface({desk.measured("bcc", 2, measure(dense(), kTemperatures, dense_volumes(), kSkews))}, "isotherms");
  const artifacts::Artifact& pt = desk.at(desk.run(desk.diagram({a, b}, {300, 600}, 2, 16)));
  const Value& point = pt.attributes.at("points").as_list()[1];
  CHECK(point.at("pressure").as_double() == Approx(crossing_of(Toy{}, dense(), 600, 2 * kGigapascal, 16 * kGigapascal) / kGigapascal).epsilon(1e-6));
  CHECK_THROWS_WITH(desk.run(desk.diagram({a, b}, {300, 450}, 2, 16)), Catch::Contains("no states at 450 K, but at 300 K, 600 K, 900 K"));
}

TEST_CASE("what makes no line is refused with what to change", "[phase_tasks]") {
  Desk desk;
  const plan::Key states = desk.measured("fcc", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews));
  const plan::Key a = desk.surface({states});
  const plan::Key b = desk.surface({desk.measured("bcc", 2, measure(dense(), kTemperatures, dense_volumes(), kSkews))});
  // Far below the crossing, and where a phase is not known any more.
  CHECK_THROWS_WITH(desk.run(desk.diagram({a, b}, {300}, 0, 1)), Catch::Contains("no two phases cross between 0 and 1 GPa") && Catch::Contains("widen `pressure`"));
  CHECK_THROWS_WITH(desk.run(desk.diagram({a, b}, {300}, 200, 300)), Catch::Contains("lies outside of its states' densities"));
  CHECK_THROWS_WITH(desk.run(desk.diagram({a, b}, {1200}, 2, 16)), Catch::Contains("no states at 1200 K, but at 300 to 900 K"));
  // Pressures that a phase is not known at are gaps, and counted.
  const artifacts::Artifact& gaps = desk.at(desk.run(desk.diagram({a}, {300}, 0, 400, false)));
  CHECK(gaps.find_result("unknown")->value == 4);
  CHECK(std::isnan(gaps.array("lists/" + artifacts::called_result("gibbs", {{"phase", "fcc"}, {"temperature", 300.0}}) + "/value").doubles[4]));
  // One phase is an equation of state.
  CHECK_NOTHROW(desk.run(desk.diagram({a}, {300}, 0, 1, false)));
  // States of two cells are no surface.
  CHECK_THROWS_WITH(desk.surface({states, desk.measured("fcc", 3, measure(Toy{}, {450}, kVolumes, kSkews))}), Catch::Contains("fcc 3x3x3 (64 atoms)"));
  // A crystal that has turned into another one at some states.
  phases::Measurements mixed = measure(Toy{}, kTemperatures, kVolumes, kSkews);
  mixed.numbers.mean[5 * 7] -= 0.01;
  CHECK_THROWS_WITH(desk.surface({desk.measured("fcc", 2, mixed)}), Catch::Contains("misses its states") && Catch::Contains("turned into another crystal"));
}

TEST_CASE("two phases of one lattice are named by their cells, those of one cell by numbers", "[phase_tasks]") {
  Desk desk;
  const phases::Measurements loose = measure(Toy{}, kTemperatures, kVolumes, kSkews), packed = measure(dense(), kTemperatures, dense_volumes(), kSkews);
  const plan::Key small = desk.surface({desk.measured("fcc", 2, loose)}), large = desk.surface({desk.measured("fcc", 3, packed)});
  const artifacts::Artifact& cells = desk.at(desk.run(desk.diagram({small, large}, {600}, 2, 16)));
  std::vector<std::string> known;
  for (const artifacts::Result& result : cells.results) known.push_back(result.name);
  CHECK(artifacts::meant_results(known, "pressure", {{"temperature", 600.0}, {"from", "fcc 2x2x2 (64 atoms)"}, {"to", "fcc 3x3x3 (64 atoms)"}}).size() == 1);
  const artifacts::Artifact& alike = desk.at(desk.run(desk.diagram({small, desk.surface({desk.measured("fcc", 2, packed)})}, {600}, 2, 16)));
  CHECK(alike.attributes.at("points").as_list()[0].at("from").at("phase").as_string() == "fcc 2x2x2 (64 atoms) no. 1");
  CHECK(alike.attributes.at("points").as_list()[0].at("to").at("phase").as_string() == "fcc 2x2x2 (64 atoms) no. 2");
}

TEST_CASE("what would count twice is no state of a surface", "[phase_tasks]") {
  Desk desk;
  const plan::Key states = desk.measured("fcc", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews));
  CHECK_THROWS_WITH(desk.surface({states, states}), Catch::Contains("would count twice"));
}

TEST_CASE("three phases meet where all three Gibbs energies are one", "[phase_tasks]") {
  Toy third = dense();
  third.volume = 18;
  third.energy = -4.092942635670066;  // all three meet at 550 K
  third.entropy = 4.5e-4;
  Desk desk;
  const plan::Key a = desk.surface({desk.measured("fcc", 2, measure(Toy{}, kTemperatures, kVolumes, kSkews))});
  const plan::Key b = desk.surface({desk.measured("bcc", 2, measure(dense(), kTemperatures, dense_volumes(), kSkews))});
  const plan::Key c = desk.surface({desk.measured("hcp", 2, measure(third, kTemperatures, {15, 16.5, 18, 20}, kSkews))});
  const artifacts::Artifact& pt = desk.at(desk.run(desk.diagram({a, b, c}, {300, 600, 900}, 1, 20)));
  const List& meetings = pt.attributes.at("triple_points").as_list();
  REQUIRE(meetings.size() == 1);
  CHECK(meetings[0].at("temperature").as_double() == Approx(550).epsilon(1e-4));
  const double t = meetings[0].at("temperature").as_double(), p = meetings[0].at("pressure").as_double() * kGigapascal;
  CHECK(gibbs_of(Toy{}, t, p) == Approx(gibbs_of(dense(), t, p)).margin(1e-7));
  CHECK(gibbs_of(Toy{}, t, p) == Approx(gibbs_of(third, t, p)).margin(1e-7));
  // Where a third phase lies lower, two meet without being stable.
  bool metastable = false;
  for (const Value& point : pt.attributes.at("points").as_list()) metastable = metastable || !point.at("stable").as_bool();
  CHECK(metastable);
}

TEST_CASE("results that are called are found by what they are called with", "[phase_tasks]") {
  const std::vector<std::string> known{"pressure(from=a, temperature=300, to=b)", "pressure(from=a, temperature=300, to=c)", "slope(from=a, temperature=300, to=b)"};
  CHECK(artifacts::called_result("pressure", {{"temperature", 0.1 * 3000}, {"from", "a"}, {"to", "b"}}) == known[0]);
  CHECK(artifacts::meant_results(known, "pressure", {{"temperature", 300.0}}).size() == 2);
  CHECK(artifacts::meant_results(known, "pressure", {{"temperature", 300.0}, {"to", "c"}, {"from", nullptr}}) == std::vector<std::string>{known[1]});
  CHECK(artifacts::meant_results(known, "pressure", {{"temperature", 30.0}}).empty());
}
