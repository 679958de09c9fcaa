// The commands as a user calls them: the built program, a fake in the place of bgw-task.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/desk.h"

namespace {

namespace fs = std::filesystem;
using bgw::schema::parse_json;
using bgw::schema::Value;
using bgw::test::Answer;
using bgw::test::Desk;
using bgw::test::has;
using bgw::test::text_of;

Value last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n');
  return parse_json(std::string_view(text).substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end)));
}

}  // namespace

TEST_CASE("check counts what a program holds and writes nothing", "[commands]") {
  const Desk desk;
  const Answer checked = desk.bgw("check ice.bgw");
  CHECK(checked.exit_code == 0);
  CHECK(has(checked.out, "ok: 13 tasks (target default: 13), 1 axis, 0 warnings ("));
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  CHECK(parse_json(desk.bgw("check ice.bgw --json").out).at("tasks").as_int() == 13);
}

TEST_CASE("what the machine lacks is a warning before the run and an error in it", "[commands]") {
  const Desk desk;
  std::ofstream program(desk.folder() / "ice.bgw", std::ios::app);
  program << "\nresources large { cpus = 4000 }\nbase heavy { kind = phonon; system = water[64]; ensemble = cold; uses "
             "= large }\n";
  program.close();
  const Answer checked = desk.bgw("check ice.bgw");
  CHECK(checked.exit_code == 0);
  CHECK(has(checked.err, "4000"));
  CHECK(has(checked.out, "1 warning"));
  CHECK(desk.bgw("plan ice.bgw heavy").exit_code == 0);
  CHECK(desk.bgw("run ice.bgw heavy").exit_code == 3);
}

TEST_CASE("a wrong program is exit 3, a file that is not there and a wrong option exit 2", "[commands]") {
  const Desk desk;
  std::ofstream(desk.folder() / "wrong.bgw") << "bgw 1\nparam T : temperature = 0.4 kcal/mol\n";
  const Answer wrong = desk.bgw("check wrong.bgw");
  CHECK(wrong.exit_code == 3);
  CHECK(has(wrong.err, "wrong.bgw:2:"));
  const Value json = parse_json(desk.bgw("check wrong.bgw --json").out);
  CHECK_FALSE(json.at("ok").as_bool());
  CHECK(json.at("diagnostics").as_list().size() == 1);
  CHECK(desk.bgw("check nothing.bgw").exit_code == 2);
  CHECK(desk.bgw("check ice.bgw --nonsense").exit_code == 2);
  CHECK(desk.bgw("bogus").exit_code == 2);
  CHECK(desk.bgw("check ice.bgw -p T").exit_code == 2);
  CHECK(desk.bgw("check ice.bgw -p T=900K").exit_code == 3);
  CHECK(desk.bgw("--help").exit_code == 0);
  CHECK(has(desk.bgw("--version").out, "bgw "));
}

TEST_CASE("plan tells what would run, and run makes the plan empty", "[commands]") {
  const Desk desk;
  const Answer before = desk.bgw("plan ice.bgw --detailed-exitcode");
  CHECK(before.exit_code == 10);
  CHECK(has(before.out, "total    0 cached, 13 to run"));
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  const Answer first = desk.bgw("run ice.bgw");
  INFO(first.err);
  CHECK(first.exit_code == 0);
  CHECK(has(first.err, "13 to run"));
  CHECK(has(first.out, "13 done, 0 cached"));
  CHECK(has(first.out, "-25.16310(6)"));
  CHECK(has(first.out, "Lambda = sigma"));
  const Answer after = desk.bgw("plan ice.bgw --detailed-exitcode");
  CHECK(after.exit_code == 0);
  CHECK(has(after.out, "nothing to do (13 cached)"));
  const Answer second = desk.bgw("run ice.bgw");
  CHECK(second.exit_code == 0);
  CHECK(has(second.out, "nothing to do (13 cached)"));
  CHECK(second.out.substr(second.out.find("\n\n")) == first.out.substr(first.out.find("\n\n")));
  const Answer longer = desk.bgw("plan ice.bgw -p steps=600");
  CHECK(has(longer.out, "stage main.steps 60 -> 600"));
  CHECK(has(longer.out, "upstream: draws"));
  CHECK(has(longer.out, "param    steps 60 -> 600"));
  const Value json = parse_json(desk.bgw("plan ice.bgw --json -p steps=600").out);
  CHECK(json.at("run").as_int() + json.at("cached").as_int() == 13);
}

