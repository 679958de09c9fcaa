// Estimates that go on from a flow: annealing from it, averages over its auxiliary copies, and what their results say.
#include <cmath>
#include <set>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/array.h"
#include "tests/support/ice_study.h"

namespace {

using namespace bgw;
using namespace bgw::test;
using schema::List;
using schema::Map;
using schema::Value;

constexpr double kPublished = -25.16311;  // beta F / N of cubic ice, 64 molecules at 200 K

Map short_flow() { return {{"type", "mode_split"}, {"splits", 2}, {"look_ahead", 0}}; }

Map augmented_flow() {
  return {{"type", "augmented_coupling"}, {"aux_width", 0.16}, {"layers", 1}, {"bins", 4}, {"embedding", 8},
          {"conditioner", Map{{"call", "gnn"}, {"layers", 1}, {"frequencies", 2}}}};
}

void check_equal(const artifacts::Artifact& a, const artifacts::Artifact& b) {
  REQUIRE(a.arrays.size() == b.arrays.size());
  for (const auto& [name, array] : a.arrays) {
    INFO(name);
    CHECK(array.doubles == b.array(name).doubles);
    CHECK(array.integers == b.array(name).integers);
  }
  REQUIRE(a.results.size() == b.results.size());
  for (std::size_t i = 0; i < a.results.size(); ++i) CHECK(a.results[i].value == b.results[i].value);
}

/// The artifact of a task that is asked to stop after so many reports, a moment too late for its last step, and then finished.
artifacts::Artifact stopped_once(Study& study, const plan::TaskSpec& of, int reports) {
  test::MemoryContext context(study.store, of);
  context.ask_after = reports;
  CHECK_THROWS_AS(tasks::registry().at(of.kind)(context), Stopped);
  CHECK(context.saved == 1);
  context.ask_after = -1;
  return tasks::registry().at(of.kind)(context);
}

}  // namespace

TEST_CASE("annealing from a short flow gives the published free energy of ice, with more effective weights than the flow has", "[finish]") {
  Study study(64, "scha", short_flow(), 4);
  const plan::Key draws = study.run(study.drawing(1000));
  const artifacts::Artifact& flow = *study.store.objects.at(draws).artifact;
  const plan::TaskSpec annealing = study.annealing(draws, 200, 6);
  const artifacts::Artifact& annealed = study.result(annealing);
  for (const char* name : {"per_particle", "cumulant"}) {
    INFO(name << " " << number(annealed, name) << " +- " << sigma(annealed, name));
    CHECK(std::abs(number(annealed, name) - kPublished) < 3 * sigma(annealed, name));
    CHECK(sigma(annealed, name) < 1e-3);
  }
  INFO("flow " << number(flow, "ess") << ", annealed " << number(annealed, "ess"));
  CHECK(number(annealed, "ess") > number(flow, "ess") + 2 * (sigma(flow, "ess") + sigma(annealed, "ess")));
  CHECK(number(annealed, "states") == 6);
  CHECK(number(annealed, "acceptance") > 0.5);
  CHECK(number(annealed, "left_basin") == 0);
  CHECK(number(annealed, "pareto_k") < 0.7);
  CHECK(annealed.array("log_weight").size() == 200);
  CHECK(integral(annealed, "work_forward") == Approx(1.0));
  CHECK(annealed.cost.gradient_calls > 200 * 4 * 2);
  const artifacts::Result* energy = annealed.find_result("mean_energy");  // published: -752.185(7) kcal/mol
  CHECK(std::abs(energy->value / kElectronvolt + 752.185 / 64) < 4 * *energy->sigma / kElectronvolt);
}

TEST_CASE("an annealing from a flow that is stopped within a move goes on bit by bit, and more trajectories begin with fewer", "[finish]") {
  Study study(8, "phonon", short_flow(), 2);
  const plan::Key draws = study.run(study.drawing(30));
  const plan::TaskSpec some = study.annealing(draws, 12, 4);
  const artifacts::Artifact& whole = study.result(some);
  test::MemoryContext counting(study.store, some);
  tasks::estimate(counting);
  REQUIRE(counting.reports > 3);
  for (const int reports : {1, counting.reports - 2, counting.reports}) check_equal(stopped_once(study, some, reports), whole);
  plan::TaskSpec more = study.annealing(draws, 20, 4);
  more.stream_key = some.stream_key;  // as the compiler gives it, which leaves the count out
  const std::vector<double> twenty = study.result(more).array("log_weight").doubles, &twelve = whole.array("log_weight").doubles;
  REQUIRE(twenty.size() == 20);
  CHECK(std::vector<double>(twenty.begin(), twenty.begin() + 12) == twelve);
}

TEST_CASE("annealing from the samples of a Gaussian is that from the Gaussian", "[finish]") {
  Study study(8, "phonon", short_flow(), 1);
  const plan::Key draws = study.run(study.spec("sample", {{"model", task("model")}, {"count", 200}, {"batch", 128}, {"seed", 1}}, {{"model", study.base}}));
  const artifacts::Artifact& annealed = study.result(study.annealing(draws, 100, 5));
  CHECK(std::abs(number(annealed, "per_particle") + 25.8655) < 4 * std::hypot(sigma(annealed, "per_particle"), 5e-4));  // method.md 2.5
}

