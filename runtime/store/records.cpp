#include "runtime/store/records.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "compiler/plan/preimage.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/file_system.h"
#include "runtime/store/key_column.h"
#include "runtime/store/sqlite_database.h"
#include "runtime/store/utf8.h"

namespace bgw::store {
namespace {

constexpr std::int64_t kApplication = 0x62677731;  // "bgw1"

// Schema 1 had the tables under the names that are views now, fewer columns, and no checks, pins and objects. The tables
// are named t_…: the names without it belong to the views that people query (docs/database.md).
// Blocks of two kinds may share a name: it alone is no key.
// No CHECK(json_valid(..)): SQLite calls it unsafe where the schema is not trusted.
constexpr const char* kTables = R"sql(
CREATE TABLE t_run (
  id INTEGER PRIMARY KEY, program TEXT NOT NULL, program_sha TEXT NOT NULL,
  argv TEXT NOT NULL, params TEXT NOT NULL,
  started INTEGER NOT NULL, ended INTEGER, exit INTEGER, bgw_version TEXT NOT NULL, host TEXT NOT NULL,
  pid INTEGER NOT NULL DEFAULT 0, boot TEXT NOT NULL DEFAULT '', target TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE t_task (
  key BLOB PRIMARY KEY CHECK(length(key) = 32), kind TEXT NOT NULL, kind_version INTEGER NOT NULL,
  preimage TEXT NOT NULL, stream BLOB CHECK(length(stream) = 32)) STRICT, WITHOUT ROWID;
CREATE TABLE t_task_in (
  key BLOB NOT NULL REFERENCES t_task(key), role TEXT NOT NULL, upstream BLOB NOT NULL,
  PRIMARY KEY(key, role)) STRICT, WITHOUT ROWID;
CREATE TABLE t_planned (
  run INTEGER NOT NULL REFERENCES t_run(id), name TEXT NOT NULL, key BLOB NOT NULL REFERENCES t_task(key),
  reason TEXT NOT NULL, PRIMARY KEY(run, name, key)) STRICT, WITHOUT ROWID;
CREATE TABLE t_attempt (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL REFERENCES t_task(key), run INTEGER REFERENCES t_run(id),
  state TEXT NOT NULL CHECK(state IN ('submitting', 'queued', 'running', 'checkpointed', 'done', 'failed', 'lost', 'cancelled')),
  cause TEXT, message TEXT, exit INTEGER, host TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER,
  seconds REAL, executor TEXT NOT NULL DEFAULT 'local', job TEXT, cpus INTEGER, gpus TEXT, device TEXT,
  peak_memory INTEGER, resumed_from INTEGER) STRICT;
CREATE TABLE t_artifact (
  key BLOB NOT NULL REFERENCES t_task(key), file TEXT NOT NULL, sha BLOB NOT NULL, bytes INTEGER NOT NULL,
  published INTEGER NOT NULL, PRIMARY KEY(key, file)) STRICT, WITHOUT ROWID;
CREATE TABLE t_object (
  key BLOB PRIMARY KEY REFERENCES t_task(key), name TEXT NOT NULL, stamp TEXT NOT NULL, host TEXT NOT NULL, device TEXT NOT NULL,
  cpus INTEGER NOT NULL, seconds REAL, started INTEGER NOT NULL, published INTEGER NOT NULL,
  bgw_version TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE t_result (
  key BLOB NOT NULL REFERENCES t_task(key), name TEXT NOT NULL, value REAL, sigma REAL, unit TEXT NOT NULL, n INTEGER,
  convention TEXT NOT NULL, PRIMARY KEY(key, name)) STRICT, WITHOUT ROWID;
CREATE TABLE t_inline_result (
  key BLOB PRIMARY KEY REFERENCES t_task(key), value TEXT NOT NULL, made INTEGER NOT NULL,
  run INTEGER REFERENCES t_run(id), seconds REAL) STRICT, WITHOUT ROWID;
CREATE TABLE t_check (
  run INTEGER NOT NULL REFERENCES t_run(id), name TEXT NOT NULL, kind TEXT NOT NULL, holds INTEGER NOT NULL,
  detail TEXT NOT NULL, PRIMARY KEY(run, name, kind)) STRICT, WITHOUT ROWID;
CREATE TABLE t_pin (
  label TEXT NOT NULL, key BLOB NOT NULL CHECK(length(key) = 32), since INTEGER NOT NULL,
  PRIMARY KEY(label, key)) STRICT, WITHOUT ROWID;
CREATE INDEX t_attempt_key ON t_attempt(key, id);
CREATE INDEX t_task_in_up ON t_task_in(upstream);
CREATE INDEX t_planned_name ON t_planned(name, run);
CREATE INDEX t_task_stream ON t_task(stream);
)sql";

// From the tables of schema 1 to those of schema 2, which stand beside them by then.
constexpr const char* kFromSchema1 = R"sql(
INSERT INTO t_run(id, program, program_sha, argv, params, started, ended, exit, bgw_version, host)
  SELECT id, program, program_sha, argv, params, started, ended, exit, bgw_version, host FROM run;
INSERT INTO t_task(key, kind, kind_version, preimage) SELECT key, kind, kind_version, preimage FROM task;
INSERT INTO t_task_in SELECT key, role, upstream FROM task_in;
INSERT INTO t_planned SELECT run, name, key, reason FROM planned;
INSERT INTO t_attempt(id, key, run, state, cause, message, exit, host, started, ended, seconds)
  SELECT id, key, run, state, cause, message, exit, host, started, ended, seconds FROM attempt;
INSERT INTO t_artifact SELECT key, file, sha, bytes, published FROM artifact;
INSERT INTO t_result SELECT key, name, value, sigma, unit, n, convention FROM result;
INSERT INTO t_inline_result(key, value, made) SELECT key, value, made FROM inline_result;
DROP TABLE inline_result; DROP TABLE result; DROP TABLE artifact; DROP TABLE attempt; DROP TABLE planned;
DROP TABLE task_in; DROP TABLE task; DROP TABLE run;
)sql";

bool on_network(const std::filesystem::path& file) { return file_system_of(file).network; }

void set_journal(Database& database) {
  if (on_network(database.file())) {
    database.execute("PRAGMA journal_mode = TRUNCATE");
    return;
  }
  // Turning WAL on needs the file for oneself and does not wait by itself when two processes begin together.
  for (int patience = 100;; --patience) {
    try {
      database.execute("PRAGMA journal_mode = WAL");
      return;
    } catch (const StoreError&) {
      if (patience == 0) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

void check_owner(Database& database) {
  const std::int64_t application = database.integer("PRAGMA application_id");
  const std::int64_t tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (application != kApplication && (application != 0 || tables != 0)) {
    throw UnusableDatabase(fmt::format("{} is a database of another program; move it away or choose another place with --cache",
                                       database.file().string()));
  }
  const std::int64_t schema = database.integer("PRAGMA user_version");
  if (schema > kDatabaseSchema) {
    throw StoreError(fmt::format("the cache was written by a newer bgw (schema {}), this one reads {}: {}", schema, kDatabaseSchema,
                                 database.file().string()));
  }
}

// A migration that turns out wrong must not cost the history: the file as it was stays beside, whole or not at all.
void keep_copy(Database& database, std::int64_t schema) {
  const std::string copy = fmt::format("{}.schema{}", database.file().string(), schema);
  if (is_there(copy)) return;
  const std::string draft = copy + "." + random_token();
  try {
    Statement(database, "VACUUM INTO ?").bind(1, draft).run();
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(draft, ignored);
    throw;
  }
  std::filesystem::rename(draft, copy);
}

void make_tables(Database& database) {
  Transaction transaction(database);
  const std::int64_t schema = database.integer("PRAGMA user_version");  // another process may have been quicker
  if (schema < kDatabaseSchema) {
    database.execute(kTables);
    if (schema == 1) database.execute(kFromSchema1);
    database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplication, kDatabaseSchema));
  }
  transaction.commit();
}

void bind_or_none(Statement& statement, int place, const std::optional<double>& value) {
  if (value && std::isfinite(*value)) {
    statement.bind(place, *value);
  } else {
    statement.bind_none(place);
  }
}

void put_task_row(Database& database, const plan::Key& key, const std::string& kind, int version, const std::string& preimage) {
  Statement(database, "INSERT OR IGNORE INTO t_task(key, kind, kind_version, preimage) VALUES (?, ?, ?, ?)")
      .bind_blob(1, bytes_of(key)).bind(2, kind).bind(3, std::int64_t{version}).bind(4, preimage).run();
}

void put_input_row(Database& database, const plan::Key& key, const std::string& role, const plan::Key& upstream) {
  Statement(database, "INSERT OR IGNORE INTO t_task_in VALUES (?, ?, ?)")
      .bind_blob(1, bytes_of(key)).bind(2, role).bind_blob(3, bytes_of(upstream)).run();
}

bool is_known_task(Database& database, const plan::Key& key) {
  Statement query(database, "SELECT stream IS NOT NULL FROM t_task WHERE key = ?");
  query.bind_blob(1, bytes_of(key));
  return query.step() && query.integer(0) != 0;
}

// A known task costs one look-up: its pre-image, which takes longest to write, is there already.
void put_task(Database& database, const plan::TaskSpec& spec) {
  if (is_known_task(database, spec.key)) return;
  Statement(database,
            "INSERT INTO t_task VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET stream = excluded.stream")
      .bind_blob(1, bytes_of(spec.key)).bind(2, spec.kind).bind(3, std::int64_t{spec.version}).bind(4, plan::preimage(spec))
      .bind_blob(5, bytes_of(spec.stream_key)).run();
  for (const plan::TaskInput& input : spec.inputs) put_input_row(database, spec.key, input.role, input.key);
}

void put_object_row(Database& database, const Manifest& manifest, const std::string& stamp) {
  const Provenance& made = manifest.provenance;
  Statement(database, "INSERT OR REPLACE INTO t_object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind_blob(1, bytes_of(manifest.key)).bind(2, manifest.name).bind(3, stamp).bind(4, made.host).bind(5, made.device)
      .bind(6, std::int64_t{made.cpus}).bind(7, manifest.cost.seconds).bind(8, made.started).bind(9, made.ended)
      .bind(10, made.bgw_version).run();
}

void put_result_row(Database& database, const plan::Key& key, const artifacts::Result& result) {
  Statement insert(database, "INSERT OR REPLACE INTO t_result VALUES (?, ?, ?, ?, ?, ?, ?)");
  insert.bind_blob(1, bytes_of(key)).bind(2, result.name);
  bind_or_none(insert, 3, result.value);
  bind_or_none(insert, 4, result.sigma);
  insert.bind(5, result.unit);
  if (result.n) insert.bind(6, *result.n);
  insert.bind(7, result.convention).run();
}

}  // namespace

Records::Records(const std::filesystem::path& file) : database_(std::make_unique<Database>(file)) {
  check_owner(*database_);
  if (on_network(file)) database_->execute("PRAGMA synchronous = FULL");
  const std::int64_t schema = database_->integer("PRAGMA user_version");
  if (schema == kDatabaseSchema) return;
  if (schema > 0) keep_copy(*database_, schema);
  set_journal(*database_);
  make_tables(*database_);
}

Records::~Records() = default;

std::int64_t Records::begin_run(const RunRecord& run) {
  const std::lock_guard guard(mutex_);
  schema::List words;
  for (const std::string& word : run.arguments) words.emplace_back(valid_utf8(word));
  Transaction transaction(*database_);
  Statement(*database_,
            "INSERT INTO t_run(program, program_sha, argv, params, started, bgw_version, host, pid, boot, target) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(1, run.program).bind(2, run.program_sha256).bind(3, schema::to_json(words))
      .bind(4, schema::to_json(run.parameters)).bind(5, now_in_microseconds()).bind(6, std::string_view(BGW_VERSION))
      .bind(7, host_name()).bind(8, std::int64_t{::getpid()}).bind(9, boot_id()).bind(10, run.target).run();
  const std::int64_t id = database_->last_insert_id();
  transaction.commit();
  return id;
}

void Records::end_run(std::int64_t run, int exit_code) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement(*database_, "UPDATE t_run SET ended = ?, exit = ? WHERE id = ?")
      .bind(1, now_in_microseconds()).bind(2, std::int64_t{exit_code}).bind(3, run).run();
  transaction.commit();
}

void Records::plan_tasks(std::int64_t run, const plan::Plan& plan, const std::vector<std::size_t>& indices,
                         const std::vector<std::string>& reasons) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  struct Planned {
    const std::string* name;
    std::size_t task;  // of `indices`
  };
  std::vector<Planned> planned;
  planned.reserve(indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const plan::TaskSpec& spec = plan.tasks.at(indices[i]);
    // The result of an inline task stands on its task's row, which is there when the result is.
    const bool known = spec.placement == plan::Placement::inline_ && reasons.at(i) == kCached;
    if (!known) put_task(*database_, spec);
    planned.push_back({&spec.name, i});
    for (const std::string& name : spec.also_named) planned.push_back({&name, i});
  }
  // In the order of the table, whose pages are filled one after another then.
  std::stable_sort(planned.begin(), planned.end(), [](const Planned& a, const Planned& b) { return *a.name < *b.name; });
  Statement insert(*database_, "INSERT OR REPLACE INTO t_planned VALUES (?, ?, ?, ?)");
  for (const auto& [name, i] : planned) {
    insert.bind(1, run).bind(2, *name).bind_blob(3, bytes_of(plan.tasks[indices[i]].key)).bind(4, reasons[i]).run();
  }
  transaction.commit();
}

void Records::put_checks(std::int64_t run, const std::vector<CheckRecord>& checks) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement insert(*database_, "INSERT OR REPLACE INTO t_check VALUES (?, ?, ?, ?, ?)");
  for (const CheckRecord& check : checks) {
    insert.bind(1, run).bind(2, check.name).bind(3, check.kind).bind(4, std::int64_t{check.holds})
        .bind(5, schema::to_json(check.detail)).run();
  }
  transaction.commit();
}

std::int64_t Records::begin_attempt(std::int64_t run, const plan::Key& key, const AttemptStart& start) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement insert(*database_,
                   "INSERT INTO t_attempt(key, run, state, host, started, cpus, gpus) "
                   "VALUES (?, ?, 'running', ?, ?, ?, ?)");
  insert.bind_blob(1, bytes_of(key)).bind(2, run).bind(3, host_name()).bind(4, now_in_microseconds())
      .bind(5, std::int64_t{start.cpus}).bind(6, start.gpus);
  insert.run();
  const std::int64_t id = database_->last_insert_id();
  transaction.commit();
  return id;
}