TEST_CASE("a value that is not what was expected is exit 5", "[commands]") {
  const Desk desk;
  const Answer shifted = desk.bgw("run ice.bgw --quiet", "BGW_FAKE_SHIFT=0.01");
  CHECK(shifted.exit_code == 5);
  CHECK(has(shifted.out, "does not hold"));
  CHECK(shifted.err.empty());
}

TEST_CASE("a require is judged with whatever target makes all it reads", "[commands]") {
  const Desk desk;
  std::ofstream(desk.folder() / "ice.bgw", std::ios::app)
      << "\nrequire F[64].ess > 0.6 else \"too few effective samples\"\n";
  const Answer without = desk.bgw("run ice.bgw 'ref[64]' --quiet");
  CHECK(without.exit_code == 0);
  CHECK_FALSE(has(without.out, "effective samples"));
  const Answer with = desk.bgw("run ice.bgw 'F[64]' --quiet");
  CHECK(with.exit_code == 5);
  CHECK(has(with.out, "too few effective samples"));
}

TEST_CASE("every free energy of the last table says what it means", "[commands]") {
  const Answer done = Desk().bgw("run ice.bgw --quiet");
  CHECK(has(done.out, "estimate.per_particle"));
  CHECK(has(done.out, "Lambda = sigma"));
}

TEST_CASE("a failed task is exit 4, with the end of its log, and its siblings go on", "[commands]") {
  const Desk desk;
  const Answer failed = desk.bgw("run ice.bgw", "BGW_FAKE_FAIL=train");
  CHECK(failed.exit_code == 4);
  CHECK(has(failed.err, "failed bg (nan): the energy is not finite at step 3"));
  CHECK(has(failed.err, "about to fail"));
  CHECK(has(failed.err, "blocked draws[64]: bg failed"));
  CHECK(has(failed.out, "1 failed"));
  CHECK(has(failed.out, "not judged: F[64] has no result"));
  CHECK(desk.bgw("show ice.bgw 'ref[64]'").exit_code == 0);
  CHECK(desk.bgw("show ice.bgw 'F[64]'").exit_code == 4);
}

TEST_CASE("an interrupted run saves its state, says so and is exit 130", "[commands]") {
  const Desk desk;
  const std::string call = "env BGW_TASK='" BGW_FAKE_PHYSICS
                           "' BGW_FAKE_STEPS=3000 timeout --preserve-status -s INT 1 '" BGW_PROGRAM "' run ice.bgw";
  const int status = std::system(("cd '" + desk.folder().string() + "' && " + call + " >out.txt 2>err.txt").c_str());
  CHECK(WEXITSTATUS(status) == 130);
  CHECK(has(text_of(desk.folder() / "err.txt"), "stopping: "));
  CHECK(has(text_of(desk.folder() / "out.txt"), "goes on from what is saved"));
  CHECK(has(desk.bgw("log ice.bgw").out, "interrupted"));
  CHECK(has(desk.bgw("plan ice.bgw").out, "retry"));
  CHECK(desk.bgw("run ice.bgw -q").exit_code == 0);
}

