#include "runtime/engine/cost_model.h"

#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
using schema::List;
using schema::Map;

Map training(int steps, int atoms) {
  return {{"system", Map{{"lattice", Map{{"atoms", atoms}}}}},
          {"stages", List{Map{{"name", "main"}, {"steps", steps}, {"batch", 16}}}}};
}

// A cache whose history is what a test writes into it.
class Past {
  test::ScratchDirectory scratch_;

 public:
  store::Cache cache = store::Cache::open(scratch_.path());

  struct Attempt {
    std::string state;
    double seconds;
    int cpus = 1;
    std::optional<std::int64_t> resumed_from = std::nullopt;
  };
  void add(const plan::TaskSpec& spec, const std::vector<Attempt>& attempts) {
    for (const Attempt& attempt : attempts) {
      const std::int64_t id = cache.records().begin_attempt(run_, spec.key, {attempt.cpus, ""});
      if (attempt.resumed_from) cache.records().attempt_resumed(id, *attempt.resumed_from);
      cache.records().end_attempt(id, {attempt.state, "", "", 0, attempt.seconds});
    }
  }
  void plan(const test::ToyPlan& toy) {
    run_ = cache.records().begin_run({"toy.bgw", "", {}, {}});
    cache.records().plan_tasks(run_, toy.plan, toy.all(), std::vector<std::string>(toy.plan.tasks.size(), "new"));
  }

 private:
  std::int64_t run_ = 0;
};

}  // namespace

TEST_CASE("the amount of work is what time is proportional to", "[cost]") {
  CHECK(engine::amount_of_work("train", training(60, 64))->value == 60 * 16 * 64);
  CHECK(engine::amount_of_work("train", training(60, 64))->measure == "samples atoms");
  const Map moved{{"count", 4000}, {"model", Map{{"call", "transfer"}, {"to", Map{{"lattice", Map{{"atoms", 216}}}}}}}};
  CHECK(engine::amount_of_work("sample", moved)->value == 4000 * 216);
  const Map still{{"count", 4000}, {"model", Map{{"task", "model"}}}};  // the crystal is that of the training
  CHECK(engine::amount_of_work("sample", still)->measure == "draws");
  const Map chains{{"system", Map{{"lattice", Map{{"atoms", 64}}}}},
                   {"path", Map{{"states", 3}}},
                   {"sampler", Map{{"chains", 16}, {"steps", 64}}}};
  CHECK(engine::amount_of_work("reference", chains)->value == 16 * 64 * 3 * 64);
  CHECK(engine::amount_of_data("reference", chains)->value == 16 * 64 * 64);
  const Map ladder{{"system", Map{{"lattice", Map{{"atoms", 64}}}}},
                   {"path", Map{{"temperatures", List{300.0, 500.0, 700.0, 900.0}}}},
                   {"sampler", Map{{"chains", 16}, {"steps", 64}}}};
  CHECK(engine::amount_of_work("reference", ladder)->value == 16 * 64 * 4 * 64);
  CHECK_FALSE(engine::amount_of_work("estimate", Map{{"method", "bar"}}));
  CHECK_FALSE(engine::amount_of_work("train", Map{{"stages", List{Map{{"name", "main"}}}}}));
}

TEST_CASE("an estimate is the median of time per amount of work", "[cost]") {
  test::ToyPlan toy;
  for (const int steps : {10, 20, 40}) toy.add("t" + std::to_string(steps), "train", training(steps, 64));
  const std::size_t next = toy.add("next", "train", training(100, 216));
  Past past;
  past.plan(toy);
  CHECK_FALSE(engine::CostModel(past.cache).estimate(toy.plan.tasks[next]));
  past.add(toy.plan.tasks[0], {{"done", 1.0, 2}});
  past.add(toy.plan.tasks[1], {{"done", 2.0, 2}});
  past.add(toy.plan.tasks[2], {{"done", 400.0, 1}});  // the machine was busy
  engine::CostModel model(past.cache);
  const std::optional<engine::CostEstimate> cost = model.estimate(toy.plan.tasks[next]);
  REQUIRE(cost);
  CHECK(cost->seconds == Approx(0.1 / 64 * 100 * 216));
  CHECK(cost->core_seconds == Approx(2 * cost->seconds));
  CHECK(model.earlier_tasks() == 3);
  CHECK(model.estimate(toy.plan.tasks[next], schema::Value(training(25, 216)))->seconds == Approx(0.75 * cost->seconds));
  CHECK_FALSE(model.estimate(toy.plan.tasks[toy.add("other", "sample", {})]));
}

TEST_CASE("the time of a result is that of the attempts it is made of", "[cost]") {
  test::ToyPlan toy;
  const std::size_t task = toy.add("t", "train", training(10, 64));
  Past past;
  past.plan(toy);
  past.add(toy.plan.tasks[task], {{"failed", 50.0}, {"checkpointed", 2.0}, {"done", 3.0, 1, 7}});
  CHECK(engine::CostModel(past.cache).estimate(toy.plan.tasks[task])->seconds == Approx(5.0));
  past.add(toy.plan.tasks[task], {{"done", 7.0}});  // made again by force
  CHECK(engine::CostModel(past.cache).estimate(toy.plan.tasks[task])->seconds == Approx(6.0));
}

TEST_CASE("a time of which a part is not known is no time", "[cost]") {
  test::ToyPlan toy;
  const std::size_t task = toy.add("t", "train", training(10, 64));
  Past past;
  past.plan(toy);
  past.add(toy.plan.tasks[task], {{"done", 1.0, 1, 900}});  // it went on from finished work
  CHECK_FALSE(engine::CostModel(past.cache).estimate(toy.plan.tasks[task]));
}