TEST_CASE("estimates say how heavy the tail of their weights is, how they agree, and draw the work of both sides on one grid", "[finish]") {
  Study study(8, "phonon", short_flow(), 2);
  const plan::Key draws = study.run(study.drawing(400)), data = study.run(study.chains());
  const artifacts::Artifact& both = study.result(study.estimating("bar", draws, {}, &data));
  CHECK(number(both, "pareto_k") < 0.7);
  CHECK(number(both, "consistency") < 5.0);
  CHECK(both.find_result("consistency")->convention.find("standard errors between") == 0);
  CHECK(both.array("curves/work_forward/x").doubles == both.array("curves/work_reverse/x").doubles);
  CHECK(integral(both, "work_forward") == Approx(1.0));
  CHECK(integral(both, "work_reverse") == Approx(1.0));
  const artifacts::Artifact& one = study.result(study.estimating("lfep", draws));
  CHECK(number(one, "pareto_k") == number(both, "pareto_k"));
  CHECK(one.find_result("consistency")->convention == "standard errors between lfep and cumulant");
  CHECK_FALSE(one.arrays.contains("curves/work_reverse/x"));
  CHECK(study.result(study.estimating("ess", draws)).find_result("consistency") == nullptr);
}

TEST_CASE("an average that one sample decides is refused, with what to change", "[finish]") {
  Study study(8, "phonon", short_flow(), 1);
  const plan::TaskSpec drawing = study.drawing(40);
  artifacts::Artifact far = study.result(drawing);
  far.arrays["log_weight"].doubles[7] = 50.0;
  study.store.objects[drawing.key].artifact = std::make_shared<const artifacts::Artifact>(far);
  const plan::TaskSpec average = study.estimating("lfep", drawing.key);
  test::MemoryContext context(study.store, average);
  CHECK_THROWS_WITH(tasks::estimate(context), Catch::Contains("does not reach the crystal: of 40 samples one carries 1 of the weight") &&
                                                  Catch::Contains("train the flow longer") && Catch::Contains("method = ais"));
  const artifacts::Artifact& quality = study.result(study.estimating("ess", drawing.key));
  CHECK(number(quality, "ess") == Approx(1.0 / 40));
  CHECK(number(quality, "largest_weight") == Approx(1.0));
}

TEST_CASE("averaging over the copies of an augmented flow keeps the free energy and brings the variance down", "[finish]") {
  Study study(8, "phonon", augmented_flow(), 12);
  const plan::Key draws = study.run(study.drawing(300)), data = study.run(study.chains());
  const auto marginal = [](int fresh) { return Map{{"marginal", true}, {"aux_draws", fresh}}; };
  const artifacts::Artifact& joint = study.result(study.estimating("lfep", draws));
  double before = number(joint, "variance");
  for (const int fresh : {4, 32}) {
    const artifacts::Artifact& averaged = study.result(study.estimating("lfep", draws, marginal(fresh)));
    INFO(fresh << " copies: " << number(averaged, "per_particle") << " +- " << sigma(averaged, "per_particle") << ", variance "
               << number(averaged, "variance") << ", before " << before << ", ess " << number(averaged, "ess"));
    CHECK(number(averaged, "variance") < before);
    CHECK(averaged.cost.energy_calls >= 300 * fresh);
    CHECK(std::abs(number(averaged, "per_particle") + 25.8655) < 4 * sigma(averaged, "per_particle"));
    before = number(averaged, "variance");
  }
  for (const int fresh : {0, 32}) {
    const artifacts::Artifact& both = study.result(study.estimating("bar", draws, fresh == 0 ? Map{} : marginal(fresh), &data));
    INFO(fresh << " copies, two sides: " << number(both, "per_particle") << " +- " << sigma(both, "per_particle"));
    CHECK(std::abs(number(both, "per_particle") + 25.8655) < 4 * std::hypot(sigma(both, "per_particle"), 5e-4));
  }
}

TEST_CASE("a marginal that is stopped among its copies goes on bit by bit, and other flows have none", "[finish]") {
  Study study(8, "phonon", augmented_flow(), 1);
  const plan::Key draws = study.run(study.drawing(40)), data = study.run(study.chains());
  const plan::TaskSpec both = study.estimating("bar", draws, {{"marginal", true}, {"aux_draws", 3}}, &data);
  const artifacts::Artifact& whole = study.result(both);
  check_equal(stopped_once(study, both, 1), whole);
  Study other(8, "phonon", short_flow(), 1);
  const plan::TaskSpec none = other.estimating("lfep", other.run(other.drawing(40)), {{"marginal", true}, {"aux_draws", 3}});
  test::MemoryContext context(other.store, none);
  CHECK_THROWS_WITH(tasks::estimate(context), Catch::Contains("no auxiliary copies"));
}

TEST_CASE("annealing from the network flows has the free energy of the crystal", "[finish]") {
  struct Case {
    const char* base;
    Map flow;
  };
  for (const Case& each : {Case{"phonon", augmented_flow()}, Case{"einstein_crystal", global_flow()}}) {
    Study study(8, each.base, each.flow, 12);
    const plan::Key draws = study.run(study.drawing(50));
    const artifacts::Artifact& annealed = study.result(study.annealing(draws, 120));
    INFO(each.base << " " << number(annealed, "per_particle") << " +- " << sigma(annealed, "per_particle") << ", states "
                   << number(annealed, "states") << ", ess " << number(annealed, "ess"));
    CHECK(std::abs(number(annealed, "per_particle") + 25.8655) < 4 * std::hypot(sigma(annealed, "per_particle"), 5e-4));
    CHECK(number(annealed, "ess") > 0.1);
  }
}