TEST_CASE("a run outlives its terminal, and results that could not be written are no success", "[commands]") {
  const Desk desk;
  // The shell's last redirection of a stream holds.
  const auto with_streams = [&](const std::string& command, const std::string& streams) {
    return std::system(("cd '" + desk.folder().string() + "' && BGW_TASK='" BGW_FAKE_PHYSICS "' '" BGW_PROGRAM "' " + command +
                        " </dev/null " + streams).c_str());
  };
  CHECK(WEXITSTATUS(with_streams("run ice.bgw 'F[64]'", ">out.txt 2>/dev/full")) == 0);
  CHECK(has(text_of(desk.folder() / "out.txt"), "per_particle"));
  CHECK(WEXITSTATUS(with_streams("run ice.bgw", ">&- 2>&-")) == 0);
  CHECK(desk.bgw("show ice.bgw 'F[216]' --json").exit_code == 0);
  CHECK(WEXITSTATUS(with_streams("show ice.bgw 'F[64]' --json", ">/dev/full 2>err.txt")) == 6);
  CHECK(has(text_of(desk.folder() / "err.txt"), "could not be written"));
}

TEST_CASE("run --json is one event a line and ends with all results", "[commands]") {
  const Desk desk;
  const Answer answer = desk.bgw("run ice.bgw --json");
  CHECK(answer.exit_code == 0);
  std::istringstream lines(answer.out);
  for (std::string line; std::getline(lines, line);) CHECK(parse_json(line).at("schema").as_int() == 1);
  const Value end = last_line(answer.out);
  CHECK(end.at("event").as_string() == "run_finished");
  CHECK(end.at("results").at("F[64]").at("value").as_double() == -25.1631);
  CHECK(end.at("checks").as_list().at(0).at("holds").as_bool());
}

TEST_CASE("show prints results, single numbers, tables, checks and values", "[commands]") {
  const Desk desk;
  const Answer none = desk.bgw("show ice.bgw 'F[64]' -p steps=10");
  CHECK(none.exit_code == 4);
  CHECK(has(none.err, "bgw run ice.bgw 'F[64]' -p steps=10"));
  CHECK(desk.bgw("show ice.bgw 'F[65]'").exit_code == 3);
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  const Value f = parse_json(desk.bgw("show ice.bgw 'F[64]' --json").out);
  CHECK(f.at("name").as_string() == "F[64]");
  CHECK(f.at("value").as_double() == -25.1631);
  CHECK(f.at("sigma").as_double() == 6e-5);
  CHECK(f.at("unit").as_string() == "kT");
  CHECK(has(f.at("convention").as_string(), "Lambda"));
  CHECK(f.at("key").as_string().size() == 64);
  CHECK(f.at("cost").at("energy_call_equivalents").as_int() == 1220);
  const Value draws = parse_json(desk.bgw("show ice.bgw 'draws[64]' --json").out);
  CHECK(draws.at("ess").as_double() == 0.52);
  CHECK(parse_json(desk.bgw("show ice.bgw F --json").out).as_list().size() == 2);
  CHECK(parse_json(desk.bgw("show ice.bgw 'F[64].ess' --json").out).at("value").as_double() == 0.52);
  CHECK(has(desk.bgw("show ice.bgw 'F[64].es'").err, "did you mean `ess`?"));
  CHECK(has(desk.bgw("show ice.bgw free_energy").out, "-25.08230(6)"));
  CHECK(has(desk.bgw("show ice.bgw published").out, "holds (within 4"));
  CHECK(parse_json(desk.bgw("show ice.bgw 'water[64]' --json").out).at("value").at("lattice").at("atoms").as_int() ==
        64);
}

TEST_CASE("energy speaks the unit of the potential, in the order of the file", "[commands]") {
  const Desk desk;
  std::ofstream(desk.folder() / "two.extxyz")
      << "2\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3\nO 0 0 1\nO 2 0 0\n";
  const Answer answer = desk.bgw("energy ice.bgw water --structure two.extxyz --forces --json");
  INFO(answer.err);
  CHECK(answer.exit_code == 0);
  const Value json = parse_json(answer.out);
  CHECK(json.at("energy_unit").as_string() == "kcal/mol");
  CHECK(json.at("length_unit").as_string() == "angstrom");
  CHECK(json.at("energy").as_double() == Approx(2 * 23.060547830619).epsilon(1e-9));
  CHECK(json.at("forces").as_list()[1].as_list()[0].as_double() == Approx(2 * 23.060547830619).epsilon(1e-9));
  const Value both = parse_json(desk.bgw("energy --structure two.extxyz --structure two.extxyz ice.bgw water --stress --json").out);
  CHECK(both.at("structures").as_list().size() == 2);
  CHECK(both.at("structures").as_list()[1].at("stress").as_list()[2].as_list()[2].as_double() == Approx(9 * 23.060547830619).epsilon(1e-9));
  CHECK(both.at("structures").as_list()[1].at("file").as_string() == "two.extxyz");
  CHECK(desk.bgw("energy ice.bgw cold --structure two.extxyz").exit_code == 3);
  CHECK(desk.bgw("energy ice.bgw water --structure none.extxyz").exit_code == 2);
}

