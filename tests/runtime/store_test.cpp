#include "tests/support/catch.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/cache.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/store/history.h"
#include "runtime/store/query.h"
#include "runtime/store/sqlite_database.h"
#include "runtime/store/task_json.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
namespace fs = std::filesystem;

artifacts::Artifact sample_artifact() {
  artifacts::Artifact artifact;
  artifact.arrays["displacements"] = {{2, 3}, {1, 2, 3, 4, 5, 6.5}, {}, "angstrom"};
  artifact.arrays["history/step"] = {{2}, {}, {10, 20}, ""};
  artifact.arrays["nothing"] = {{0, 3}, {}, {}, ""};
  artifact.arrays["one"] = {{}, {0.1}, {}, "kT"};
  artifact.results.push_back({"per_particle", -1.25, 0.01, "kT", 64, "beta F / N"});
  artifact.results.push_back({"ess", 0.5, std::nullopt, "", std::nullopt, ""});
  artifact.attributes["note"] = "text with µ";
  artifact.cost = {7, 5, 3, 1.5};
  return artifact;
}

plan::TaskSpec sample_task() {
  test::ToyPlan toy;
  const std::size_t base = toy.add("base", "base", {{"samples", 3}});
  toy.add("bg[64]", "train", {{"steps", 60}, {"rate", 0.02}}, {{"base", base}});
  return toy.plan.tasks.back();
}

store::Cache cache_with_work(const fs::path& root, const plan::TaskSpec& spec) {
  store::Cache cache = store::Cache::open(root);
  store::make_directories(cache.layout().work(spec.key));
  return cache;
}

// The exit status of `work` done in a process of its own.
int status_of(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int status = 99;
    try {
      status = work();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const StoreError& error) {
    return error.what();
  }
  return "";
}

void flip_byte(const fs::path& path, std::streamoff place) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(place);
  const int byte = file.get();
  file.seekp(place);
  file.put(static_cast<char>(byte ^ 1));
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an artifact comes back from its bytes as it was", "[store]") {
  const artifacts::Artifact artifact = sample_artifact();
  const artifacts::Artifact back = store::decode_hdf5(store::encode_hdf5(artifact));
  REQUIRE(back.arrays.size() == artifact.arrays.size());
  for (const auto& [name, array] : artifact.arrays) {
    INFO(name);
    CHECK(back.array(name).shape == array.shape);
    CHECK(back.array(name).doubles == array.doubles);
    CHECK(back.array(name).integers == array.integers);
    CHECK(back.array(name).unit == array.unit);
  }
  REQUIRE(back.results.size() == 2);
  CHECK(back.find_result("per_particle")->value == -1.25);
  CHECK(back.find_result("per_particle")->sigma == 0.01);
  CHECK(back.find_result("per_particle")->n == 64);
  CHECK_FALSE(back.find_result("ess")->sigma.has_value());
  CHECK(back.attributes.at("note").as_string() == "text with µ");
  CHECK(back.cost.hessian_calls == 3);
}

TEST_CASE("equal artifacts have equal bytes, whatever the time and the seconds spent", "[store]") {
  artifacts::Artifact artifact = sample_artifact();
  const std::string before = store::encode_hdf5(artifact);
  ::sleep(1);  // HDF5 keeps its times in whole seconds
  artifact.cost.seconds = 99;
  CHECK(store::encode_hdf5(artifact) == before);
}

TEST_CASE("a shape that does not fit its numbers and bytes that are no file are refused", "[store]") {
  artifacts::Artifact artifact;
  artifact.arrays["a"] = {{3}, {1, 2}, {}, ""};
  CHECK_THROWS_AS(store::encode_hdf5(artifact), ShapeError);
  const std::string bytes = store::encode_hdf5(sample_artifact());
  CHECK_THROWS_AS(store::decode_hdf5(bytes.substr(0, bytes.size() / 2)), StoreError);
  CHECK_THROWS_AS(store::decode_hdf5("no such file"), StoreError);
}

