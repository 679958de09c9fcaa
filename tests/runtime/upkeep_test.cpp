#include "tests/support/catch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "compiler/plan/preimage.h"
#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/cache.h"
#include "runtime/store/clock.h"
#include "runtime/store/index.h"
#include "runtime/store/use_lock.h"
#include "runtime/upkeep/garbage.h"
#include "runtime/upkeep/inspection.h"
#include "runtime/upkeep/rebuild.h"
#include "runtime/upkeep/removal.h"
#include "runtime/upkeep/repair.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
namespace fs = std::filesystem;

constexpr std::int64_t kDay = 86'400'000'000;

// base -> train -> draws -> F (objects), and a table over F (a row); alone stands apart.
class Shelf {
 public:
  Shelf() : cache_(store::Cache::open(scratch_.path() / ".bgw")) {
    const std::size_t base = toy_.add("base", "base", {{"samples", 3}});
    const std::size_t train = toy_.add("bg", "train", {{"steps", 60}}, {{"base", base}});
    const std::size_t draws = toy_.add("draws[64]", "sample", {{"count", 10}}, {{"model", train}});
    const std::size_t estimate = toy_.add("F[64]", "estimate", {}, {{"samples", draws}});
    toy_.add("alone", "base", {{"samples", 4}});
    toy_.add("free_energy", "table", {}, {{"F", estimate}}, test::kInline);
    for (const plan::TaskSpec& spec : toy_.plan.tasks) {
      if (spec.placement == plan::Placement::child) publish(spec);
    }
    store::InlineResult row;
    row.spec = &spec("free_energy");
    row.value = schema::Map{{"rows", 1}};
    cache_.records().put_rows(std::nullopt, {row});
  }

  void publish(const plan::TaskSpec& spec, std::int64_t ended = store::now_in_microseconds()) {
    artifacts::Artifact artifact;
    artifact.results.push_back({"per_particle", -25.1, 1e-3, "kT", 10, "beta F / N"});
    artifact.cost.seconds = 12.5;
    store::Provenance provenance;
    provenance.host = "node1";
    provenance.device = "cpu";
    provenance.cpus = 4;
    provenance.started = ended - 1;
    provenance.ended = ended;
    store::make_directories(layout().work(spec.key));
    cache_.objects().publish(spec, artifact, provenance);
    fs::remove_all(layout().work(spec.key));
    cache_.records().put_object(*cache_.manifest(spec.key));
  }

  // A run that planned some of the tasks and ended.
  std::int64_t run_of(const std::string& program, const std::vector<std::string>& names) {
    const std::int64_t run = cache_.records().begin_run({program, "", {"run"}, {}, "default"});
    std::vector<std::size_t> indices;
    for (const std::string& name : names) indices.push_back(index_of(name));
    cache_.records().plan_tasks(run, toy_.plan, indices, std::vector<std::string>(names.size(), "cached"));
    cache_.records().end_run(run, 0);
    return run;
  }

  std::size_t index_of(const std::string& name) const {
    const std::vector<plan::TaskSpec>& tasks = toy_.plan.tasks;
    return static_cast<std::size_t>(
        std::find_if(tasks.begin(), tasks.end(), [&](const plan::TaskSpec& task) { return task.name == name; }) - tasks.begin());
  }
  const plan::TaskSpec& spec(const std::string& name) const { return toy_.plan.tasks.at(index_of(name)); }
  const plan::Key& key(const std::string& name) const { return spec(name).key; }
  const store::Layout& layout() const { return cache_.layout(); }
  store::Cache& cache() { return cache_; }
  store::Index index() const { return store::Index(layout().database()); }

