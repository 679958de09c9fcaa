// Plans one can trust and runs one can repeat, as a user calls them: saved plans, selections, costs, locks, reproduce and
// verify. A fake stands in the place of bgw-task.
#include <filesystem>
#include <fstream>

#include "tests/support/desk.h"

namespace {

namespace fs = std::filesystem;
using bgw::schema::parse_json;
using bgw::schema::Value;
using bgw::test::Answer;
using bgw::test::has;
using bgw::test::text_of;

// A desk on which programs are changed.
class Desk : public bgw::test::Desk {
 public:
  Value json(const std::string& arguments, const std::string& environment = "") const {
    const Answer answer = bgw(arguments + " --json", environment);
    INFO(answer.err);
    REQUIRE_FALSE(answer.out.empty());
    return parse_json(answer.out);
  }
  void append(const std::string& text) const { std::ofstream(folder() / "ice.bgw", std::ios::app) << text; }
  void replace(const std::string& from, const std::string& to, const std::string& file = "ice.bgw") const {
    std::string text = text_of(folder() / file);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    std::ofstream(folder() / file, std::ios::binary) << text;
  }
};

Value last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n');
  return parse_json(std::string_view(text).substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end)));
}

// How many tasks a run made.
std::int64_t made(const Answer& run) { return last_line(run.out).at("tasks").at("done").as_int(); }

const Value& planned(const Value& plan, const std::string& name) {
  for (const Value& task : plan.at("tasks").as_list()) {
    if (task.at("name").as_string() == name) return task;
  }
  FAIL("no task " << name);
  return plan;
}

std::size_t folders_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) count += entry.is_directory() ? 1 : 0;
  return count;
}

void remove_object(const Desk& desk, const std::string& key) {
  const fs::path object = desk.folder() / ".bgw" / "objects" / key.substr(0, 2) / key;
  REQUIRE(fs::exists(object));
  fs::permissions(object, fs::perms::owner_all, fs::perm_options::add);
  fs::remove_all(object);
}

}  // namespace

TEST_CASE("a saved plan runs as it was planned", "[plans]") {
  const Desk desk;
  const Answer saved = desk.bgw("plan ice.bgw 'F[64]' -p T=210K -o p.json --detailed-exitcode");
  CHECK(saved.exit_code == 10);
  const Answer shown = desk.bgw("show p.json");
  CHECK(shown.exit_code == 0);
  CHECK(has(shown.out, saved.out));
  CHECK(desk.bgw("plan p.json").out == shown.out);
  CHECK(desk.bgw("plan p.json --detailed-exitcode").exit_code == 10);
  CHECK(desk.bgw("plan p.json --locked").exit_code == 2);
  const Value document = parse_json(text_of(desk.folder() / "p.json"));
  CHECK(document.at("exit_code").as_int() == 10);
  CHECK(document.at("program").as_string() == "ice.bgw");
  CHECK(document.at("program_sha256").as_string().size() == 64);
  CHECK(document.at("params").at("T").as_string() == "210K");
  const Answer run = desk.bgw("run p.json --json", "BGW_P_T=220K");  // the plan holds all params
  CHECK(run.exit_code == 0);
  CHECK(made(run) == 5);
  CHECK(desk.bgw("show ice.bgw 'F[64]' -p T=210K").exit_code == 0);
  const Answer again = desk.bgw("run p.json --json");  // results that came into the cache are no drift
  CHECK(again.exit_code == 0);
  CHECK(made(again) == 0);
}

TEST_CASE("a saved plan can be moved with its program, and holds no absolute path", "[plans]") {
  const Desk desk;
  fs::create_directories(desk.folder() / "plans");
  REQUIRE(desk.bgw("plan '" + (desk.folder() / "ice.bgw").string() + "' F --cache '" + (desk.folder() / "results").string() +
                   "' -o plans/p.json").exit_code == 0);
  CHECK_FALSE(has(text_of(desk.folder() / "plans" / "p.json"), desk.folder().string()));
  fs::create_directories(desk.folder() / "there");
  fs::rename(desk.folder() / "plans", desk.folder() / "there" / "plans");
  fs::rename(desk.folder() / "ice.bgw", desk.folder() / "there" / "ice.bgw");
  CHECK(desk.bgw("run there/plans/p.json -q").exit_code == 0);
  CHECK(fs::exists(desk.folder() / "there" / "results" / "db.sqlite"));
}