TEST_CASE("a task comes back from its text as it was", "[store]") {
  plan::TaskSpec spec = sample_task();
  spec.also_named = {"bg2"};
  const plan::TaskSpec back = store::parse_task(store::to_json(spec));
  CHECK(back.name == spec.name);
  CHECK(back.arguments == spec.arguments);
  CHECK(plan::preimage(back) == plan::preimage(spec));
  CHECK(back.key == spec.key);
  CHECK(back.inputs.at(0).role == "base");
  CHECK(back.inputs.at(0).key == spec.inputs.at(0).key);
  CHECK(back.also_named == spec.also_named);
  CHECK_THROWS_AS(store::parse_task("{}"), std::runtime_error);
}

TEST_CASE("a published object is found, read and described", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path() / ".bgw", spec);
  std::ofstream(cache.layout().work(spec.key) / "log.txt") << "hello\n";
  CHECK_FALSE(cache.has_result(spec));
  CHECK(contains(message_of([&] { cache.objects().load(spec.key); }), "is not in the cache"));

  store::Provenance provenance;
  provenance.host = "vm";
  cache.objects().publish(spec, sample_artifact(), provenance);
  CHECK(cache.has_result(spec));
  CHECK(cache.objects().verify(spec.key) == store::ObjectState::sound);
  CHECK(cache.objects().load(spec.key).array("one").doubles == std::vector<double>{0.1});
  CHECK(cache.objects().load(spec.key).cost.seconds == 1.5);
  CHECK(cache.objects().task(spec.key).name == "bg[64]");
  const store::Manifest manifest = *cache.manifest(spec.key);
  CHECK(manifest.preimage == plan::preimage(spec));
  CHECK(manifest.find_result("per_particle")->unit == "kT");
  CHECK(manifest.cost.gradient_calls == 5);
  CHECK(manifest.provenance == provenance);
  CHECK(manifest.inputs.at("base") == spec.inputs.at(0).key);
  CHECK(store::read_bytes(cache.layout().object(spec.key) / "log.txt") == "hello\n");
  CHECK(cache.objects().keys() == std::vector<plan::Key>{spec.key});
}

TEST_CASE("an object may have files of its own, which its manifest lists and verify reads", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path(), spec);
  store::Provenance provenance;
  provenance.extended_from = plan::sha256("a shorter training");
  cache.objects().publish(spec, sample_artifact(), provenance, {}, store::ObjectStore::Existing::stays, {{"state.h5", "of the optimizer"}});
  CHECK(cache.objects().load_file(spec.key, "state.h5") == "of the optimizer");
  CHECK(cache.manifest(spec.key)->provenance == provenance);
  CHECK(cache.manifest(spec.key)->files.at("state.h5").bytes == 16);
  CHECK(contains(message_of([&] { cache.objects().load_file(spec.key, "state.h6"); }), "does not name state.h6"));

  std::ofstream(cache.layout().object(spec.key) / "state.h5") << "of the Optimizer";
  CHECK(cache.objects().verify(spec.key) == store::ObjectState::damaged);
  CHECK(contains(message_of([&] { cache.objects().load_file(spec.key, "state.h5"); }), "checksum does not fit"));
  CHECK(cache.objects().load(spec.key).array("one").doubles == std::vector<double>{0.1});
}

TEST_CASE("the description of a task names the finished work it may go on from", "[store]") {
  const plan::TaskSpec spec = sample_task();
  const plan::Key finished = plan::sha256("finished");
  CHECK_FALSE(store::extended_work(store::to_json(spec)).has_value());
  CHECK(store::extended_work(store::to_json(spec, finished)) == finished);
  CHECK(store::to_json(store::parse_task(store::to_json(spec, finished))) == store::to_json(spec));
}

TEST_CASE("publishing twice keeps the first object", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path(), spec);
  store::Provenance provenance;
  provenance.host = "first";
  cache.objects().publish(spec, sample_artifact(), provenance);
  provenance.host = "second";
  cache.objects().publish(spec, sample_artifact(), provenance);
  CHECK(cache.manifest(spec.key)->provenance.host == "first");
  CHECK(fs::is_empty(cache.layout().work(spec.key)));
}

