// What tasks go on from: finished work of fewer steps or samples, and their own checkpoints, good and bad.
#include "runtime/engine/extension.h"

#include <fmt/format.h>

#include <fstream>

#include "runtime/engine/checkpoint_rhythm.h"
#include "runtime/engine/checkpoints.h"
#include "runtime/engine/executor.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/sqlite_database.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
namespace fs = std::filesystem;
using schema::List;
using schema::Map;
using schema::Value;

// Hears where tasks went on and what was told beside.
class Diary : public engine::Observer {
 public:
  std::vector<engine::Resumption> resumed;
  std::vector<std::string> notices;

 private:
  void task_resumed(const plan::TaskSpec&, const engine::Resumption& resumption) override { resumed.push_back(resumption); }
  void notice(const std::string& text) override { notices.push_back(text); }
};

// A program of one toy task that counts; all lengths of it have one stream, as the compiler arranges it.
test::ToyPlan counting(int count, Map more = {}) {
  test::ToyPlan toy;
  more["count"] = count;
  toy.add("draws", "sample", more, {}, test::eager());
  toy.plan.tasks[0].stream_key = plan::sha256("the stream of draws");
  return toy;
}

void run(const test::ToyPlan& toy, const fs::path& root, Diary& diary) {
  store::Cache cache = store::Cache::open(root);
  engine::RunOptions options;
  options.cpus = 1;
  options.task_program = BGW_FAKE_TASKS;
  REQUIRE(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 0);
}

std::string result_in(const fs::path& root, const test::ToyPlan& toy) {
  return store::read_bytes(store::Layout{root}.object(toy.plan.tasks[0].key) / "result.h5");
}

store::Manifest manifest_in(const fs::path& root, const test::ToyPlan& toy) {
  return *store::Cache::look(root).manifest(toy.plan.tasks[0].key);
}

// Changes one byte in the middle of a file.
void flip_byte(const fs::path& path) {
  std::string bytes = store::read_bytes(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  std::ofstream(path, std::ios::binary) << bytes;
}

// The state of a toy task after `values` values, of the same map that fake_tasks counts with.
artifacts::Artifact state_after(std::size_t values) {
  std::vector<double> x{0.4};
  while (x.size() < values) x.push_back(3.9 * x.back() * (1 - x.back()));
  artifacts::Artifact state;
  state.arrays["values"] = {{static_cast<std::int64_t>(values)}, x, {}, "angstrom"};
  state.cost.energy_calls = static_cast<std::int64_t>(values);
  state.attributes["checkpoint.step"] = static_cast<std::int64_t>(values);
  return state;
}

Value stage(const std::string& name, std::int64_t steps, Value learning_rate) {
  return Map{{"name", name}, {"loss", Map{{"call", "reverse_kl"}}}, {"steps", steps}, {"batch", 16}, {"learning_rate", std::move(learning_rate)}};
}

const Value kOneCycle = Map{{"call", "one_cycle"}, {"peak", 0.02}};

plan::TaskSpec training(List stages) {
  test::ToyPlan toy;
  toy.add("bg", "train", {{"seed", 1}, {"stages", std::move(stages)}});
  return toy.plan.tasks[0];
}

}  // namespace

TEST_CASE("more samples extend fewer of the same", "[engine][extension]") {
  const auto spec = [](int count, Map more = {}) { return counting(count, std::move(more)).plan.tasks[0]; };
  const auto extension = engine::extension_of(spec(1000), spec(2000));
  REQUIRE(extension.has_value());
  CHECK(extension->text() == "count 1000 -> 2000: extends finished work");
  CHECK(extension->step == 1000);
  CHECK(extension->key == spec(1000).key);
  CHECK_FALSE(engine::extension_of(spec(2000), spec(1000)).has_value());
  CHECK_FALSE(engine::extension_of(spec(1000), spec(1000)).has_value());
  CHECK_FALSE(engine::extension_of(spec(1000, {{"batch", 70}}), spec(2000, {{"batch", 80}})).has_value());
  plan::TaskSpec newer = spec(2000), of_other_model = spec(2000);
  newer.version = 2;
  of_other_model.inputs.push_back({"model", plan::sha256("another model"), 0});
  CHECK_FALSE(engine::extension_of(spec(1000), newer).has_value());
  CHECK_FALSE(engine::extension_of(spec(1000), of_other_model).has_value());
}