TEST_CASE("a stale plan is refused with what changed, and is shown all the same", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("plan ice.bgw -o p.json").exit_code == 0);
  desk.replace("= 60 ", "= 70 ");
  const Answer stale = desk.bgw("run p.json");
  CHECK(stale.exit_code == 7);
  CHECK(has(stale.err, "plan is stale: train.bg now has key "));
  CHECK(has(stale.err, "stage main.steps 60 -> 70"));
  CHECK(has(stale.err, "and 3 more"));
  CHECK(has(stale.err, "`bgw plan ice.bgw -o p.json`"));
  REQUIRE(desk.bgw("plan ice.bgw 'F[64]' -p T=210K --until draws -o other.json").exit_code == 0);
  desk.replace("= 70 ", "= 80 ");
  CHECK(has(desk.bgw("run other.json").err, "`bgw plan ice.bgw 'F[64]' -p T=210K --until draws -o other.json`"));
  CHECK(desk.bgw("run p.json -p steps=60").exit_code == 2);
  CHECK(desk.bgw("run p.json F").exit_code == 2);
  fs::remove(desk.folder() / "ice.bgw");
  CHECK(desk.bgw("run p.json").exit_code == 2);
  CHECK(has(desk.bgw("show p.json").out, "total    0 cached, 13 to run"));
  CHECK(desk.json("show p.json").at("tasks").as_list().size() == 13);
  CHECK(desk.bgw("show p.json F").exit_code == 2);
}

TEST_CASE("results that vanished, new tasks and other checks make a plan stale, a comment does not", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  REQUIRE(desk.bgw("plan ice.bgw -o p.json").exit_code == 0);
  desk.append("\n# a comment\n");
  CHECK(desk.bgw("run p.json -q").exit_code == 0);
  desk.replace("sigmas    = 4", "sigmas    = 5");
  CHECK(has(desk.bgw("run p.json").err, "expect.published[216] compares something else"));
  desk.replace("sigmas    = 5", "sigmas    = 4");
  desk.replace("rdf, published]", "rdf, published, more]");
  desk.append("\nestimate more { method = bar; samples = draws[64]; data = ref[64].samples; bootstrap = 20 }\n");
  CHECK(has(desk.bgw("run p.json").err, "estimate.more was not part of it"));
  desk.replace("rdf, published, more]", "rdf, published]");
  remove_object(desk, planned(desk.json("plan ice.bgw"), "bg").at("key").as_string());
  const Answer vanished = desk.bgw("run p.json");
  CHECK(vanished.exit_code == 7);
  CHECK(has(vanished.err, "the result of train.bg is gone from the cache"));
}

TEST_CASE("blocks of two kinds may share a name", "[plans]") {
  const Desk desk;
  desk.append("\ntable bg { column bound { value = phonons[64].bound } }\ntarget twins = [table.bg, train.bg]\n");
  desk.replace("transfer(bg,", "transfer(train.bg,");
  const Answer saved = desk.bgw("plan ice.bgw twins -o p.json");
  INFO(saved.err);
  REQUIRE(saved.exit_code == 0);
  CHECK(desk.bgw("run p.json -q").exit_code == 0);
  REQUIRE(desk.bgw("lock ice.bgw").exit_code == 0);
  const Value lock = parse_json(text_of(desk.folder() / "bgw.lock"));
  CHECK(lock.at("targets").at("twins").has("train.bg"));
  CHECK(lock.at("targets").at("twins").has("table.bg"));
  const Value results = last_line(desk.bgw("run ice.bgw twins --json").out).at("results");
  CHECK(results.at("bg").at("kind").as_string() == "train");
  CHECK(results.at("table.bg").at("kind").as_string() == "table");
  CHECK(desk.json("query ice.bgw \"select kind from planned where name = 'bg' and run = 1\"").as_list().size() == 2);
  CHECK(has(desk.bgw("gc ice.bgw --older 0 --keep-last 1").out, "garbage  0"));
  CHECK(has(desk.bgw("diff ice.bgw ice.bgw").out, "14 tasks with the same key, 0 changed, 0 removed, 0 added"));
  desk.replace("value = phonons[64].bound", "value = phonons[216].bound");
  CHECK(has(desk.bgw("why ice.bgw table.bg").out, "Changed: input rows.0.cells.0: phonons[64]"));
}