TEST_CASE("an object that is replaced while it is read is read as the old one or the new one", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path(), spec);
  const store::ObjectStore& objects = cache.objects();
  const auto publish = [&](int note) {
    artifacts::Artifact artifact = sample_artifact();
    artifact.attributes["note"] = std::string(static_cast<std::size_t>(1 + note % 7), 'x');
    artifact.arrays["one"].doubles[0] = note;
    objects.publish(spec, artifact, {}, {}, store::ObjectStore::Existing::is_replaced);
  };
  publish(0);
  std::atomic<bool> over = false;
  std::thread replacing([&] {
    for (int note = 1; note < 150; ++note) publish(note);
    over = true;
  });
  int damaged = 0, refused = 0, absent = 0;
  while (!over) {
    if (objects.verify(spec.key) != store::ObjectState::sound) ++damaged;
    if (!objects.find_manifest(spec.key)) ++absent;
    try {
      objects.load(spec.key);
    } catch (const StoreError&) {
      ++refused;
    }
  }
  replacing.join();
  CHECK(damaged == 0);
  CHECK(absent == 0);
  CHECK(refused == 0);
}

TEST_CASE("a result that an object no longer has is no longer in the database", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path(), spec);
  cache.objects().publish(spec, sample_artifact(), {}, {}, store::ObjectStore::Existing::stays, {{"state.h5", "bytes"}});
  cache.records().put_object(*cache.manifest(spec.key));
  artifacts::Artifact again = sample_artifact();
  again.results.pop_back();
  cache.objects().publish(spec, again, {}, {}, store::ObjectStore::Existing::is_replaced);
  cache.records().put_object(*cache.manifest(spec.key));
  store::Database database(cache.layout().database());
  CHECK(database.integer("SELECT count(*) FROM t_result") == 1);
  CHECK(database.integer("SELECT count(*) FROM t_artifact WHERE file = 'state.h5'") == 0);
}

TEST_CASE("a process killed at any step of publishing leaves a whole object or none", "[store]") {
  const plan::TaskSpec spec = sample_task();
  const std::vector<std::string> steps{"result.h5", "task.json", "log.txt", "manifest.json", "sync draft", "rename", "sync parent"};
  for (const std::string& last : steps) {
    INFO(last);
    const test::ScratchDirectory scratch;
    store::Cache cache = cache_with_work(scratch.path(), spec);
    const int status = status_of([&] {
      cache.objects().publish(spec, sample_artifact(), {}, [&](std::string_view step) {
        if (step == last) ::_exit(42);
      });
      return 0;
    });
    REQUIRE(status == 42);
    const bool after_rename = last == "sync parent";
    CHECK(cache.objects().verify(spec.key) == (after_rename ? store::ObjectState::sound : store::ObjectState::absent));
    cache.objects().publish(spec, sample_artifact(), {});
    CHECK(cache.objects().verify(spec.key) == store::ObjectState::sound);
    CHECK(fs::is_empty(cache.layout().work(spec.key)));
  }
}

TEST_CASE("a full disk is called so and leaves nothing visible", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path(), spec);
  const int status = status_of([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};  // result.h5 is larger
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = message_of([&] { cache.objects().publish(spec, sample_artifact(), {}); });
    return message.starts_with("disk full: cannot write") ? 42 : 1;
  });
  CHECK(status == 42);
  CHECK(cache.objects().quick_look(spec.key) == store::ObjectState::absent);
  CHECK(fs::is_empty(cache.layout().work(spec.key)));
}