TEST_CASE("a task with two names is one task of the history", "[commands]") {
  const Desk desk;
  std::ofstream(desk.folder() / "ice.bgw", std::ios::app)
      << "\nestimate twin[n in size] { method = bar; samples = draws[n]; data = ref[n].samples }\n";
  const Value end = last_line(desk.bgw("run ice.bgw F twin --json").out);
  const Value runs = parse_json(desk.bgw("log ice.bgw --json").out);
  CHECK(runs.as_list().at(0).at("tasks").as_int() == end.at("tasks").at("done").as_int());
}

TEST_CASE("an empty structure is a wrong one, a folder is none that can be read", "[commands]") {
  const Desk desk;
  std::ofstream(desk.folder() / "empty.extxyz");
  const Answer empty = desk.bgw("energy ice.bgw water --structure empty.extxyz");
  CHECK(empty.exit_code == 3);
  CHECK(has(empty.err, "empty.extxyz:1: the file is empty"));
  CHECK(desk.bgw("energy ice.bgw water --structure .").exit_code == 2);
  CHECK(desk.bgw("energy ice.bgw water --structure nowhere.extxyz").exit_code == 2);
}

TEST_CASE("the history of runs, and a cache whose bytes were changed", "[commands]") {
  const Desk desk;
  CHECK(has(desk.bgw("log ice.bgw").out, "no run yet"));
  CHECK(has(desk.bgw("cache verify ice.bgw").out, "there is no cache in"));
  REQUIRE(desk.bgw("run ice.bgw -q -p steps=10").exit_code == 0);
  const Value runs = parse_json(desk.bgw("log ice.bgw --json").out);
  REQUIRE(runs.as_list().size() == 1);
  CHECK(runs.as_list()[0].at("exit_code").as_int() == 0);
  CHECK(has(desk.bgw("runs ice.bgw").out, "steps=10"));
  CHECK(has(desk.bgw("cache verify ice.bgw").out, "11 of 11 objects are sound"));
  for (const auto& entry : fs::recursive_directory_iterator(desk.folder() / ".bgw" / "objects")) {
    if (entry.path().filename() != "result.h5") continue;
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(600);
    file.put('x');
    break;
  }
  const Answer verified = desk.bgw("cache verify ice.bgw");
  CHECK(verified.exit_code == 6);
  CHECK(has(verified.out, "10 of 11"));
}

TEST_CASE("a lost database is made again from the objects", "[commands]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw").exit_code == 0);
  for (const char* file : {"db.sqlite", "db.sqlite-wal", "db.sqlite-shm"})
    fs::remove(desk.folder() / ".bgw" / file);
  CHECK(has(desk.bgw("cache rebuild ice.bgw").out, "11 objects stand in the index again"));
  CHECK(has(desk.bgw("plan ice.bgw").out, "11 cached, 2 to run"));  // tables and figures live in the database
  CHECK(desk.bgw("run ice.bgw").exit_code == 0);
}