TEST_CASE("the program is not written over", "[plans]") {
  const Desk desk;
  const std::string text = text_of(desk.folder() / "ice.bgw");
  for (const char* command : {"plan ice.bgw -o ice.bgw", "lock ice.bgw -o ./ice.bgw", "report ice.bgw -o ice.bgw"}) {
    const Answer answer = desk.bgw(command);
    CHECK(answer.exit_code == 2);
    CHECK(has(answer.err, "ice.bgw is the program itself"));
    CHECK(text_of(desk.folder() / "ice.bgw") == text);
  }
}

TEST_CASE("what is no plan is told so", "[plans]") {
  const Desk desk;
  std::ofstream(desk.folder() / "a.json") << "{\"some\": 1}\n";
  std::ofstream(desk.folder() / "b.json") << "{\"format\": \"bgw-plan\", \"version\": 99}\n";
  std::ofstream(desk.folder() / "c.json") << "{\"format\": \"bgw-plan\", \"version\": 1}\n";
  std::ofstream(desk.folder() / "d.json") << "{\"format\": \n";
  CHECK(desk.bgw("run a.json").exit_code == 2);
  CHECK(desk.bgw("show b.json").exit_code == 6);
  CHECK(desk.bgw("plan c.json").exit_code == 2);
  CHECK(desk.bgw("plan d.json").exit_code == 2);
  CHECK(desk.bgw("show nothing.json").exit_code == 2);
  CHECK(desk.bgw("show ice.bgw").exit_code == 2);
}

TEST_CASE("a plan says who made what is there, and what the rest will cost", "[plans]") {
  const Desk desk;
  const Answer first = desk.bgw("plan ice.bgw");
  CHECK(has(first.out, "0 cached, 13 to run; no estimate for 11 tasks\n"));
  REQUIRE(desk.bgw("run ice.bgw -q", "BGW_FAKE_STEPS=5").exit_code == 0);
  const Answer cached = desk.bgw("plan ice.bgw");
  CHECK(has(cached.out, "  cached   2  base.phonons[*]           cpu, float64, 2"));
  CHECK(has(cached.out, ", bgw " BGW_VERSION "\n"));
  const Answer more = desk.bgw("plan ice.bgw -p steps=600 -p T=210K");
  CHECK(has(more.out, "0 cached, 13 to run; est. "));
  CHECK(has(more.out, "(from 11 earlier tasks); "));
  const Value plan = desk.json("plan ice.bgw -p steps=600");
  const Value small = desk.json("plan ice.bgw -p steps=120");
  // The work of a training is its steps: ten times as many take ten times as long, and the same place on the disk.
  const double long_one = planned(plan, "bg").at("estimated_seconds").as_double();
  CHECK(long_one == Approx(5 * planned(small, "bg").at("estimated_seconds").as_double()));
  CHECK(planned(plan, "bg").at("estimated_bytes").as_double() == planned(small, "bg").at("estimated_bytes").as_double());
  CHECK(plan.at("estimated_core_seconds").as_double() >= plan.at("estimated_seconds").as_double());
  CHECK(plan.at("without_estimate").as_int() == 0);
  CHECK(planned(plan, "phonons[64]").at("made").at("device").as_string() == "cpu");
  CHECK_FALSE(planned(plan, "bg").has("made"));
}