TEST_CASE("a flipped byte and a missing byte are found, named, and moved out of sight", "[store]") {
  const test::ScratchDirectory scratch;
  const plan::TaskSpec spec = sample_task();
  store::Cache cache = cache_with_work(scratch.path(), spec);
  cache.objects().publish(spec, sample_artifact(), {});
  const fs::path result = cache.layout().object(spec.key) / "result.h5";

  SECTION("a flipped byte keeps the size, so reading finds it") {
    flip_byte(result, 1200);
    CHECK(cache.objects().quick_look(spec.key) == store::ObjectState::sound);
    const std::string message = message_of([&] { cache.objects().load(spec.key); });
    CHECK(contains(message, spec.key.short_hex()));
    CHECK(contains(message, "damaged"));
  }
  SECTION("a missing byte changes the size, so a look finds it") {
    fs::resize_file(result, fs::file_size(result) - 1);
    CHECK(cache.objects().quick_look(spec.key) == store::ObjectState::damaged);
  }
  SECTION("the manifest guards itself") {
    flip_byte(cache.layout().object(spec.key) / "manifest.json", 40);
    CHECK(cache.objects().quick_look(spec.key) == store::ObjectState::damaged);
  }
  CHECK(cache.objects().inspect(spec.key).state == store::ObjectState::damaged);
  const fs::path aside = cache.objects().set_aside(spec.key).value();
  CHECK_FALSE(cache.objects().set_aside(spec.key).has_value());  // another run moved it already
  CHECK(fs::exists(aside / "result.h5"));
  CHECK(cache.objects().quick_look(spec.key) == store::ObjectState::absent);
}

TEST_CASE("looking at a cache that is not there makes nothing", "[store]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::look(scratch.path() / ".bgw");
  CHECK_FALSE(cache.has_result(sample_task()));
  CHECK_FALSE(cache.has_records());
  CHECK_FALSE(fs::exists(scratch.path() / ".bgw"));
}

TEST_CASE("a cache in a folder that cannot be written can be looked at, not written", "[store]") {
  const test::ScratchDirectory scratch;
  const fs::path root = scratch.path() / "it's a %20 ?name#";
  test::ToyPlan toy;
  toy.add("total", "sum", {}, {}, test::kInline);
  { store::Cache::open(root).records().put_rows({}, {{&toy.plan.tasks[0], schema::Map{{"sum", 3}}}}); }
  fs::permissions(scratch.path(), fs::perms(0755));
  fs::permissions(root, fs::perms(0555));
  const int status = status_of([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 9;  // permissions do not bind root
    store::Cache cache = store::Cache::look(root);
    if (cache.row(toy.plan.tasks[0].key) != schema::Value(schema::Map{{"sum", 3}})) return 1;
    return contains(message_of([&] { store::Cache::open(root).records().begin_run({}); }), "cannot be written") ? 0 : 2;
  });
  fs::permissions(root, fs::perms(0755));
  CHECK(status == 0);
}

TEST_CASE("a database of a newer bgw, of another program, or no database is refused", "[store]") {
  const test::ScratchDirectory scratch;
  const fs::path file = scratch.path() / "db.sqlite";
  SECTION("newer") {
    { store::Cache::open(scratch.path()); }
    store::Database(file).execute("PRAGMA user_version = 3");
    const std::string message = message_of([&] { store::Cache::open(scratch.path()); });
    CHECK(contains(message, "the cache was written by a newer bgw (schema 3), this one reads 2"));
  }
  SECTION("of another program") {
    store::Database(file).execute("CREATE TABLE mine (x)");
    CHECK(contains(message_of([&] { store::Cache::open(scratch.path()); }), "of another program"));
  }
  SECTION("no database") {
    std::ofstream(file) << std::string(5000, 'x');
    CHECK(contains(message_of([&] { store::Cache::open(scratch.path()); }), "not a readable database"));
  }
}

