#include "runtime/store/run_history.h"

#include <fmt/format.h>

#include "runtime/store/key_column.h"

namespace bgw::store {
namespace {

constexpr const char* kRunColumns = "SELECT id, started, ended, exit, pid, boot, host, target, bgw_version FROM t_run ";
constexpr const char* kAttemptColumns =
    "SELECT run, state, cause, message, host, gpus, device, cpus, started, ended, seconds, peak_memory, resumed_from "
    "FROM t_attempt ";

SeenRun run_from(const Statement& row) {
  SeenRun run{row.integer(0), row.integer(1), std::nullopt, static_cast<int>(row.integer(3)), static_cast<int>(row.integer(4)),
              row.text(5), row.text(6), row.text(7), row.text(8)};
  if (!row.is_none(2)) run.ended = row.integer(2);
  return run;
}

SeenAttempt attempt_from(const Statement& row) {
  SeenAttempt attempt{row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), row.text(6),
                      static_cast<int>(row.integer(7)), row.integer(8), std::nullopt, row.real(10), row.integer(11), std::nullopt};
  if (!row.is_none(9)) attempt.ended = row.integer(9);
  if (!row.is_none(12)) attempt.resumed_from = row.integer(12);
  return attempt;
}

std::vector<plan::Key> keys_from(Statement& query) {
  std::vector<plan::Key> keys;
  while (query.step()) keys.push_back(key_from(query.blob(0)));
  return keys;
}

}  // namespace

std::vector<SeenRun> RunHistory::open_runs(const std::string& program, int at_most) {
  Statement query(database_, fmt::format("{} WHERE program = ? AND ended IS NULL ORDER BY id DESC LIMIT ?", kRunColumns));
  query.bind(1, std::string_view(program)).bind(2, std::int64_t{at_most});
  std::vector<SeenRun> runs;
  while (query.step()) runs.push_back(run_from(query));
  return runs;
}

std::optional<SeenRun> RunHistory::newest_run(const std::string& program) {
  Statement query(database_, fmt::format("{} WHERE program = ? ORDER BY id DESC LIMIT 1", kRunColumns));
  query.bind(1, std::string_view(program));
  return query.step() ? std::optional(run_from(query)) : std::nullopt;
}

std::optional<SeenRun> RunHistory::run(std::int64_t id) {
  Statement query(database_, fmt::format("{} WHERE id = ?", kRunColumns));
  query.bind(1, id);
  return query.step() ? std::optional(run_from(query)) : std::nullopt;
}

std::vector<SeenTask> RunHistory::planned(std::int64_t run) {
  Statement query(database_,
                  "SELECT p.key, min(p.name), t.kind, p.reason = 'cached' FROM t_planned p JOIN t_task t ON t.key = p.key "
                  "WHERE p.run = ? GROUP BY p.key ORDER BY 2");
  query.bind(1, run);
  std::vector<SeenTask> tasks;
  while (query.step()) tasks.push_back({key_from(query.blob(0)), query.text(1), query.text(2), query.integer(3) != 0});
  return tasks;
}

std::optional<std::pair<std::string, std::string>> RunHistory::kind_and_preimage(const plan::Key& key) {
  Statement query(database_, "SELECT kind, preimage FROM t_task WHERE key = ?");
  query.bind_blob(1, bytes_of(key));
  if (!query.step()) return std::nullopt;
  return std::pair{query.text(0), query.text(1)};
}

std::map<plan::Key, LastPlan> RunHistory::last_plans() {
  Statement query(database_,
                  "SELECT p.key, p.name, max(p.run), r.started FROM t_planned p JOIN t_run r ON r.id = p.run GROUP BY p.key");
  std::map<plan::Key, LastPlan> plans;  // the name of the row with the max
  while (query.step()) plans.emplace(key_from(query.blob(0)), LastPlan{query.text(1), query.integer(2), query.integer(3)});
  return plans;
}

std::vector<plan::Key> RunHistory::inputs_of(const plan::Key& key) {
  Statement query(database_, "SELECT DISTINCT upstream FROM t_task_in WHERE key = ?");
  query.bind_blob(1, bytes_of(key));
  return keys_from(query);
}

std::vector<plan::Key> RunHistory::with_prefix(const std::string& digits, int at_most) {
  Statement query(database_, "SELECT key FROM t_task WHERE lower(substr(hex(key), 1, ?)) = ? ORDER BY key LIMIT ?");
  query.bind(1, static_cast<std::int64_t>(digits.size())).bind(2, std::string_view(digits)).bind(3, std::int64_t{at_most});
  return keys_from(query);
}

std::vector<plan::Key> RunHistory::recent_of_kind(const std::string& kind, int at_most) {
  Statement query(database_,
                  "SELECT t.key FROM t_task t JOIN t_planned p ON p.key = t.key WHERE t.kind = ? "
                  "GROUP BY t.key ORDER BY max(p.run) DESC LIMIT ?");
  query.bind(1, std::string_view(kind)).bind(2, std::int64_t{at_most});
  return keys_from(query);
}

std::optional<SeenAttempt> RunHistory::newest_attempt(const plan::Key& key) {
  Statement query(database_, fmt::format("{} WHERE key = ? ORDER BY id DESC LIMIT 1", kAttemptColumns));
  query.bind_blob(1, bytes_of(key));
  return query.step() ? std::optional(attempt_from(query)) : std::nullopt;
}

std::optional<SeenAttempt> RunHistory::successful_attempt(const plan::Key& key) {
  Statement query(database_, fmt::format("{} WHERE key = ? AND state = 'done' ORDER BY id DESC LIMIT 1", kAttemptColumns));
  query.bind_blob(1, bytes_of(key));
  return query.step() ? std::optional(attempt_from(query)) : std::nullopt;
}

bool RunHistory::has_row(const plan::Key& key) { return row_made(key).has_value(); }

std::optional<std::int64_t> RunHistory::row_made(const plan::Key& key) {
  Statement query(database_, "SELECT made FROM t_inline_result WHERE key = ?");
  query.bind_blob(1, bytes_of(key));
  return query.step() ? std::optional(query.integer(0)) : std::nullopt;
}

std::map<std::string, double> RunHistory::peak_memory() {
  Statement query(database_,
                  "SELECT t.kind, max(a.peak_memory) FROM t_attempt a JOIN t_task t ON t.key = a.key "
                  "WHERE a.state = 'done' AND a.peak_memory > 0 GROUP BY t.kind");
  std::map<std::string, double> peaks;
  while (query.step()) peaks[query.text(0)] = query.real(1);
  return peaks;
}

std::int64_t RunHistory::schema() { return database_.integer("PRAGMA user_version"); }

bool RunHistory::uses_wal() {
  Statement query(database_, "PRAGMA journal_mode");
  return query.step() && query.text(0) == "wal";
}

}  // namespace bgw::store