void Records::attempt_resumed(std::int64_t attempt, std::int64_t step) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement(*database_, "UPDATE t_attempt SET resumed_from = ? WHERE id = ?").bind(1, step).bind(2, attempt).run();
  transaction.commit();
}

void Records::end_attempt(std::int64_t attempt, const AttemptRecord& record) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement update(*database_,
                   "UPDATE t_attempt SET state = ?, cause = ?, message = ?, exit = ?, ended = ?, seconds = ?, peak_memory = ? "
                   "WHERE id = ?");
  update.bind(1, record.state).bind(2, record.cause).bind(3, record.message).bind(4, std::int64_t{record.exit})
      .bind(5, now_in_microseconds()).bind(6, record.seconds).bind(8, attempt);
  if (record.peak_memory > 0) update.bind(7, record.peak_memory);
  update.run();
  transaction.commit();
}

void Records::end_abandoned_attempts(const plan::Key& key, std::int64_t made) {
  const std::lock_guard guard(mutex_);
  const auto is_any = [&] {  // mostly there is none, and then nothing is to be written
    Statement query(*database_, "SELECT 1 FROM t_attempt WHERE key = ? AND state = 'running' LIMIT 1");
    return query.bind_blob(1, bytes_of(key)).step();
  };
  if (!is_any()) return;
  Transaction transaction(*database_);
  Statement(*database_,
            "UPDATE t_attempt SET state = iif(started < ?1, 'done', 'lost'), ended = ?2 WHERE key = ?3 AND state = 'running'")
      .bind(1, made).bind(2, now_in_microseconds()).bind_blob(3, bytes_of(key)).run();
  transaction.commit();
}