TEST_CASE("a longer last stage extends a training when its learning rate is a number", "[engine][extension]") {
  const auto two = [](std::int64_t warm, std::int64_t steps, const Value& rate) { return training({stage("warm", warm, kOneCycle), stage("main", steps, rate)}); };
  const auto extension = engine::extension_of(two(20, 60, 0.01), two(20, 600, 0.01));
  REQUIRE(extension.has_value());
  CHECK(extension->text() == "stage main.steps 60 -> 600: extends finished work");
  CHECK(extension->step == 80);
  CHECK_FALSE(engine::extension_of(two(20, 60, kOneCycle), two(20, 600, kOneCycle)).has_value());  // stretches
  CHECK_FALSE(engine::extension_of(two(20, 60, 0.01), two(30, 600, 0.01)).has_value());            // another first stage
  CHECK_FALSE(engine::extension_of(two(20, 60, 0.01), two(20, 600, 0.02)).has_value());
  CHECK_FALSE(engine::extension_of(training({stage("main", 60, 0.01)}), two(60, 600, 0.01)).has_value());
  CHECK(engine::can_be_extended(two(20, 60, 0.01)));
  CHECK_FALSE(engine::can_be_extended(two(20, 60, kOneCycle)));

  const auto annealed = [](std::int64_t steps) {
    Map with_schedule = stage("main", steps, 0.01).as_map();
    with_schedule["temperature"] = List{300.0, 200.0};  // walks through the stage, so it knows its length
    return training({with_schedule});
  };
  CHECK_FALSE(engine::extension_of(annealed(60), annealed(600)).has_value());
}

TEST_CASE("chains that discard a share of their length first are not extended", "[engine][extension]") {
  const auto chains = [](int steps) {
    test::ToyPlan toy;
    toy.add("ref", "reference", {{"sampler", Map{{"call", "hmc"}, {"chains", 16}, {"steps", steps}}}});
    return toy.plan.tasks[0];
  };
  CHECK_FALSE(engine::extension_of(chains(64), chains(128)).has_value());
}

TEST_CASE("a task goes on from the longest finished work and ends with the bytes of a fresh run", "[engine][extension]") {
  const test::ScratchDirectory scratch;
  const fs::path fresh = scratch.path() / "fresh", grown = scratch.path() / "grown";
  Diary diary;
  run(counting(40), fresh, diary);
  for (const int count : {10, 25}) run(counting(count), grown, diary);
  REQUIRE(diary.resumed.size() == 1);  // 25 from 10
  CHECK(diary.resumed[0].step == 10);

  store::Cache cache = store::Cache::look(grown);
  CHECK(engine::find_extension(counting(40).plan.tasks[0], cache)->from == 25);
  CHECK_FALSE(engine::find_extension(counting(5).plan.tasks[0], cache).has_value());
  run(counting(40), grown, diary);
  CHECK(diary.resumed.back().step == 25);
  CHECK(diary.resumed.back().extends == counting(25).plan.tasks[0].key);
  CHECK_FALSE(diary.resumed.back().age.has_value());
  CHECK(result_in(grown, counting(40)) == result_in(fresh, counting(40)));
  CHECK(manifest_in(grown, counting(40)).provenance.extended_from == counting(25).plan.tasks[0].key);
  CHECK_FALSE(manifest_in(fresh, counting(40)).provenance.extended_from.has_value());
  CHECK(manifest_in(grown, counting(40)).cost.energy_calls == manifest_in(fresh, counting(40)).cost.energy_calls);
  CHECK(diary.notices.empty());
}