TEST_CASE("the command that is told for a missing result can be typed as it stands", "[commands]") {
  const Desk desk;
  fs::copy_file(desk.folder() / "ice.bgw", desk.folder() / "it's my ice.bgw");
  const std::string program = "\"it's my ice.bgw\" ";
  for (const std::string name : {"'F[64]'", "'published[64]'"}) {
    const std::string question = "show " + program + name + " -p 'T=199 K' --cache 'a cache of " + name.substr(1, 1) + "'";
    const std::string told = desk.bgw(question).err;
    const std::size_t begin = told.find('`'), end = told.find('`', begin + 1);
    REQUIRE(end != std::string::npos);
    const std::string command = told.substr(begin + 1, end - begin - 1);
    INFO(command);
    REQUIRE(command.starts_with("bgw "));
    CHECK(desk.bgw(command.substr(4) + " -q").exit_code != 2);
    CHECK(desk.bgw(question).exit_code == 0);
  }
}

TEST_CASE("without a task program a run is told what is missing", "[commands]") {
  const Desk desk;
  const Answer answer = desk.bgw("run ice.bgw", "BGW_TASK=/nowhere/bgw-task");
  CHECK(answer.exit_code == 6);
  CHECK(has(answer.err, "BGW_TASK"));
}

TEST_CASE("the page is one file that names what is missing", "[commands]") {
  const Desk desk;
  CHECK(desk.bgw("report ice.bgw -o empty.html").exit_code == 0);
  CHECK(has(text_of(desk.folder() / "empty.html"), "bgw run ice.bgw"));
  REQUIRE(desk.bgw("run ice.bgw -q").exit_code == 0);
  CHECK(desk.bgw("report ice.bgw -o full.html").exit_code == 0);
  const std::string page = text_of(desk.folder() / "full.html");
  CHECK(has(page, "<svg"));
  CHECK(page.find("src=\"http") == std::string::npos);
  fs::create_symlink("elsewhere.html", desk.folder() / "link.html");
  CHECK(desk.bgw("report ice.bgw F rdf -o link.html --cache none").exit_code == 0);
  CHECK(fs::is_symlink(desk.folder() / "link.html"));
  CHECK(has(text_of(desk.folder() / "elsewhere.html"), "bgw run ice.bgw F rdf --cache none"));
}

TEST_CASE("values of params come from the command line, files and the environment, the nearest wins", "[commands]") {
  const Desk desk;
  std::ofstream(desk.folder() / "a.toml") << "T = \"250 K\"\nsteps = 600\n";
  std::ofstream(desk.folder() / "b.toml") << "T = \"240 K\"\n";
  const auto temperature = [&](const std::string& arguments, const std::string& environment) {
    const Answer planned = desk.bgw("plan ice.bgw --json " + arguments, environment);
    CHECK(planned.exit_code == 0);
    const Value overridden = parse_json(planned.out).at("overridden");
    return overridden.has("T") ? overridden.at("T").at("new").as_string() : "as written";
  };
  CHECK(temperature("", "") == "as written");
  CHECK(temperature("", "BGW_P_other=1") == "as written");
  CHECK(temperature("", "BGW_P_T=230K") == "230K");
  CHECK(temperature("-P a.toml", "BGW_P_T=230K") == "250 K");
  CHECK(temperature("-P a.toml -P b.toml", "") == "240 K");
  CHECK(temperature("-P b.toml --params a.toml", "") == "250 K");
  CHECK(temperature("-p T=210K -P a.toml -P b.toml", "BGW_P_T=230K") == "210K");
  const Answer missing = desk.bgw("show ice.bgw 'F[64]' -P a.toml -P b.toml -p T=210K");
  CHECK(missing.exit_code == 4);
  CHECK(has(missing.err, "`bgw run ice.bgw 'F[64]' -P a.toml -P b.toml -p T=210K` makes it"));
}