std::optional<AttemptRecord> Records::last_attempt(const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_,
                  "SELECT state, cause, message, exit, seconds, started, peak_memory FROM t_attempt "
                  "WHERE key = ? AND ended IS NOT NULL ORDER BY id DESC LIMIT 1");
  query.bind_blob(1, bytes_of(key));
  if (!query.step()) return std::nullopt;
  return AttemptRecord{query.text(0), query.text(1), query.text(2), static_cast<int>(query.integer(3)),
                       query.real(4), query.integer(5), query.integer(6)};
}

void Records::put_object(const Manifest& manifest, const std::string& stamp) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  put_task_row(*database_, manifest.key, manifest.kind, manifest.version, manifest.preimage);
  for (const auto& [role, upstream] : manifest.inputs) put_input_row(*database_, manifest.key, role, upstream);
  put_object_row(*database_, manifest, stamp);
  for (const char* sql : {"DELETE FROM t_artifact WHERE key = ?", "DELETE FROM t_result WHERE key = ?"}) {  // of one it replaces
    Statement(*database_, sql).bind_blob(1, bytes_of(manifest.key)).run();
  }
  for (const auto& [name, file] : manifest.files) {
    Statement(*database_, "INSERT OR REPLACE INTO t_artifact VALUES (?, ?, ?, ?, ?)")
        .bind_blob(1, bytes_of(manifest.key)).bind(2, name).bind_blob(3, bytes_of(file.sha256))
        .bind(4, static_cast<std::int64_t>(file.bytes)).bind(5, manifest.provenance.ended).run();
  }
  for (const artifacts::Result& result : manifest.results) put_result_row(*database_, manifest.key, result);
  transaction.commit();
}