  void damage(const std::string& name) const {
    std::fstream file(layout().object(key(name)) / "result.h5", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(700);
    file.put('x');
  }

 private:
  test::ScratchDirectory scratch_;
  test::ToyPlan toy_;
  store::Cache cache_;
};

std::set<std::string> names(const std::vector<upkeep::Finding>& findings) {
  std::set<std::string> set;
  for (const upkeep::Finding& finding : findings) set.insert(finding.name);
  return set;
}

std::set<std::string> names(const std::vector<upkeep::Garbage>& garbage) {
  std::set<std::string> set;
  for (const upkeep::Garbage& item : garbage) set.insert(item.name);
  return set;
}

std::string reason_of(const upkeep::Tidying& tidying, const plan::Key& key) {
  for (const upkeep::Kept& kept : tidying.kept) {
    if (kept.key == key) return kept.reason;
  }
  return "not kept";
}

upkeep::KeepRules nothing_is_young() {
  upkeep::KeepRules rules;
  rules.last_runs = 0;
  rules.younger = 0;
  return rules;
}

// The exit status of `work` done in a process of its own, as a user whom permissions bind.
int status_of(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int status = 99;
    try {
      if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(98);
      status = work();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a cache of which nothing is wrong holds", "[upkeep]") {
  const Shelf shelf;
  const upkeep::Inspection found = upkeep::inspect(shelf.layout());
  CHECK(found.holds());
  CHECK(found.objects == 5);
  CHECK(found.idle_work.empty());
}

TEST_CASE("a damaged object is named with all that was made from it, rows included", "[upkeep]") {
  Shelf shelf;
  shelf.run_of("/p.bgw", {"free_energy"});  // gives the row its name
  shelf.damage("bg");
  const upkeep::Inspection found = upkeep::inspect(shelf.layout());
  CHECK_FALSE(found.holds());
  CHECK(names(found.damaged) == std::set<std::string>{"bg"});
  CHECK(found.damaged.at(0).cause == "the checksum of result.h5 does not fit");
  CHECK(names(found.dependents) == std::set<std::string>{"draws[64]", "F[64]", "free_energy"});
  CHECK(fs::exists(shelf.layout().object(shelf.key("bg"))));  // looking changes nothing

  SECTION("--repair moves it aside and keeps what was made from it") {
    const upkeep::Repairs repairs = upkeep::repair(shelf.layout(), found, false);
    CHECK(names(repairs.moved_aside) == std::set<std::string>{"bg"});
    CHECK(fs::exists(repairs.moved_aside.at(0).path / "result.h5"));
    CHECK(shelf.cache().objects().contains(shelf.key("F[64]")));
  }
  SECTION("--evict removes that, too, and nothing else") {
    const upkeep::Repairs repairs = upkeep::repair(shelf.layout(), found, true);
    CHECK(names(repairs.evicted) == std::set<std::string>{"draws[64]", "F[64]", "free_energy"});
    CHECK_FALSE(shelf.cache().objects().contains(shelf.key("F[64]")));
    CHECK_FALSE(shelf.cache().row(shelf.key("free_energy")).has_value());
    CHECK(shelf.cache().objects().contains(shelf.key("base")));
    CHECK(shelf.cache().objects().contains(shelf.key("alone")));
    CHECK(fs::is_empty(shelf.layout().trash()));
  }
  CHECK(upkeep::inspect(shelf.layout()).holds());
  CHECK_FALSE(shelf.cache().objects().contains(shelf.key("bg")));
}

TEST_CASE("database and objects that do not agree are told and made to agree", "[upkeep]") {
  Shelf shelf;
  shelf.cache().records().forget_object(shelf.key("bg"));
  fs::remove_all(shelf.layout().object(shelf.key("alone")));
  store::Index index = shelf.index();
  index.database().execute("UPDATE t_artifact SET sha = zeroblob(32) WHERE file = 'log.txt' AND key = (SELECT key FROM t_object WHERE name = 'base')");
  const upkeep::Inspection found = upkeep::inspect(shelf.layout());
  CHECK(names(found.not_entered) == std::set<std::string>{"base", "bg"});
  CHECK(names(found.gone) == std::set<std::string>{"alone"});
  CHECK(found.damaged.empty());
  const upkeep::Repairs repairs = upkeep::repair(shelf.layout(), found, false);
  CHECK(repairs.entered.size() == 2);
  CHECK(repairs.forgotten.size() == 1);
  CHECK(upkeep::inspect(shelf.layout()).holds());
}

TEST_CASE("what is being worked on is nobody's fault and stays", "[upkeep]") {
  Shelf shelf;
  shelf.cache().records().forget_object(shelf.key("bg"));
  fs::remove_all(shelf.layout().object(shelf.key("alone")));
  const auto bg = engine::Claim::try_take(shelf.layout().work(shelf.key("bg")));  // published, its rows are to come
  const auto alone = engine::Claim::try_take(shelf.layout().work(shelf.key("alone")));  // it is made again
  REQUIRE((bg && alone));
  const upkeep::Inspection found = upkeep::inspect(shelf.layout());
  CHECK(found.holds());
  CHECK(found.idle_work.empty());
}

TEST_CASE("an object that the system does not give is unreadable, not damaged, and stays where it is", "[upkeep]") {
  const Shelf shelf;
  fs::permissions(shelf.layout().root.parent_path(), fs::perms(0755));
  const fs::path file = shelf.layout().object(shelf.key("bg")) / "manifest.json";
  SECTION("for want of permission") {
    fs::permissions(file, fs::perms::none);
    const int status = status_of([&] {
      const store::ObjectStore objects(shelf.layout());
      if (objects.inspect(shelf.key("bg")).state != store::ObjectState::unreadable) return 1;
      if (objects.inspect(shelf.key("base")).state != store::ObjectState::sound) return 2;
      try {
        objects.contains(shelf.key("bg"));
        return 3;
      } catch (const store::Unreadable&) {
        return 0;
      }
    });
    fs::permissions(file, fs::perms(0644));
    CHECK(status == 0);
  }
  SECTION("for want of descriptors") {
    const int status = status_of([&] {
      const store::ObjectStore objects(shelf.layout());
      while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
      }
      if (objects.inspect(shelf.key("bg")).state != store::ObjectState::unreadable) return 1;
      try {
        objects.verify(shelf.key("bg"));
        return 2;
      } catch (const store::Unreadable&) {
        return 0;
      }
    });
    CHECK(status == 0);
  }
  CHECK(upkeep::inspect(shelf.layout()).holds());
}

TEST_CASE("what killed processes left behind is told, does no harm and is swept", "[upkeep]") {
  const Shelf shelf;
  const fs::path unfinished = shelf.layout().work() / std::string(64, 'a');
  const plan::Key key = plan::Key::from_hex(std::string(64, 'a'));
  fs::create_directories(unfinished / "out.0123456789abcdef");
  std::ofstream(unfinished / "out.0123456789abcdef" / "result.h5") << "half of it";
  engine::Checkpoints(unfinished, key, 2).save({});
  std::ofstream(unfinished / "ckpt-2.h5") << "cut short";
  const fs::path finished = shelf.layout().work(shelf.key("bg"));
  fs::create_directories(finished);
  std::ofstream(finished / "log.txt") << "done\n";
  const upkeep::Inspection found = upkeep::inspect(shelf.layout());
  CHECK(found.holds());
  CHECK(found.drafts.size() == 1);
  REQUIRE(found.bad_checkpoints.size() == 1);
  CHECK(found.bad_checkpoints[0].path.filename() == "ckpt-2.h5");
  CHECK(found.idle_work.size() == 2);
  upkeep::repair(shelf.layout(), found, false);
  CHECK_FALSE(fs::exists(unfinished / "out.0123456789abcdef"));
  CHECK(fs::exists(unfinished / "ckpt-1.h5"));
  CHECK(fs::exists(unfinished / "ckpt-2.h5.bad"));
  CHECK_FALSE(fs::exists(finished));
}

TEST_CASE("a lost or broken database is made again from the manifests", "[upkeep]") {
  const Shelf shelf;
  const fs::path database = shelf.layout().database();
  const auto count = [&](const std::string& what) { return shelf.index().database().integer("SELECT count(*) FROM " + what); };
  SECTION("lost") {
    for (const char* part : {"", "-wal", "-shm"}) fs::remove(database.string() + part);
    CHECK_FALSE(upkeep::inspect(shelf.layout()).holds());
    const upkeep::Rebuilt rebuilt = upkeep::rebuild(shelf.layout());
    CHECK(rebuilt.objects == 5);
    CHECK_FALSE(rebuilt.old_database.has_value());
    CHECK(count("t_inline_result") == 0);
  }
  SECTION("garbage") {
    for (const char* part : {"-wal", "-shm"}) fs::remove(database.string() + part);
    std::ofstream(database) << std::string(5000, 'x');
    CHECK_FALSE(upkeep::inspect(shelf.layout()).holds());
    const upkeep::Rebuilt rebuilt = upkeep::rebuild(shelf.layout());
    REQUIRE(rebuilt.old_database.has_value());
    CHECK(store::read_bytes(*rebuilt.old_database) == std::string(5000, 'x'));
  }
  SECTION("usable: its history stays") {
    CHECK_FALSE(upkeep::rebuild(shelf.layout()).old_database.has_value());
    CHECK(count("t_inline_result") == 1);
  }
  CHECK(count("t_object") == 5);
  CHECK(count("t_artifact") == 15);
  CHECK(count("t_result") == 5);
  CHECK(count("t_task_in") >= 3);
  CHECK(count("t_attempt WHERE state = 'done' AND host = 'node1' AND cpus = 4 AND seconds = 12.5") == 5);
  CHECK(upkeep::inspect(shelf.layout()).holds());
}

TEST_CASE("a database of a newer bgw is never moved aside", "[upkeep]") {
  const Shelf shelf;
  shelf.index().database().execute("PRAGMA user_version = 99");
  std::string message;
  try {
    upkeep::rebuild(shelf.layout());
  } catch (const StoreError& error) {
    message = error.what();
  }
  CHECK(message.find("written by a newer bgw (schema 99)") != std::string::npos);
  CHECK_THROWS_AS(upkeep::inspect(shelf.layout()), StoreError);
  CHECK(fs::exists(shelf.layout().database()));
}

TEST_CASE("gc keeps what is pinned, worked on, planned, a root's or young, and what that was made from", "[upkeep]") {
  Shelf shelf;
  upkeep::KeepRules rules = nothing_is_young();
  const auto look = [&] { return upkeep::find_garbage(shelf.layout(), rules); };
  shelf.run_of("/p.bgw", {"free_energy"});
  REQUIRE(look().garbage.size() == 6);

  SECTION("pinned") {
    shelf.index().pin("paper", {shelf.key("draws[64]")});
    const upkeep::Tidying tidying = look();
    CHECK(names(tidying.garbage) == std::set<std::string>{"F[64]", "alone", "free_energy"});
    CHECK(reason_of(tidying, shelf.key("base")) == "pinned");
    CHECK(shelf.index().unpin("paper"));
    CHECK_FALSE(shelf.index().unpin("paper"));
    CHECK(look().garbage.size() == 6);
  }
  SECTION("worked on") {
    const auto claim = engine::Claim::try_take(shelf.layout().work(shelf.key("bg")));
    const upkeep::Tidying tidying = look();
    CHECK(reason_of(tidying, shelf.key("bg")) == "working");
    CHECK(reason_of(tidying, shelf.key("base")) == "working");
    CHECK(tidying.kept.size() == 2);
  }
  SECTION("planned by one of the last runs of a program") {
    rules.last_runs = 1;
    shelf.run_of("/other.bgw", {"alone"});
    CHECK(look().garbage.empty());
    shelf.run_of("/p.bgw", {"bg"});
    CHECK(names(look().garbage) == std::set<std::string>{"draws[64]", "F[64]", "free_energy"});
    rules.last_runs = 2;
    CHECK(look().garbage.empty());
  }
  SECTION("planned by a run that is still on, whatever the rules") {
    const std::int64_t run = shelf.cache().records().begin_run({"/p.bgw", "", {"run"}, {}, "default"});
    test::ToyPlan one;
    one.plan.tasks.push_back(shelf.spec("alone"));
    shelf.cache().records().plan_tasks(run, one.plan, {0}, {"cached"});
    CHECK(reason_of(look(), shelf.key("alone")) == "working");
    shelf.cache().records().end_run(run, 0);
    CHECK(reason_of(look(), shelf.key("alone")) == "not kept");
  }
  SECTION("of a root") {
    rules.roots = {{"ice.bgw", {shelf.key("F[64]")}}};
    CHECK(names(look().garbage) == std::set<std::string>{"alone", "free_energy"});
  }
  SECTION("young") {
    rules.younger = kDay;
    CHECK(look().garbage.empty());
    CHECK(look().kept_by_reason().at("young") == 6);
  }
}

TEST_CASE("results from before the history count as made at its beginning", "[upkeep]") {
  Shelf shelf;
  fs::remove_all(shelf.layout().object(shelf.key("alone")));
  shelf.publish(shelf.spec("alone"), store::now_in_microseconds() - 400 * kDay);
  upkeep::KeepRules rules = nothing_is_young();
  rules.younger = 30 * kDay;
  CHECK(upkeep::find_garbage(shelf.layout(), rules).garbage.empty());  // no run is remembered: who needs it is not known
  const std::int64_t run = shelf.run_of("/p.bgw", {"bg"});
  CHECK(upkeep::find_garbage(shelf.layout(), rules).garbage.empty());
  shelf.index().database().execute("UPDATE t_run SET started = started - " + std::to_string(500 * kDay) + " WHERE id = " + std::to_string(run));
  CHECK(names(upkeep::find_garbage(shelf.layout(), rules).garbage) == std::set<std::string>{"alone"});
}

TEST_CASE("what gc removes is gone from disk and database, the rest is sound", "[upkeep]") {
  Shelf shelf;
  shelf.run_of("/p.bgw", {"free_energy"});
  upkeep::KeepRules rules = nothing_is_young();
  shelf.index().pin("paper", {shelf.key("bg")});
  fs::create_directories(shelf.layout().damaged() / (std::string(64, 'b') + ".0123456789abcdef"));
  const upkeep::Tidying looked = upkeep::find_garbage(shelf.layout(), rules);
  CHECK(shelf.cache().objects().contains(shelf.key("F[64]")));
  const upkeep::Tidying done = upkeep::remove_garbage(shelf.layout(), rules);
  CHECK(done.garbage.size() == looked.garbage.size());
  CHECK(done.bytes() == looked.bytes());
  CHECK(done.bytes() > 0);
  for (const char* name : {"draws[64]", "F[64]", "alone"}) CHECK_FALSE(fs::exists(shelf.layout().object(shelf.key(name))));
  CHECK_FALSE(shelf.cache().row(shelf.key("free_energy")).has_value());
  CHECK(fs::is_empty(shelf.layout().damaged()));
  CHECK(fs::is_empty(shelf.layout().trash()));
  CHECK(fs::is_empty(shelf.layout().work()));
  const upkeep::Inspection left = upkeep::inspect(shelf.layout());
  CHECK(left.holds());
  CHECK(left.objects == 2);
  CHECK(upkeep::find_garbage(shelf.layout(), rules).garbage.empty());
}

TEST_CASE("a removal that was killed is harmless and is ended by the next", "[upkeep]") {
  const Shelf shelf;
  fs::create_directories(shelf.layout().trash());
  fs::rename(shelf.layout().object(shelf.key("alone")), shelf.layout().trash() / (shelf.key("alone").hex() + ".0123456789abcdef"));
  const upkeep::Inspection found = upkeep::inspect(shelf.layout());
  CHECK(found.holds());  // its rows are still there, but so is the mark that it goes
  CHECK(found.trash.size() == 1);
  upkeep::KeepRules rules = nothing_is_young();
  rules.younger = kDay;
  upkeep::remove_garbage(shelf.layout(), rules);
  CHECK(fs::is_empty(shelf.layout().trash()));
  CHECK(shelf.index().database().integer("SELECT count(*) FROM t_object WHERE name = 'alone'") == 0);
  CHECK(upkeep::inspect(shelf.layout()).holds());
}

TEST_CASE("a task that is being made again under its key is not removed with the old one", "[upkeep]") {
  const Shelf shelf;
  store::Index index = shelf.index();
  const auto claim = engine::Claim::try_take(shelf.layout().work(shelf.key("alone")));
  const upkeep::Removal removal = upkeep::remove_results(shelf.layout(), index, {shelf.key("alone"), shelf.key("bg")});
  CHECK(removal.busy == std::vector<plan::Key>{shelf.key("alone")});
  CHECK(removal.removed == std::vector<plan::Key>{shelf.key("bg")});
  CHECK(fs::exists(shelf.layout().object(shelf.key("alone"))));
}

TEST_CASE("who removes waits for runs that have not written their plan yet", "[upkeep]") {
  const Shelf shelf;
  auto run = std::make_optional(store::UseLock::shared(shelf.layout()));
  const store::UseLock another = store::UseLock::shared(shelf.layout());  // runs do not wait for each other
  const auto is_free = [&] {
    const store::Descriptor file(::open((shelf.layout().root / "use.lock").c_str(), O_RDWR | O_CLOEXEC));
    return ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
  };
  CHECK_FALSE(is_free());
  run.reset();
  CHECK_FALSE(is_free());
}