TEST_CASE("a wrong value from outside is told with the place where it was given", "[commands]") {
  const Desk desk;
  const auto refused = [&](const std::string& toml) {
    std::ofstream(desk.folder() / "given.toml") << toml;
    const Answer answer = desk.bgw("check ice.bgw -P given.toml");
    CHECK(answer.exit_code == 3);
    return answer.err;
  };
  CHECK(has(refused("T = \"900 K\"\n"), "given.toml:1:1: T = 900 K is outside 50 K .. 260 K"));
  CHECK(has(refused("\nT = 250\n"), "error[E0311]: given.toml:2:1: T = 250: the unit is missing"));
  CHECK(has(refused("steps = 60.0\n"), "given.toml:1:1: steps = 60.0: an int is needed"));
  CHECK(has(refused("temp = \"250 K\"\n"), "error[E0216]: given.toml:1:1: temp = 250 K: there is no param `temp`"));
  CHECK(has(refused("steps = [1]\n"), "given.toml:1:1: `steps` is a list"));
  CHECK(has(refused("steps =\n"), "given.toml:1:"));
  CHECK(has(desk.bgw("check ice.bgw", "BGW_P_T=hot").err, "BGW_P_T: T = hot: no unit `hot`"));
  CHECK(desk.bgw("check ice.bgw -P nothing.toml").exit_code == 2);
  CHECK(has(desk.bgw("check ice.bgw -p temp=250K").err, "-p temp=250K: there is no param `temp`"));
}

TEST_CASE("list names what a pattern picks and counts it", "[commands]") {
  const Desk desk;
  CHECK(desk.bgw("list ice.bgw 'water[*]'").out == "system.water[64]\nsystem.water[216]\n");
  CHECK(desk.bgw("list ice.bgw 'F[size=64]'").out == "estimate.F[64]\n");
  CHECK(desk.bgw("list ice.bgw mw").out == "potential.mw\n");
  CHECK(has(desk.bgw("list ice.bgw").out, "rdf.rdf(ref[64].samples)\n"));
  CHECK(desk.bgw("list ice.bgw --count").out ==
        "22 instances: base 2, ensemble 1, estimate 2, expect 2, figure 1, flow 1, lattice 2, potential 1, rdf 2, "
        "reference 2, sample 2, system 2, table 1, train 1\n");
  CHECK(desk.bgw("list ice.bgw 'F[64]' --count").out == "1 instance: estimate 1\n");
  const Value counted = parse_json(desk.bgw("list ice.bgw --count --json").out);
  CHECK(counted.at("count").as_int() == 22);
  CHECK(counted.at("kinds").at("train").as_int() == 1);
  CHECK(parse_json(desk.bgw("list ice.bgw F --json").out).as_list().size() == 2);
  CHECK(desk.bgw("list ice.bgw 'F[100]'").exit_code == 3);
}

TEST_CASE("explain shows the page of an id and says the nearest of a wrong one", "[commands]") {
  const Desk desk;
  const Answer page = desk.bgw("explain e0301");
  CHECK(page.exit_code == 0);
  CHECK(page.out.starts_with("E0301: a quantity of another dimension is expected\n"));
  CHECK(has(page.out, "\nRight\n    bgw 1\n"));
  CHECK_FALSE(page.out.find("```") != std::string::npos);
  CHECK(has(desk.bgw("explain").out, "E0402  a box smaller than twice the cutoff\n"));
  const Answer wrong = desk.bgw("explain E030");
  CHECK(wrong.exit_code == 2);
  CHECK(has(wrong.err, "did you mean `E0301`?"));
  CHECK(has(parse_json(desk.bgw("explain W0501 --json").out).at("page").as_string(), "## Wrong\n```bgw wrong\n"));
}

TEST_CASE("doc tells what a block takes and makes", "[commands]") {
  const Desk desk;
  CHECK(has(desk.bgw("doc").out, "ensemble"));
  const Answer train = desk.bgw("doc train");
  CHECK(train.exit_code == 0);
  CHECK(has(train.out, "\n  stage NAME { ... }: "));
  CHECK(has(train.out, "a duration in min, above 0; default 5 min\n"));
  CHECK(has(train.out, "\n  results\n"));
  CHECK(has(train.out, "checked, not run by this version yet"));
  CHECK(has(desk.bgw("doc hmc").out, "hmc (constructor): "));
  CHECK(has(desk.bgw("doc derive").out, "derive(seed, n, ...): "));
  CHECK(has(desk.bgw("doc units").out, "27.211386245988  eV"));
  CHECK(has(desk.bgw("doc functions").out, "rdf (task): "));
  const Answer wrong = desk.bgw("doc trian");
  CHECK(wrong.exit_code == 2);
  CHECK(has(wrong.err, "did you mean `train`?"));
  const Value everything = parse_json(desk.bgw("doc all --json").out);
  for (const char* part : {"kinds", "constructors", "functions", "units"}) CHECK(everything.at(part).as_list().size() > 5);
  CHECK(has(desk.bgw("doc all").out, "h_planck"));
}

