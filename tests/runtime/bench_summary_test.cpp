// What `bgw bench` makes of many runs of a route, and which it finds.
#include "runtime/cli/bench_summary.h"

#include <cmath>

#include "runtime/cli/failure.h"
#include "runtime/cli/fe1.h"
#include "tests/support/catch.h"

namespace {

using namespace bgw;
using schema::List;
using schema::Map;
using schema::Value;

Value run(double value, double seconds) {
  return Map{{"value", value}, {"sigma", 0.3}, {"energy_calls", 10}, {"force_calls", 20}, {"hessian_calls", 1},
             {"seconds", seconds}, {"cpu_seconds", 2 * seconds}};
}

std::string complaint(const std::vector<std::string>& states) {
  try {
    cli::find_fe1_states(states);
  } catch (const cli::CommandFailure& failure) {
    CHECK(failure.exit_code == cli::kWrongUse);
    return failure.what();
  }
  return "no complaint";
}

}  // namespace

TEST_CASE("errors are taken against the reference, and claims against errors", "[bench]") {
  const List runs{run(1.5, 9.0), run(0.5, 1.0), run(1.3, 2.0), Map{{"failed", "no overlap"}}, run(0.7, 3.0)};
  const cli::BenchSummary s = cli::summarise(runs, 0.6);
  CHECK(s.runs == 4);
  CHECK(s.failed == 1);
  CHECK(s.failure == "no overlap");
  CHECK(s.value == Approx(1.0));
  CHECK(s.value_sigma == Approx(std::sqrt((0.25 + 0.25 + 0.09 + 0.09) / 3 / 4)));
  CHECK(s.rmse == Approx(std::sqrt((0.81 + 0.01 + 0.49 + 0.01) / 4)));
  CHECK(s.claimed == Approx(0.3));
  CHECK(s.claimed_over_actual == Approx(0.3 / s.rmse));
  CHECK(s.seconds == Approx(2.5));
  CHECK(s.cpu_seconds == Approx(5.0));
  CHECK(s.force_calls == Approx(20));
}

TEST_CASE("one run has no spread, and none no value", "[bench]") {
  CHECK(std::isnan(cli::summarise({run(1, 1)}, 0).value_sigma));
  const cli::BenchSummary nothing = cli::summarise({Map{{"failed", "melted"}}}, 0);
  CHECK(nothing.runs == 0);
  CHECK(nothing.failure == "melted");
}

TEST_CASE("state points are found by name, in the order of the benchmark, and D is three of them", "[bench]") {
  const auto names = [](const std::vector<std::string>& asked) {
    std::string all;
    for (const cli::Fe1State& state : cli::find_fe1_states(asked)) all += state.name + " ";
    return all;
  };
  CHECK(names({}) == "A B C D64 D216 D512 ");
  CHECK(names({"D", "A"}) == "A D64 D216 D512 ");
  CHECK(names({"D64", "C"}) == "C D64 ");
  CHECK(complaint({"A", "E"}) == "there is no state point 'E' in this benchmark; it has A, B, C, D64, D216, D512");
  CHECK_THROWS_AS(cli::find_fe1_methods({"hmc"}), cli::CommandFailure);
}