TEST_CASE("a lost database leaves the makers in the objects", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  for (const char* file : {"db.sqlite", "db.sqlite-wal", "db.sqlite-shm"}) fs::remove(desk.folder() / ".bgw" / file);
  CHECK(has(desk.bgw("plan ice.bgw F").out, "cpu, float64, 2"));
}

TEST_CASE("every seed stands in the plan", "[plans]") {
  const Desk desk;
  const Value plan = desk.json("plan ice.bgw");
  CHECK(planned(plan, "bg").at("seed").as_int() == 42);
  CHECK(planned(plan, "draws[64]").at("seed").as_int() != planned(plan, "draws[216]").at("seed").as_int());
  CHECK(planned(plan, "bg").at("stream_key").as_string() ==
        planned(desk.json("plan ice.bgw -p steps=600"), "bg").at("stream_key").as_string());
  CHECK_FALSE(planned(plan, "phonons[64]").has("seed"));
  REQUIRE(desk.bgw("run ice.bgw bg -q").exit_code == 0);
  CHECK(desk.json("show ice.bgw bg").at("provenance").at("seed").as_int() == 42);
  const Answer text = desk.bgw("plan ice.bgw --seeds -p seed=7");
  CHECK(has(text.out, "random streams"));
  CHECK(has(text.out, "train.bg                              7  "));
}

TEST_CASE("until runs what leads to a name, only exactly that", "[plans]") {
  const Desk desk;
  const Answer missing = desk.bgw("run ice.bgw --only 'F[64]'");
  CHECK(missing.exit_code == 4);
  CHECK(has(missing.err, "F[64] cannot run alone: phonons[64], bg, draws[64], ref[64] have no result yet; `bgw run ice.bgw 'phonons[64]'"));
  CHECK(desk.bgw("plan ice.bgw --only 'F[64]'").exit_code == 4);
  const Value plan = desk.json("plan ice.bgw --until draws");
  CHECK(plan.at("run").as_int() == 5);
  CHECK(made(desk.bgw("run ice.bgw --until draws --json")) == 5);
  CHECK(made(desk.bgw("run ice.bgw --only ref --json")) == 2);
  const Answer alone = desk.bgw("run ice.bgw --only 'F[64]' --json");
  CHECK(alone.exit_code == 0);
  CHECK(made(alone) == 1);
  CHECK(made(desk.bgw("run ice.bgw --only 'F[64]' --only 'F[216]' --json")) == 1);
  CHECK(desk.bgw("run ice.bgw --until draws --json").exit_code == 0);
  const Answer foreign = desk.bgw("run ice.bgw 'ref[64]' --until draws");
  CHECK(foreign.exit_code == 3);
  CHECK(has(foreign.err, "target ref[64] does not need it"));
  CHECK(has(desk.bgw("run ice.bgw --until drows").err, "did you mean `draws`?"));
  CHECK(has(desk.bgw("run ice.bgw nonsense").err, "nothing in ice.bgw is named `nonsense`; its targets are default"));
  CHECK(desk.bgw("run ice.bgw F --only F").exit_code == 2);
  CHECK(desk.bgw("run ice.bgw --until F --only F").exit_code == 2);
}

TEST_CASE("until judges what is made, no more", "[plans]") {
  const Desk desk;
  const Value end = last_line(desk.bgw("run ice.bgw --until 'F[64]' --json").out);
  REQUIRE(end.at("checks").as_list().size() == 1);
  CHECK(end.at("checks").as_list()[0].at("name").as_string() == "published[64]");
}