void Records::forget_object(const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  for (const char* sql : {"DELETE FROM t_artifact WHERE key = ?", "DELETE FROM t_result WHERE key = ?", "DELETE FROM t_object WHERE key = ?"}) {
    Statement(*database_, sql).bind_blob(1, bytes_of(key)).run();
  }
  transaction.commit();
}

std::vector<std::string> Records::object_stamps(const std::vector<plan::Key>& keys) {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> stamps;
  stamps.reserve(keys.size());
  const ReadTransaction one_view(*database_);
  for (const plan::Key& key : keys) {
    Statement query(*database_, "SELECT stamp FROM t_object WHERE key = ?");
    query.bind_blob(1, bytes_of(key));
    stamps.push_back(query.step() ? query.text(0) : "");
  }
  return stamps;
}

void Records::put_object_stamps(const std::vector<std::pair<plan::Key, std::string>>& stamps) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement update(*database_, "UPDATE t_object SET stamp = ? WHERE key = ?");
  for (const auto& [key, stamp] : stamps) update.bind(1, stamp).bind_blob(2, bytes_of(key)).run();
  transaction.commit();
}

std::vector<plan::Key> Records::finished_with_stream(const plan::Key& stream_key, const std::string& kind, int version) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_,
                  "SELECT t_task.key FROM t_task JOIN t_object ON t_object.key = t_task.key "
                  "WHERE stream = ? AND kind = ? AND kind_version = ? ORDER BY published DESC");
  query.bind_blob(1, bytes_of(stream_key)).bind(2, kind).bind(3, std::int64_t{version});
  std::vector<plan::Key> keys;
  while (query.step()) keys.push_back(key_from(query.blob(0)));
  return keys;
}