TEST_CASE("completion knows commands, options, names and params, and never runs what is typed", "[commands]") {
  const Desk desk;
  const auto candidates = [&](const std::string& words) { return desk.bgw("complete -- " + words).out; };
  CHECK(candidates("pl") == "plan\n");
  CHECK(candidates("plan ''") == ":files .bgw\n");
  CHECK(candidates("plan ice.bgw F") == "F\nF[216]\nF[64]\n");
  CHECK(candidates("run ice.bgw F free") == "free_energy\n");
  CHECK(candidates("show ice.bgw wat") == "water\nwater[216]\nwater[64]\n");
  CHECK(candidates("energy ice.bgw ''") == "water\nwater[216]\nwater[64]\n");
  CHECK(candidates("run ice.bgw -p s") == "steps=\nseed=\n");
  CHECK(candidates("run ice.bgw -P ''") == ":files .toml\n");
  CHECK(candidates("plan ice.bgw --det") == "--detailed-exitcode\n");
  for (const char* command : {"check", "plan", "run", "show", "report", "list", "energy"}) {
    CHECK(candidates(command + std::string(" ice.bgw --par")) == "--param\n--params\n");
  }
  CHECK(candidates("cache v") == "verify\n");
  CHECK(candidates("doc tr") == "train\ntransfer\n");
  CHECK(candidates("explain W0501") == "W0501\n");
  CHECK(candidates("nonsense ''").empty());
  CHECK(desk.bgw("complete --line 'bgw show ice.bgw F\\[6'").out == "F[64]\n");
  std::ofstream(desk.folder() / "wrong.bgw") << "bgw 1\nparam T : temperature = 200 K\nensembel x { }\n";
  const Answer wrong = desk.bgw("complete -- plan wrong.bgw -p ''");
  CHECK(wrong.out == "T=\n");
  CHECK(wrong.err.empty());
  for (const char* shell : {"bash", "zsh", "fish"}) {
    CHECK(has(desk.bgw(std::string("completion ") + shell).out, " complete -"));
  }
  CHECK(desk.bgw("completion tcsh").exit_code == 2);
}

TEST_CASE("the script for bash completes in a bash", "[commands]") {
  const Desk desk;
  desk.bgw("completion bash");
  std::ofstream(desk.folder() / "try.sh") << R"sh(source ./completion.sh
compopt() { :; }
typed() {
  COMP_LINE="$1" COMP_POINT=${#1}
  read -ra COMP_WORDS <<< "$1"
  [[ "$1" == *" " ]] && COMP_WORDS+=("")
  COMP_WORDS[0]="$BGW" COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _bgw
  printf '%s;' "${COMPREPLY[@]}"
  echo
}
typed "bgw sho"
typed "bgw show ice.bgw F"
typed "bgw show ice.bgw 'F"
typed "bgw plan ice.bgw -p T"
typed "bgw plan ic"
typed 'bgw show $(touch ran) F'
)sh";
  fs::rename(desk.folder() / "out.txt", desk.folder() / "completion.sh");
  const int status = std::system(
      ("cd '" + desk.folder().string() + "' && BGW='" BGW_PROGRAM "' bash try.sh >tried.txt 2>&1 </dev/null").c_str());
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(text_of(desk.folder() / "tried.txt") == "show;\nF;F\\[216\\];F\\[64\\];\nF;F[216];F[64];\nT=;\nice.bgw;\n;\n");
  CHECK_FALSE(fs::exists(desk.folder() / "ran"));
}