TEST_CASE("force makes results again with what is made from them, and says so in the plan", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  const Answer plan = desk.bgw("plan ice.bgw --force bg --detailed-exitcode");
  CHECK(plan.exit_code == 10);
  CHECK(has(plan.out, "run      1  train.bg                  forced"));
  CHECK(has(plan.out, "5 cached, 8 to run"));
  CHECK(made(desk.bgw("run ice.bgw --force bg --json")) == 8);
  CHECK(made(desk.bgw("run ice.bgw --force 'draws[64]' --force 'ref[*]' --json")) == 9);
  CHECK(made(desk.bgw("run ice.bgw --only F --force 'F[64]' --json")) == 1);
  CHECK(made(desk.bgw("run ice.bgw --json")) == 0);
  CHECK(desk.bgw("run ice.bgw 'F[64]' --force 'F[216]'").exit_code == 3);
  CHECK(has(desk.bgw("run ice.bgw --only 'F[64]' --force draws").err, "it is not among those that --only names"));
  REQUIRE(desk.bgw("plan ice.bgw --force 'ref[64]' -o p.json").exit_code == 0);
  CHECK(made(desk.bgw("run p.json --json")) == 5);
}

TEST_CASE("a forced task that fails leaves the result that was there", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  CHECK(desk.bgw("run ice.bgw -q --force bg", "BGW_FAKE_FAIL=train").exit_code == 4);
  CHECK(desk.bgw("show ice.bgw bg").exit_code == 0);
}

TEST_CASE("fail-fast starts nothing after a failure, keep-going does", "[plans]") {
  const Desk desk;
  const Answer fast = desk.bgw("run ice.bgw --fail-fast --cpus 1 --json", "BGW_FAKE_FAIL=base");
  CHECK(fast.exit_code == 4);
  CHECK(last_line(fast.out).at("tasks").at("failed").as_int() == 1);
  const Answer going = desk.bgw("run ice.bgw --keep-going --cpus 1 --json", "BGW_FAKE_FAIL=base");
  CHECK(going.exit_code == 4);
  CHECK(last_line(going.out).at("tasks").at("failed").as_int() == 2);
  CHECK(desk.bgw("run ice.bgw --keep-going --fail-fast").exit_code == 2);
}

TEST_CASE("a lock holds params, keys, files and versions, and the same bytes each time", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  const Answer locked = desk.bgw("lock ice.bgw");
  CHECK(locked.exit_code == 0);
  CHECK(has(locked.out, "bgw.lock: 3 params, 1 file, 13 tasks in 1 target"));
  const std::string text = text_of(desk.folder() / "bgw.lock");
  const Value lock = parse_json(text);
  CHECK(lock.at("params").at("T").as_string() == "200 K");
  CHECK(lock.at("program").at("path").as_string() == "ice.bgw");
  CHECK(lock.at("targets").at("default").at("train.bg").as_string() == planned(desk.json("plan ice.bgw"), "bg").at("key").as_string());
  CHECK(lock.at("kinds").at("train").as_int() >= 1);
  CHECK(lock.at("bgw_version").as_string() == BGW_VERSION);
  REQUIRE(desk.bgw("lock '" + (desk.folder() / "ice.bgw").string() + "' -o '" + (desk.folder() / "two.lock").string() + "'").exit_code == 0);
  CHECK(text_of(desk.folder() / "two.lock") == text);
  CHECK(desk.bgw("lock ice.bgw --check").exit_code == 0);
  CHECK(desk.bgw("run ice.bgw --locked -q").exit_code == 0);
  CHECK(desk.bgw("plan ice.bgw --locked --lock-file two.lock").exit_code == 0);
  CHECK(desk.bgw("plan ice.bgw --lock-file two.lock").exit_code == 2);
}

