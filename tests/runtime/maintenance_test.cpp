// The commands that look after a cache, as a user calls them; fake results in the place of bgw-task's.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "compiler/schema/value.h"
#include "tests/support/catch.h"
#include "tests/support/desk.h"

namespace {

namespace fs = std::filesystem;
using bgw::schema::parse_json;
using bgw::schema::Value;

using bgw::test::Answer;
using bgw::test::has;
using bgw::test::text_of;

// A desk with the results of the quickstart on it.
class Household : public bgw::test::Desk {
 public:
  Household() { REQUIRE(bgw("run ice.bgw -q").exit_code == 0); }
  Value json(const std::string& arguments) const { return parse_json(bgw(arguments + " --json").out); }
  // The object of a task.
  fs::path object(const std::string& name) const {
    const std::string key = json("show ice.bgw '" + name + "'").at("key").as_string();
    return folder() / ".bgw" / "objects" / key.substr(0, 2) / key;
  }
};

void flip_byte(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(700);
  const int byte = stream.get();
  stream.seekp(700);
  stream.put(static_cast<char>(byte ^ 1));
}

std::set<std::string> names(const Value& findings) {
  std::set<std::string> set;
  for (const Value& finding : findings.as_list()) set.insert(finding.at("name").as_string());
  return set;
}

// The ```sql blocks of a page.
std::vector<std::string> queries_in(const std::string& page) {
  std::vector<std::string> queries;
  const std::string mark = "```sql\n";
  for (std::size_t begin = page.find(mark); begin != std::string::npos; begin = page.find(mark, begin)) {
    begin += mark.size();
    queries.push_back(page.substr(begin, page.find("```", begin) - begin));
  }
  return queries;
}

// The names in backticks of the first column of the tables, by the view whose heading stands above them.
std::map<std::string, std::set<std::string>> documented_columns(const std::string& page) {
  std::map<std::string, std::set<std::string>> columns;
  std::istringstream lines(page);
  std::string view;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) view = line.substr(3);
    if (!line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find('|', 1));
    for (std::size_t begin = cell.find('`'); begin != std::string::npos;) {
      const std::size_t end = cell.find('`', begin + 1);
      columns[view].insert(cell.substr(begin + 1, end - begin - 1));
      begin = cell.find('`', end + 1);
    }
  }
  return columns;
}

}  // namespace

TEST_CASE("verify names a damaged object and what was made from it; --repair and a run make it good", "[commands][cache]") {
  const Household house;
  CHECK(has(house.bgw("cache verify ice.bgw").out, "11 of 11 objects are sound"));
  flip_byte(house.object("bg") / "result.h5");
  const Answer told = house.bgw("cache verify ice.bgw");
  CHECK(told.exit_code == 6);
  CHECK(has(told.out, "damaged: train.bg ("));
  CHECK(has(told.out, "the checksum of result.h5 does not fit"));
  CHECK(has(told.out, "  depends on it: table.free_energy ("));
  CHECK(has(told.out, "`bgw cache verify --repair`"));
  CHECK(has(told.out, "10 of 11 objects are sound"));
  const Value json = house.json("cache verify ice.bgw");
  CHECK(names(json.at("damaged")) == std::set<std::string>{"bg"});
  CHECK(names(json.at("dependents")) ==
        std::set<std::string>{"draws[64]", "draws[216]", "F[64]", "F[216]", "rdf(draws[64])", "rdf", "free_energy"});
  CHECK_FALSE(json.at("holds").as_bool());
  SECTION("--repair") {
    const Answer repaired = house.bgw("cache verify ice.bgw --repair");
    CHECK(repaired.exit_code == 0);
    CHECK(has(repaired.out, "moved aside: train.bg ("));
    CHECK(has(house.bgw("plan ice.bgw bg").out, "1 to run"));
    CHECK(has(house.bgw("plan ice.bgw F").out, "nothing to do"));  // what was made from it is there
  }
  SECTION("--evict") {
    const Value evicted = house.json("cache verify ice.bgw --evict");
    CHECK(evicted.at("repairs").at("evicted").as_list().size() == 7);
    CHECK(evicted.at("holds").as_bool());
    CHECK(has(house.bgw("plan ice.bgw").out, "5 cached, 8 to run"));
  }
  CHECK(house.bgw("run ice.bgw default bg -q").exit_code == 0);
  CHECK(has(house.bgw("cache verify ice.bgw").out, "11 of 11 objects are sound"));
}