std::optional<schema::Value> Records::row(const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_, "SELECT value FROM t_inline_result WHERE key = ?");
  query.bind_blob(1, bytes_of(key));
  if (!query.step()) return std::nullopt;
  return schema::parse_json(query.text(0));
}

std::vector<bool> Records::has_rows(const std::vector<plan::Key>& keys) {
  const std::lock_guard guard(mutex_);
  std::vector<bool> found;
  found.reserve(keys.size());
  const ReadTransaction one_view(*database_);
  for (const plan::Key& key : keys) {
    Statement query(*database_, "SELECT 1 FROM t_inline_result WHERE key = ?");
    query.bind_blob(1, bytes_of(key));
    found.push_back(query.step());
  }
  return found;
}

void Records::put_rows(std::optional<std::int64_t> run, const std::vector<InlineResult>& results) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement insert(*database_, "INSERT OR REPLACE INTO t_inline_result VALUES (?, ?, ?, ?, ?)");
  for (const InlineResult& result : results) {
    put_task(*database_, *result.spec);
    insert.bind_blob(1, bytes_of(result.spec->key)).bind(2, schema::to_json(result.value)).bind(3, now_in_microseconds())
        .bind(5, result.seconds);
    if (run) insert.bind(4, *run);
    insert.run();
  }
  transaction.commit();
}

std::optional<EarlierTask> Records::latest_other(const std::string& program, const plan::TaskSpec& spec) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_,
                  "SELECT p.key, t.preimage, r.started FROM t_planned p JOIN t_run r ON r.id = p.run "
                  "JOIN t_task t ON t.key = p.key WHERE p.name = ? AND r.program = ? AND p.key != ? AND t.kind = ? "
                  "ORDER BY p.run DESC LIMIT 1");
  query.bind(1, spec.name).bind(2, program).bind_blob(3, bytes_of(spec.key)).bind(4, spec.kind);
  if (!query.step()) return std::nullopt;
  return EarlierTask{key_from(query.blob(0)), query.text(1), query.integer(2)};
}

}  // namespace bgw::store