TEST_CASE("what drifted from a lock is named with old and new", "[plans]") {
  const Desk desk;
  CHECK(desk.bgw("run ice.bgw --locked").exit_code == 7);
  CHECK(has(desk.bgw("plan ice.bgw --locked").err, "there is no lock file bgw.lock"));
  REQUIRE(desk.bgw("lock ice.bgw").exit_code == 0);
  const Answer param = desk.bgw("run ice.bgw --locked -p steps=600");
  CHECK(param.exit_code == 7);
  CHECK(has(param.err, "param steps: 600 (locked: 60);\n"));
  CHECK(has(param.err, "task train.bg: key "));
  CHECK(has(param.err, "accept it with `bgw lock ice.bgw -p steps=600`"));
  CHECK(desk.bgw("run ice.bgw --locked", "BGW_P_T=210K").exit_code == 7);
  desk.append("\n# changed\n");
  const Answer file = desk.bgw("plan ice.bgw --locked");
  CHECK(file.exit_code == 7);
  CHECK(has(file.err, "file ice.bgw: SHA-256 "));
  CHECK_FALSE(has(file.err, "task"));
  const Answer checked = desk.bgw("lock ice.bgw --check --json");
  CHECK(checked.exit_code == 7);
  const Value drift = parse_json(checked.out);
  CHECK_FALSE(drift.at("holds").as_bool());
  REQUIRE(drift.at("drift").as_list().size() == 1);
  CHECK(drift.at("drift").as_list()[0].at("what").as_string() == "file");
  REQUIRE(desk.bgw("lock ice.bgw").exit_code == 0);
  CHECK(desk.bgw("plan ice.bgw --locked").exit_code == 0);
  std::ofstream(desk.folder() / "bgw.lock") << "nonsense";
  CHECK(desk.bgw("plan ice.bgw --locked").exit_code == 2);
  std::ofstream(desk.folder() / "bgw.lock") << "{\"format\": \"bgw-lock\", \"version\": 1}";
  CHECK(desk.bgw("plan ice.bgw --locked").exit_code == 2);
  std::ofstream(desk.folder() / "bgw.lock") << "{\"format\": \"bgw-lock\", \"version\": 99}";
  CHECK(desk.bgw("plan ice.bgw --locked").exit_code == 6);
}

TEST_CASE("an import that changed is a drift and names its file", "[plans]") {
  const Desk desk;
  std::ofstream(desk.folder() / "cold.bgw") << "bgw 1\nparam T : temperature = 150 K\nensemble cold { kind = nvt; temperature = T }\n";
  std::ofstream(desk.folder() / "uses.bgw") << "bgw 1\nimport \"cold.bgw\" as cold\n"
                                               "potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }\n"
                                               "lattice ice { kind = diamond_cubic; atoms = 64; density = 0.033567184 /angstrom^3 }\n"
                                               "system water { potential = mw; lattice = ice; mass = 18.015 g/mol }\n"
                                               "base phonons { kind = phonon; system = water; ensemble = cold.cold }\n"
                                               "target default = [phonons]\n";
  const Answer locked = desk.bgw("lock uses.bgw");
  INFO(locked.err);
  REQUIRE(locked.exit_code == 0);
  CHECK(parse_json(text_of(desk.folder() / "bgw.lock")).at("params").at("cold.T").as_string() == "150 K");
  std::ofstream(desk.folder() / "cold.bgw", std::ios::app) << "# more\n";
  const Answer drifted = desk.bgw("lock uses.bgw --check");
  CHECK(drifted.exit_code == 7);
  CHECK(has(drifted.out, "file cold.bgw: SHA-256 "));
}

TEST_CASE("reproduce computes again in an empty cache and finds the same bits", "[plans]") {
  const Desk desk;
  const Answer nothing = desk.bgw("reproduce ice.bgw");
  CHECK(nothing.exit_code == 4);
  CHECK(has(nothing.err, "`bgw run ice.bgw` makes them"));
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  const Answer same = desk.bgw("reproduce ice.bgw 'F[64]' --fresh --compare");
  CHECK(same.exit_code == 0);
  CHECK(has(same.out, "F[64].per_particle / kT"));
  CHECK(has(same.out, "9 numbers: 9 with the same bits\n"));
  CHECK_FALSE(has(same.out, desk.folder().string()));
  CHECK(folders_in(desk.folder()) == 1);  // the cache; what was computed again is gone
  const Value all = desk.json("reproduce ice.bgw -q");
  CHECK(all.at("same").as_int() == static_cast<std::int64_t>(all.at("results").as_list().size()));
  CHECK(all.at("exit_code").as_int() == 0);
  const Answer kept = desk.bgw("reproduce ice.bgw 'F[64]' -q --fresh=again --full");
  CHECK(kept.exit_code == 0);
  CHECK(has(kept.out, desk.folder().string()));
  CHECK(has(kept.out, "what was computed again stays in again"));
  CHECK(fs::exists(desk.folder() / "again" / "db.sqlite"));
  CHECK(desk.bgw("reproduce ice.bgw 'F[64]' -q --fresh=again").exit_code == 2);  // it is not empty
  CHECK(desk.bgw("reproduce ice.bgw 'F[64]' -q --keep").exit_code == 0);
  CHECK(folders_in(desk.folder()) == 3);
}