TEST_CASE("a database that is no database is moved aside and made again", "[commands][cache]") {
  const Household house;
  for (const char* part : {"-wal", "-shm"}) fs::remove(house.folder() / ".bgw" / (std::string("db.sqlite") + part));
  std::ofstream(house.folder() / ".bgw" / "db.sqlite") << std::string(9000, 'x');
  const Answer told = house.bgw("run ice.bgw");
  CHECK(told.exit_code == 6);
  CHECK(has(told.err, "`bgw cache rebuild`"));
  CHECK(house.bgw("cache verify ice.bgw").exit_code == 6);
  const Answer rebuilt = house.bgw("cache rebuild ice.bgw");
  CHECK(rebuilt.exit_code == 0);
  CHECK(has(rebuilt.out, "db.sqlite.damaged."));
  CHECK(has(rebuilt.out, "11 objects stand in the index again"));
  CHECK(has(house.bgw("plan ice.bgw").out, "11 cached, 2 to run"));
  CHECK(house.bgw("run ice.bgw -q").exit_code == 0);
  CHECK(house.bgw("cache verify ice.bgw").exit_code == 0);
}

TEST_CASE("gc shows what nobody needs and why it keeps the rest, and removes only when asked", "[commands][cache]") {
  const Household house;
  CHECK(house.json("gc ice.bgw").at("garbage").as_list().empty());
  const Value looked = house.json("gc ice.bgw --older 0");
  CHECK(looked.at("garbage").as_list().empty());
  CHECK(looked.at("kept_by_reason").at("run").as_int() == 13);
  REQUIRE(house.bgw("pin ice.bgw 'ref[64]' --as paper").exit_code == 0);
  const Answer dry = house.bgw("gc ice.bgw --older 0 --keep-last 0 --root ice.bgw");
  CHECK(has(dry.out, "garbage  0"));
  CHECK(has(dry.out, "2 pinned, 11 needed by a --root"));
  const Value planned = house.json("gc ice.bgw --older 0 --keep-last 0");
  CHECK(planned.at("garbage").as_list().size() == 11);
  CHECK(has(house.bgw("plan ice.bgw").out, "13 cached"));
  const Answer applied = house.bgw("gc ice.bgw --older 0 --keep-last 0 --apply");
  CHECK(applied.exit_code == 0);
  CHECK(has(applied.out, "removed  11: "));
  CHECK(has(applied.out, "kept     2: 2 pinned"));
  CHECK(house.bgw("cache verify ice.bgw").exit_code == 0);
  const Answer plan = house.bgw("plan ice.bgw");
  CHECK(has(plan.out, "2 cached, 11 to run"));
  CHECK(has(plan.out, "its result is gone from the cache"));
  CHECK(house.bgw("run ice.bgw -q").exit_code == 0);
}

TEST_CASE("gc takes nothing away from a run that is on, and a query looks at it without waiting", "[commands][cache][query]") {
  const Household house;
  // Other steps, another training and what follows from it: a few seconds of fake work, read from results that are there.
  house.start("run", "run ice.bgw -q -p steps=70", "BGW_FAKE_STEPS=25");
  const auto ended = [&] { return fs::exists(house.folder() / "run.rc"); };
  int looks = 0;
  for (int patience = 600; patience > 0 && !ended(); --patience) {
    const Value running = house.json("query ice.bgw \"select task from attempts where state = 'running'\"");
    const Value gc = house.json("gc ice.bgw --older 0 --keep-last 0 --apply");
    REQUIRE(gc.at("applied").as_bool());
    if (!running.as_list().empty()) ++looks;
  }
  REQUIRE(ended());
  CHECK(looks > 0);
  CHECK(text_of(house.folder() / "run.rc") == "0\n");
  CHECK(house.bgw("cache verify ice.bgw").exit_code == 0);
}

