// What `bgw bench` asks of bgw-task: routes to free energies, run with seed after seed.
#include <unistd.h>

#include <cmath>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/task_json.h"
#include "runtime/tasks/bench_request.h"
#include "runtime/tasks/frenkel_ladd.h"
#include "tests/shared/systems.h"
#include "tests/support/catch.h"

namespace {

using namespace bgw;
using schema::List;
using schema::Map;
using schema::Value;

constexpr double kElectronvolt = 0.043364104241800934;  // of a kcal/mol
constexpr const char* kLammps = "/usr/bin/lmp";

Value ice() {
  Map system = testing::water("diamond_cubic", 64).as_map();
  system["potential"] = Map{{"style", "stillinger_weber"}, {"epsilon", 6.189 * kElectronvolt}, {"sigma", 2.3925},
                            {"lambda", 23.15}, {"a", 1.8}, {"gamma", 1.2}, {"cos0", -0.33331324756823727},
                            {"A", 7.049556277}, {"B", 0.6022245584}, {"p", 4.0}, {"q", 0.0}};
  system["mass"] = 18.015 * 103.64269652680505;
  return system;
}

Value at_temperature(double t) { return Map{{"kind", "nvt"}, {"temperature", t}}; }

plan::TaskSpec finished(plan::TaskSpec spec, const char* kind, Map arguments) {
  spec.name = spec.kind = kind;
  spec.arguments = std::move(arguments);
  spec.policy = spec.presentation = Map{};
  spec.key = spec.stream_key = plan::sha256(plan::preimage(spec));
  return spec;
}

/// Phonons, and chains of the crystal alone.
Value term(double weight, double temperature) {
  const plan::TaskSpec base = finished({}, "base", {{"kind", "phonon"}, {"system", ice()}, {"relax_sites", true},
                                                    {"ensemble", at_temperature(temperature)}, {"samples", 32}});
  plan::TaskSpec reading;
  reading.inputs.push_back({"path.base", base.key, 0});
  const Value path = Map{{"call", "base_to_target"}, {"base", Map{{"task", "path.base"}}}, {"states", 2}};
  const plan::TaskSpec chains = finished(reading, "reference", {{"method", "mbar"}, {"path", path}, {"seed", 1},
                                                                {"sampler", Map{{"call", "hmc"}, {"chains", 16}, {"steps", 8}}}});
  return Map{{"weight", weight}, {"tasks", List{store::to_json(base), store::to_json(chains)}}};
}

List runs_of(const Map& request) { return tasks::answer_bench_request(request).at("runs").as_list(); }

}  // namespace

TEST_CASE("a route is run anew with every seed, and what it cost is counted", "[bench]") {
  const Map request{{"seeds", 3}, {"terms", List{term(1, 200)}}};
  const List runs = runs_of(request);
  REQUIRE(runs.size() == 3);
  for (const Value& run : runs) {
    // published: -25.16311
    CHECK(std::abs(run.at("value").as_double() + 25.16311) < 5 * run.at("sigma").as_double());
    CHECK(run.at("sigma").as_double() < 0.02);
    CHECK(run.at("energy_calls").as_int() >= 16 * 8);  // draws of the Gaussian
    CHECK(run.at("force_calls").as_int() > 16 * 8);
    CHECK(run.at("hessian_calls").as_int() > 0);
    CHECK(run.at("seconds").as_double() > 0);
    CHECK(run.at("cpu_seconds").as_double() > 0);
  }
  CHECK(runs[0].at("value") != runs[1].at("value"));
  CHECK(runs[1].at("value") != runs[2].at("value"));
  const List again = runs_of(request);
  CHECK(again[1].at("value") == runs[1].at("value"));
}

TEST_CASE("the terms of a difference are added with their weights and independent errors", "[bench]") {
  const Value whole = runs_of({{"seeds", 1}, {"terms", List{term(1, 200)}}})[0];
  const Value half = runs_of({{"seeds", 1}, {"terms", List{term(-0.5, 200)}}})[0];
  const Value both = runs_of({{"seeds", 1}, {"terms", List{term(1, 200), term(-0.5, 200)}}})[0];
  CHECK(both.at("value").as_double() == Approx(0.5 * whole.at("value").as_double()));
  CHECK(half.at("value").as_double() == Approx(-0.5 * whole.at("value").as_double()));
  CHECK(both.at("sigma").as_double() == Approx(std::sqrt(1.25) * whole.at("sigma").as_double()));
  CHECK(both.at("force_calls").as_int() == 2 * whole.at("force_calls").as_int());
}

TEST_CASE("a route without overlap is a run without a value, and a wrong request an error", "[bench]") {
  const List runs = runs_of({{"seeds", 1}, {"terms", List{term(1, 20000)}}});
  CHECK_FALSE(runs.at(0).has("value"));
  CHECK_FALSE(runs.at(0).at("failed").as_string().empty());
  CHECK_THROWS(tasks::answer_bench_request(Map{{"seeds", 1}}));
  CHECK_THROWS(tasks::answer_bench_request(Map{{"seeds", 1}, {"terms", List{Map{{"weight", 1}, {"tasks", List{}}}}}}));
}

TEST_CASE("the path of LAMMPS from the Einstein crystal leads to the published free energy of ice", "[bench]") {
  if (::access(kLammps, X_OK) != 0) {
    WARN("skipped: no " << kLammps << " here (Debian: apt-get install lammps)");
    return;
  }
  const Map deck{{"program", kLammps}, {"system", ice()}, {"ensemble", at_temperature(200)}, {"timestep", 0.0025},
                 {"damping", 0.2}, {"width", 0.16}, {"equilibrate", 500}, {"produce", 3000}, {"every", 10},
                 {"lambdas", List{0.001, 0.1, 0.3, 0.6, 1.0}}};
  const tasks::FreeEnergyRun run = tasks::frenkel_ladd(deck, 1, 2);
  CHECK(run.per_particle.sigma > 0);
  CHECK(run.per_particle.sigma < 0.04);
  // The time step makes the vibrations a little wider.
  CHECK(std::abs(run.per_particle.value + 25.16311) < 4 * run.per_particle.sigma + 0.003);
  CHECK(run.cost.gradient_calls == 5 * 3500);

  Map wrong = deck;
  wrong["lambdas"] = List{0.001, 2.0};
  wrong["timestep"] = 10.0;
  CHECK_THROWS_AS(tasks::frenkel_ladd(wrong, 1, 1), NumericalError);
}