TEST_CASE("rows of inline tasks, attempts and earlier keys are remembered", "[store]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan before;
  before.add("a", "count", {{"steps", 60}});
  before.add("t", "table", {}, {{"a", 0}}, test::kInline);
  test::ToyPlan after;
  after.add("a", "count", {{"steps", 600}});
  const plan::TaskSpec& table = before.plan.tasks[1];
  {
    store::Cache cache = store::Cache::open(scratch.path());
    store::Records& records = cache.records();
    const std::int64_t run = records.begin_run({"/p.bgw", "", {"run"}, {}});
    records.plan_tasks(run, before.plan, {0, 1}, {"new", "new"});
    const std::int64_t attempt = records.begin_attempt(run, before.plan.tasks[0].key, {});
    CHECK_FALSE(records.last_attempt(before.plan.tasks[0].key).has_value());
    records.end_attempt(attempt, {"done", "", "", 0, 2.5, 0});
    records.put_rows(run, {{&table, schema::Map{{"rows", 3}}}});
    records.end_run(run, 0);
  }
  store::Cache cache = store::Cache::look(scratch.path());
  CHECK(cache.has_result(table));
  CHECK(cache.row(table.key)->at("rows").as_int() == 3);
  CHECK(cache.records().last_attempt(before.plan.tasks[0].key)->state == "done");
  store::History history(cache.layout());
  const std::vector<store::EarlierWork> work = history.earlier_work("count", 20);
  REQUIRE(work.size() == 1);
  CHECK(work[0].seconds == 2.5);
  CHECK(history.earlier_work("table", 20).empty());
  CHECK(cache.records().latest_other("/p.bgw", after.plan.tasks[0])->key == before.plan.tasks[0].key);
  CHECK_FALSE(cache.records().latest_other("/p.bgw", before.plan.tasks[0]).has_value());
  CHECK_FALSE(cache.records().latest_other("/other.bgw", after.plan.tasks[0]).has_value());
}

TEST_CASE("a database of schema 1 keeps all its rows, and a copy as it was stays beside it", "[store]") {
  const test::ScratchDirectory scratch;
  const fs::path file = scratch.path() / "db.sqlite";
  fs::copy_file(fs::path(BGW_SOURCE_DIR) / "tests" / "golden" / "database" / "schema1.sqlite", file);
  const auto counts = [](const fs::path& database, const std::string& prefix) {
    store::Database opened(database);
    std::vector<std::int64_t> numbers;
    for (const char* table : {"run", "task", "task_in", "planned", "attempt", "artifact", "result", "inline_result"}) {
      numbers.push_back(opened.integer("SELECT count(*) FROM " + prefix + table));
    }
    return numbers;
  };
  const std::vector<std::int64_t> before = counts(file, "");
  REQUIRE(before == std::vector<std::int64_t>{2, 21, 39, 26, 17, 45, 22, 3});
  store::Records(file).end_run(2, 0);
  CHECK(counts(file, "t_") == before);
  CHECK(counts(file.string() + ".schema1", "") == before);
  store::Database migrated(file);
  CHECK(migrated.integer("PRAGMA user_version") == store::kDatabaseSchema);
  CHECK(migrated.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 't\\_%' ESCAPE '\\'") == 0);
  CHECK(migrated.integer("SELECT count(*) FROM t_attempt WHERE state = 'failed' AND cause = 'nan'") == 2);
  store::Statement run(migrated, "SELECT program, params FROM t_run WHERE id = 1");
  REQUIRE(run.step());
  CHECK(run.text(0) == "/data/ice.bgw");
  CHECK(schema::parse_json(run.text(1)).at("steps").at("new").as_string() == "50");
}

TEST_CASE("a query never waits for a writer, sees what is committed, and leaves no file behind", "[store][query]") {
  const test::ScratchDirectory scratch;
  const fs::path file = scratch.path() / "db.sqlite";
  const auto runs = [&] { return store::query(file, "select count(*) from runs").rows.at(0).at(0).as_int(); };
  const auto files = [&] { return std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()); };
  { store::Records(file).begin_run({"/p.bgw", "", {"run"}, {}, "default"}); }
  REQUIRE(files() == 1);
  CHECK(runs() == 1);
  CHECK(files() == 1);
  {
    store::Database writer(file);
    store::Transaction open(writer);
    writer.execute("INSERT INTO t_run SELECT 7, program, program_sha, argv, params, started, ended, exit, bgw_version, host, pid, boot, target FROM t_run");
    CHECK(runs() == 1);
    open.commit();
    CHECK(runs() == 2);
  }
  CHECK(runs() == 2);
  CHECK(files() == 1);
  store::Database(file).execute("PRAGMA user_version = 3");
  CHECK(contains(message_of([&] { runs(); }), "its database has schema 3, this one reads 2"));
}