TEST_CASE("a wrong use of gc and pin is told", "[commands][cache]") {
  const Household house;
  const Answer older = house.bgw("gc ice.bgw --older soon");
  CHECK(older.exit_code == 2);
  CHECK(has(older.err, "--older soon: a time is needed, for instance 30d"));
  fs::create_directories(house.folder() / "other");
  CHECK(has(house.bgw("gc ice.bgw other/x.bgw").err, "have different caches"));
  CHECK(has(house.bgw("gc --cache nowhere").out, "nothing to remove"));
  CHECK_FALSE(fs::exists(house.folder() / "nowhere"));
  CHECK(house.bgw("pin ice.bgw --cache nowhere").exit_code == 4);
  std::ofstream(house.folder() / "empty.bgw") << "bgw 1\n";
  CHECK(house.bgw("pin empty.bgw").exit_code == 4);
  CHECK(has(house.bgw("pins ice.bgw").out, "nothing is pinned"));
  CHECK(house.bgw("pin ice.bgw 'F[64]'").exit_code == 0);
  const Value pins = house.json("pins ice.bgw");
  REQUIRE(pins.as_list().size() == 1);
  CHECK(pins.as_list()[0].at("label").as_string() == "ice.F[64]");
  CHECK(pins.as_list()[0].at("results").as_int() == 5);
  CHECK(pins.as_list()[0].at("missing").as_int() == 0);
  const Answer wrong = house.bgw("unpin ice.bgw 'ice.F[65]'");
  CHECK(wrong.exit_code == 3);
  CHECK(has(wrong.err, "did you mean `ice.F[64]`?"));
  CHECK(house.bgw("unpin ice.bgw 'ice.F[64]'").exit_code == 0);
  CHECK(house.json("pins ice.bgw").as_list().empty());
}

TEST_CASE("pin waits for who removes, so that what it tells to be there stays", "[commands][cache]") {
  const Household house;
  const fs::path object = house.object("F[64]");
  const int removing = ::open((house.folder() / ".bgw" / "use.lock").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(removing, LOCK_EX) == 0);
  house.start("pin", "pin ice.bgw 'F[64]' --json");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK_FALSE(fs::exists(house.folder() / "pin.rc"));
  fs::remove_all(object);
  ::close(removing);
  for (int patience = 600; patience > 0 && !fs::exists(house.folder() / "pin.rc"); --patience) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(parse_json(text_of(house.folder() / "pin.out")).at("missing").as_int() == 1);
}

TEST_CASE("an object that somebody deleted is made again, never taken for a result", "[commands][cache]") {
  const Household house;
  fs::remove_all(house.object("F[64]"));
  CHECK(has(house.bgw("plan ice.bgw").out, "its result is gone from the cache"));
  CHECK(house.bgw("show ice.bgw 'F[64]'").exit_code == 4);
  const Answer told = house.bgw("cache verify ice.bgw");
  CHECK(told.exit_code == 6);
  CHECK(has(told.out, "gone: estimate.F[64] ("));
  CHECK(house.bgw("run ice.bgw -q").exit_code == 0);
  CHECK(house.bgw("show ice.bgw 'F[64]'").exit_code == 0);
  CHECK(house.bgw("cache verify ice.bgw").exit_code == 0);
}

TEST_CASE("for want of descriptors a run ends, and takes no object for damaged", "[commands][cache]") {
  const Household house;
  bool told = false;
  for (int limit = 5; limit < 10; ++limit) {
    for (const auto& entry : fs::recursive_directory_iterator(house.folder() / ".bgw" / "objects")) {
      if (entry.is_regular_file()) fs::last_write_time(entry.path(), fs::file_time_type::clock::now());  // so that all are read again
    }
    const std::string command = "cd '" + house.folder().string() + "' && exec >limited.txt 2>&1 </dev/null && ulimit -n " + std::to_string(limit) +
                                " && exec env BGW_TASK='" BGW_FAKE_PHYSICS "' '" BGW_PROGRAM "' run ice.bgw -q";
    const int status = std::system(command.c_str());
    const std::string text = text_of(house.folder() / "limited.txt");
    INFO(limit << ": " << text);
    REQUIRE(WIFEXITED(status));
    CHECK((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 6));
    told = told || (text.find("objects") != std::string::npos && text.find("Too many open files") != std::string::npos);
  }
  CHECK(told);
  CHECK_FALSE(fs::exists(house.folder() / ".bgw" / "damaged"));
  CHECK(house.bgw("cache verify ice.bgw").exit_code == 0);
}