TEST_CASE("damaged finished work is told and not gone on from", "[engine][extension]") {
  const test::ScratchDirectory scratch;
  const fs::path fresh = scratch.path() / "fresh", grown = scratch.path() / "grown";
  Diary diary;
  run(counting(40), fresh, diary);
  run(counting(10), grown, diary);
  flip_byte(store::Layout{grown}.object(counting(10).plan.tasks[0].key) / "result.h5");
  run(counting(40), grown, diary);
  CHECK(diary.resumed.empty());
  REQUIRE(diary.notices.size() == 1);
  CHECK(diary.notices[0].find("draws: the finished work to go on from is not usable") == 0);
  CHECK(result_in(grown, counting(40)) == result_in(fresh, counting(40)));
  CHECK_FALSE(manifest_in(grown, counting(40)).provenance.extended_from.has_value());
}

TEST_CASE("finished work that the system does not give is not gone on from", "[engine][extension]") {
  const test::ScratchDirectory scratch;
  Diary diary;
  run(counting(10), scratch.path(), diary);
  const fs::path manifest = store::Layout{scratch.path()}.object(counting(10).plan.tasks[0].key) / "manifest.json";
  fs::remove(manifest);
  fs::create_symlink(std::string(300, 'x'), manifest);  // a name that is too long to be followed
  run(counting(40), scratch.path(), diary);
  CHECK(diary.resumed.empty());
}

TEST_CASE("of a checkpoint and finished work the further one is gone on from", "[engine][extension]") {
  const test::ScratchDirectory scratch;
  const fs::path root = scratch.path() / "cache";
  Diary diary;
  run(counting(10), root, diary);
  const plan::Key key = counting(40).plan.tasks[0].key;
  const fs::path work = store::Layout{root}.work(key);
  store::make_directories(work);
  for (const std::size_t own : {5U, 15U}) {
    engine::Checkpoints(work, key, 2).save(state_after(own));
  }
  SECTION("the checkpoint is further") {
    run(counting(40), root, diary);
    REQUIRE(diary.resumed.size() == 1);
    CHECK(diary.resumed[0].step == 15);
    CHECK_FALSE(diary.resumed[0].extends.has_value());
    store::Database history(store::Layout{root}.database());
    CHECK(history.integer("SELECT resumed_from FROM t_attempt ORDER BY id DESC LIMIT 1") == 15);
  }
  SECTION("the checkpoint is of an attempt that went on from finished work") {
    artifacts::Artifact state = state_after(20);
    state.attributes["checkpoint.extended_from"] = counting(10).plan.tasks[0].key.hex();
    state.attributes["checkpoint.seconds_before"] = 1000.0;
    engine::Checkpoints(work, key, 2).save(state);
    run(counting(40), root, diary);
    CHECK(diary.resumed[0].step == 20);
    CHECK(manifest_in(root, counting(40)).provenance.extended_from == counting(10).plan.tasks[0].key);
    CHECK(manifest_in(root, counting(40)).cost.seconds > 1000);
  }
  SECTION("the finished work is further") {
    fs::remove(work / "ckpt-2.h5");
    run(counting(40), root, diary);
    REQUIRE(diary.resumed.size() == 1);
    CHECK(diary.resumed[0].step == 10);
    CHECK(diary.resumed[0].extends.has_value());
  }
}