TEST_CASE("reproduce judges differences by their errors", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  // The errors of F are 6e-5: 1e-4 is 1.2 of their difference's, 0.01 more than a hundred.
  const Answer near = desk.bgw("reproduce ice.bgw 'F[64]' -q", "BGW_FAKE_SHIFT=1e-4");
  CHECK(near.exit_code == 0);
  CHECK(has(near.out, " within 4 sigma"));
  CHECK(desk.bgw("reproduce ice.bgw 'F[64]' -q --sigmas 1", "BGW_FAKE_SHIFT=1e-4").exit_code == 5);
  const Answer far = desk.bgw("reproduce ice.bgw 'F[64]' -q", "BGW_FAKE_SHIFT=0.01");
  CHECK(far.exit_code == 5);
  CHECK(has(far.out, "outside"));
  CHECK(has(far.out, ", 5 outside\n"));
  CHECK(has(far.out, "what was computed again stays in .bgw-again-"));
  CHECK(has(desk.bgw("reproduce ice.bgw free_energy -q", "BGW_FAKE_SHIFT=1e-4").out, "free_energy[64].generator / kT"));
}

TEST_CASE("reproduce that fails keeps what it has and can go on", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw 'F[64]' -q").exit_code == 0);
  const Answer failed = desk.bgw("reproduce ice.bgw 'F[64]' -q --fresh=again", "BGW_FAKE_FAIL=estimate");
  CHECK(failed.exit_code == 4);
  CHECK(has(failed.err, "the same command with --fresh=again goes on"));
  CHECK(desk.bgw("reproduce ice.bgw 'F[64]' -q --fresh=again").exit_code == 0);
}

TEST_CASE("reproduce that cannot begin leaves nothing behind", "[plans]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw 'F[64]' -q").exit_code == 0);
  const Answer answer = desk.bgw("reproduce ice.bgw 'F[64]' -q", "BGW_TASK=/nowhere/bgw-task");
  CHECK(answer.exit_code == 6);
  CHECK(folders_in(desk.folder()) == 1);
}

TEST_CASE("verify judges what is there and runs nothing", "[plans]") {
  const Desk desk;
  const Answer nothing = desk.bgw("verify ice.bgw");
  CHECK(nothing.exit_code == 4);
  CHECK(has(nothing.out, "2 cannot be judged yet: `bgw run ice.bgw`"));
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  REQUIRE(desk.bgw("run ice.bgw 'F[64]' -q").exit_code == 0);
  CHECK(desk.bgw("verify ice.bgw 'published[64]'").exit_code == 0);
  CHECK(desk.bgw("verify ice.bgw 'F[64]'").exit_code == 0);
  CHECK(desk.bgw("verify ice.bgw").exit_code == 4);
  desk.append("\nrequire F[64].ess > 0.6 else \"too few effective samples\"\n");
  const Answer fails = desk.bgw("verify ice.bgw 'F[64]'");
  CHECK(fails.exit_code == 5);
  CHECK(has(fails.out, "too few effective samples"));
  CHECK(has(fails.out, "1 holds, 1 does not\n"));
  const Value json = desk.json("verify ice.bgw 'F[64]'");
  CHECK(json.at("hold").as_int() == 1);
  CHECK(json.at("fail").as_int() == 1);
  CHECK(json.at("exit_code").as_int() == 5);
  CHECK(has(desk.bgw("verify ice.bgw water").err, "is a value"));
  CHECK(desk.bgw("verify ice.bgw nothing").exit_code == 3);
}