TEST_CASE("a query sees the views and nothing else, and changes nothing", "[commands][query]") {
  const Household house;
  const auto list = [&] {
    std::set<std::string> entries;
    for (const auto& entry : fs::directory_iterator(house.folder() / ".bgw")) entries.insert(entry.path().filename().string());
    return entries;
  };
  const std::set<std::string> before = list();
  const std::string database = text_of(house.folder() / ".bgw" / "db.sqlite");
  CHECK(house.bgw("query ice.bgw \"select name, value, sigma, unit from result where kind='estimate' and task='F[64]' order by name\" --csv").out ==
        "name,value,sigma,unit\ness,0.52,,\"\"\nper_particle,-25.1631,6e-05,kT\n");
  CHECK(has(house.bgw("query ice.bgw 'select task, value from results'").out, "F[64]"));
  CHECK(house.json("query --cache .bgw 'select count(*) as n from tasks'").as_list().at(0).at("n").as_int() == 13);
  CHECK(house.json("query 'select exit_code from runs'").as_list().at(0).at("exit_code").as_int() == 0);
  for (const char* writes : {"delete from results", "drop view results", "insert into runs values (1)", "pragma user_version = 9", "vacuum",
                             "create table mine (x)", "attach 'other.db' as o", "update runs set host = ''"}) {
    const Answer refused = house.bgw(std::string("query ice.bgw \"") + writes + "\"");
    INFO(writes);
    CHECK(refused.exit_code == 2);
    CHECK(has(refused.err, "read-only"));
  }
  CHECK(has(house.bgw("query ice.bgw 'select * from result_s'").err, "did you mean `results`?"));
  CHECK(has(house.bgw("query ice.bgw 'select * from t_task'").err, "there is no view `t_task`"));
  CHECK(has(house.bgw("query ice.bgw 'select * from sqlite_schema'").err, "there is no view"));
  CHECK(house.bgw("query ice.bgw 'selekt 1'").exit_code == 2);
  CHECK(has(house.bgw("query ice.bgw").err, "the query is missing"));
  CHECK(house.bgw("query ice.bgw 'select 1; select 2'").exit_code == 2);
  CHECK(house.bgw("query ice.bgw 'select a.key, b.key from tasks a join tasks b on a.key = b.key' --json").exit_code == 2);
  CHECK(house.bgw("query other/x.bgw 'select 1'").exit_code == 4);
  CHECK(list() == before);
  CHECK(text_of(house.folder() / ".bgw" / "db.sqlite") == database);
}

TEST_CASE("docs/database.md names every column of every view, and its queries are answered", "[commands][query]") {
  const Household house;
  const std::string page = text_of(fs::path(BGW_SOURCE_DIR) / "docs" / "database.md");
  const std::map<std::string, std::set<std::string>> documented = documented_columns(page);
  CHECK(documented.size() == 10);
  for (const auto& [view, columns] : documented) {
    INFO(view);
    const std::string header = house.bgw("query ice.bgw 'select * from " + view + " limit 0' --csv").out;
    std::set<std::string> found;
    std::istringstream line(header.substr(0, header.find('\n')));
    for (std::string column; std::getline(line, column, ',');) found.insert(column);
    CHECK(found == columns);
  }
  const std::vector<std::string> queries = queries_in(page);
  REQUIRE(queries.size() == 3);
  const std::vector<std::size_t> rows{2, 6, 5};
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::ofstream(house.folder() / "query.sql") << queries[i];
    const Answer answer = house.bgw("query ice.bgw \"$(cat query.sql)\" --json");
    INFO(queries[i] << answer.err);
    REQUIRE(answer.exit_code == 0);
    CHECK(parse_json(answer.out).as_list().size() == rows[i]);
  }
}
