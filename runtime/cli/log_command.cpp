#include <fmt/format.h>

#include <algorithm>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/engine/task_look.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/cache.h"
#include "runtime/store/sqlite_database.h"

namespace bgw::cli {
namespace {

using schema::Map;

std::string outcome_text(std::int64_t exit) {
  switch (exit) {
    case 0: return "done";
    case 4: return "a task failed";
    case 6: return "disk full or cache broken";
    case 7: return "another run held its tasks";
    case 129:
    case 130:
    case 143: return "interrupted";
    default: return fmt::format("exit {}", exit);
  }
}

std::string parameters_text(const std::string& json) {
  std::string text;
  const schema::Value params = schema::parse_json(json);
  for (const auto& [name, change] : params.as_map()) {
    if (change.is_map()) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, change.string_or("new", "?"));
  }
  return text;
}

constexpr const char* kRuns = R"sql(
SELECT id, started, ended, exit, params, bgw_version, host, pid, boot,
       (SELECT count(DISTINCT key) FROM t_planned p WHERE p.run = r.id),
       (SELECT count(DISTINCT key) FROM t_planned p WHERE p.run = r.id AND reason = 'cached')
FROM t_run r WHERE program = ?1 ORDER BY id DESC LIMIT ?2)sql";

// Of a run that has not ended in an orderly way.
const char* life_text(const store::Statement& run) {
  store::SeenRun seen;
  seen.started = run.integer(1);
  seen.host = run.text(6);
  seen.pid = static_cast<int>(run.integer(7));
  seen.boot = run.text(8);
  switch (engine::life_of(seen)) {
    case engine::RunLife::alive: return "running";
    case engine::RunLife::elsewhere: return "running elsewhere, or killed";
    case engine::RunLife::ended: break;
  }
  return "killed";
}

}  // namespace

int log(const LogOptions& options) {
  const std::string program = std::filesystem::absolute(options.program).lexically_normal().string();
  const store::Cache cache = store::Cache::look(cache_directory(options));
  if (!cache.has_records()) {
    if (options.json)
      fmt::print("[]\n");
    else
      fmt::print("no run yet: there is no cache in {}\n", cache.root().string());
    return kDone;
  }
  store::Database database(cache.layout().database());
  store::Statement runs(database, kRuns);
  runs.bind(1, std::string_view(program)).bind(2, static_cast<std::int64_t>(options.runs));
  report::TextTable table{
      {{"run", true}, {"started"}, {"took", true}, {"tasks", true}, {"cached", true}, {"outcome"}, {"params"}}, {}};
  schema::List list;
  while (runs.step()) {
    const bool ended = !runs.is_none(2);
    const double seconds = ended ? static_cast<double>(runs.integer(2) - runs.integer(1)) * 1e-6 : 0;
    const std::string outcome = ended ? outcome_text(runs.integer(3)) : life_text(runs);
    table.rows.push_back({std::to_string(runs.integer(0)), report::format_time(runs.integer(1)),
                          ended ? report::format_duration(seconds) : "", std::to_string(runs.integer(9)),
                          std::to_string(runs.integer(10)), outcome, parameters_text(runs.text(4))});
    Map map{{"run", runs.integer(0)},
            {"started_us", runs.integer(1)},
            {"tasks", runs.integer(9)},
            {"cached", runs.integer(10)},
            {"params", schema::parse_json(runs.text(4))},
            {"bgw_version", runs.text(5)},
            {"host", runs.text(6)}};
    if (ended) {
      map.insert_or_assign("ended_us", runs.integer(2));
      map.insert_or_assign("exit_code", runs.integer(3));
    }
    if (!ended) map.insert_or_assign("life", outcome);
    list.push_back(std::move(map));
  }
  if (options.json)
    put_document(list);
  else if (table.rows.empty())
    fmt::print("no run of {} yet\n", options.program);
  else
    fmt::print("{}", report::render(table));
  return kDone;
}

}  // namespace bgw::cli