TEST_CASE("a task process takes the newest checkpoint that is whole and keeps the others", "[engine][checkpoint]") {
  const test::ScratchDirectory scratch;
  const fs::path fresh = scratch.path() / "fresh", root = scratch.path() / "cache";
  const test::ToyPlan toy = counting(40);
  const plan::Key key = toy.plan.tasks[0].key;
  const fs::path work = store::Layout{root}.work(key);
  Diary diary;
  run(toy, fresh, diary);
  store::make_directories(work);
  for (const std::size_t values : {10U, 20U}) engine::Checkpoints(work, key, 2).save(state_after(values));
  const fs::path newest = work / "ckpt-2.h5";
  std::size_t bad = 1;
  SECTION("truncated") { fs::resize_file(newest, fs::file_size(newest) / 2); }
  SECTION("empty") { fs::resize_file(newest, 0); }
  SECTION("a flipped bit") { flip_byte(newest); }
  SECTION("of another task") {
    engine::Checkpoints(scratch.path() / "fresh", plan::sha256("another task"), 1).save(state_after(30));
    fs::copy_file(scratch.path() / "fresh" / "ckpt-1.h5", newest, fs::copy_options::overwrite_existing);
  }
  SECTION("all of them") {
    for (const char* name : {"ckpt-1.h5", "ckpt-2.h5"}) flip_byte(work / name);
    bad = 2;
  }
  run(toy, root, diary);
  if (bad == 1) {
    REQUIRE(diary.resumed.size() == 1);
    CHECK(diary.resumed[0].step == 10);
  } else {
    CHECK(diary.resumed.empty());
    CHECK(diary.notices.at(diary.notices.size() - 2) == "draws: no checkpoint is usable");
    CHECK(diary.notices.back() == "draws: beginning again from the start");
  }
  REQUIRE_FALSE(diary.notices.empty());
  CHECK(diary.notices[0].find("draws: checkpoint ckpt-2.h5 is not usable (") == 0);
  CHECK(fs::exists(work / "ckpt-2.h5.bad"));
  CHECK(fs::exists(work / "ckpt-1.h5.bad") == (bad == 2));
  CHECK_FALSE(fs::exists(work / "task.json"));  // of a task that is done only the evidence stays
  CHECK(result_in(root, toy) == result_in(fresh, toy));
}

TEST_CASE("what an attempt was killed in the middle of writing is swept by the next", "[engine][checkpoint]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("bad", "fail", {{"how", "nan"}});
  store::Cache cache = store::Cache::open(scratch.path());
  const fs::path work = cache.layout().work(toy.plan.tasks[0].key);
  fs::create_directories(work / "out.0123456789abcdef");
  for (const char* name : {"out.0123456789abcdef/result.h5", "ckpt-3.h5.4711.tmp", "ckpt-2.h5"}) std::ofstream(work / name) << "half";
  engine::RunOptions options;
  options.task_program = BGW_FAKE_TASKS;
  Diary diary;
  CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 4);
  CHECK_FALSE(fs::exists(work / "out.0123456789abcdef"));
  CHECK_FALSE(fs::exists(work / "ckpt-3.h5.4711.tmp"));
  CHECK(fs::exists(work / "ckpt-2.h5"));
}

TEST_CASE("the next state is written when the interval since the last one is over", "[engine][checkpoint]") {
  engine::CheckpointRhythm rhythm(10, 100);
  CHECK_FALSE(rhythm.is_due(109.9));
  CHECK(rhythm.is_due(110));
  CHECK_FALSE(rhythm.saved(112, 112.5));  // a late step; writing took half a second
  CHECK_FALSE(rhythm.is_due(121.4));
  CHECK(rhythm.is_due(121.5));         // so that it is written at 122
  CHECK(rhythm.saved(121.5, 123.5));   // more than a tenth: worth a line
  CHECK_FALSE(rhythm.saved(130, 132));  // which is said once
  rhythm.saved(140, 149);
  CHECK_FALSE(rhythm.is_due(157));  // half of the time is for the work
  CHECK(rhythm.is_due(158));
  engine::CheckpointRhythm at_every_step(0, 0);
  CHECK(at_every_step.is_due(0));
  CHECK_FALSE(at_every_step.saved(0, 5));
  CHECK(at_every_step.is_due(5));
}

TEST_CASE("a state that is found bad twice is kept twice", "[engine][checkpoint]") {
  const test::ScratchDirectory scratch;
  const plan::Key key = plan::sha256("a task");
  engine::Checkpoints checkpoints(scratch.path(), key, 1);
  for (int round = 0; round < 2; ++round) {
    checkpoints.save(state_after(3));
    flip_byte(scratch.path() / "ckpt-1.h5");
    CHECK_FALSE(checkpoints.load([](const std::string&) {}).has_value());
  }
  CHECK(fs::exists(scratch.path() / "ckpt-1.h5.bad"));
  CHECK(fs::exists(scratch.path() / "ckpt-1.h5-2.bad"));
}
