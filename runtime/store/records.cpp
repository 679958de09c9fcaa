#include "runtime/store/records.h"

#include <fmt/format.h>
#include <sys/vfs.h>

#include <array>
#include <chrono>
#include <cmath>
#include <thread>

#include "compiler/plan/preimage.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/clock.h"
#include "runtime/store/sqlite_database.h"
#include "runtime/store/utf8.h"

namespace bgw::store {
namespace {

constexpr std::int64_t kApplication = 0x62677731;  // "bgw1"
constexpr std::int64_t kSchema = 1;

// No CHECK(json_valid(..)): SQLite calls it unsafe where the schema is not trusted.
constexpr const char* kTables = R"sql(
CREATE TABLE run (
  id INTEGER PRIMARY KEY, program TEXT NOT NULL, program_sha TEXT NOT NULL,
  argv TEXT NOT NULL, params TEXT NOT NULL,
  started INTEGER NOT NULL, ended INTEGER, exit INTEGER, bgw_version TEXT NOT NULL, host TEXT NOT NULL) STRICT;
CREATE TABLE task (
  key BLOB PRIMARY KEY CHECK(length(key) = 32), kind TEXT NOT NULL, kind_version INTEGER NOT NULL,
  preimage TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE task_in (
  key BLOB NOT NULL REFERENCES task(key), role TEXT NOT NULL, upstream BLOB NOT NULL,
  PRIMARY KEY(key, role)) STRICT, WITHOUT ROWID;
CREATE TABLE planned (
  run INTEGER NOT NULL REFERENCES run(id), name TEXT NOT NULL, key BLOB NOT NULL REFERENCES task(key),
  reason TEXT NOT NULL, PRIMARY KEY(run, name)) STRICT, WITHOUT ROWID;
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL REFERENCES task(key), run INTEGER REFERENCES run(id),
  state TEXT NOT NULL CHECK(state IN ('running', 'checkpointed', 'done', 'failed', 'lost')),
  cause TEXT, message TEXT, exit INTEGER, host TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER,
  seconds REAL) STRICT;
CREATE TABLE artifact (
  key BLOB NOT NULL REFERENCES task(key), file TEXT NOT NULL, sha BLOB NOT NULL, bytes INTEGER NOT NULL,
  published INTEGER NOT NULL, PRIMARY KEY(key, file)) STRICT, WITHOUT ROWID;
CREATE TABLE result (
  key BLOB NOT NULL REFERENCES task(key), name TEXT NOT NULL, value REAL, sigma REAL, unit TEXT NOT NULL, n INTEGER,
  convention TEXT NOT NULL, PRIMARY KEY(key, name)) STRICT, WITHOUT ROWID;
CREATE TABLE inline_result (
  key BLOB PRIMARY KEY REFERENCES task(key), value TEXT NOT NULL,
  made INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_key ON attempt(key, id);
CREATE INDEX task_in_up ON task_in(upstream);
CREATE INDEX planned_name ON planned(name, run);
)sql";

std::string_view bytes_of(const plan::Key& key) {
  return {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()};
}

plan::Key key_from(const std::string& bytes) {
  plan::Key key;
  if (bytes.size() != key.bytes.size()) throw StoreError("the database holds a key of the wrong length");
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

// WAL needs memory shared between the processes that use the file, which no network file system gives.
bool on_network(const std::filesystem::path& file) {
  constexpr std::array<unsigned, 5> kNetworks = {0x6969 /* nfs */, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */,
                                                 0x0bd00bd0 /* lustre */, 0x47504653 /* gpfs */};
  struct statfs status{};
  if (::statfs(file.parent_path().c_str(), &status) != 0) return false;
  for (const unsigned kind : kNetworks) {
    if (static_cast<unsigned>(status.f_type) == kind) return true;
  }
  return false;
}

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
    throw StoreError(fmt::format("{} is a database of another program; move it away or choose another place with --cache",
                                 database.file().string()));
  }
  const std::int64_t schema = database.integer("PRAGMA user_version");
  if (schema > kSchema) {
    throw StoreError(fmt::format("the cache was written by a newer bgw (schema {}), this one reads {}: {}", schema, kSchema,
                                 database.file().string()));
  }
}

void make_tables(Database& database) {
  Transaction transaction(database);
  if (database.integer("PRAGMA user_version") == 0) {
    database.execute(kTables);
    database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplication, kSchema));
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
  Statement(database, "INSERT OR IGNORE INTO task VALUES (?, ?, ?, ?)")
      .bind_blob(1, bytes_of(key)).bind(2, kind).bind(3, std::int64_t{version}).bind(4, preimage).run();
}

void put_input_row(Database& database, const plan::Key& key, const std::string& role, const plan::Key& upstream) {
  Statement(database, "INSERT OR IGNORE INTO task_in VALUES (?, ?, ?)")
      .bind_blob(1, bytes_of(key)).bind(2, role).bind_blob(3, bytes_of(upstream)).run();
}

void put_result_row(Database& database, const plan::Key& key, const artifacts::Result& result) {
  Statement insert(database, "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?)");
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
  if (database_->integer("PRAGMA user_version") == kSchema) return;
  set_journal(*database_);
  make_tables(*database_);
}

Records::~Records() = default;

std::int64_t Records::begin_run(const RunRecord& run) {
  const std::lock_guard guard(mutex_);
  schema::List words;
  for (const std::string& word : run.arguments) words.emplace_back(valid_utf8(word));
  Transaction transaction(*database_);
  Statement(*database_, "INSERT INTO run(program, program_sha, argv, params, started, bgw_version, host) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .bind(1, run.program).bind(2, run.program_sha256).bind(3, schema::to_json(words))
      .bind(4, schema::to_json(run.parameters)).bind(5, now_in_microseconds()).bind(6, std::string_view(BGW_VERSION))
      .bind(7, host_name()).run();
  const std::int64_t id = database_->last_insert_id();
  transaction.commit();
  return id;
}

void Records::end_run(std::int64_t run, int exit_code) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement(*database_, "UPDATE run SET ended = ?, exit = ? WHERE id = ?")
      .bind(1, now_in_microseconds()).bind(2, std::int64_t{exit_code}).bind(3, run).run();
  transaction.commit();
}

void Records::put_task(const plan::TaskSpec& spec) {
  put_task_row(*database_, spec.key, spec.kind, spec.version, plan::preimage(spec));
  for (const plan::TaskInput& input : spec.inputs) put_input_row(*database_, spec.key, input.role, input.key);
}

void Records::plan_tasks(std::int64_t run, const plan::Plan& plan, const std::vector<std::size_t>& indices,
                         const std::vector<std::string>& reasons) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement insert(*database_, "INSERT OR REPLACE INTO planned VALUES (?, ?, ?, ?)");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const plan::TaskSpec& spec = plan.tasks.at(indices[i]);
    put_task(spec);
    std::vector<std::string> names = spec.also_named;
    names.push_back(spec.name);
    for (const std::string& name : names) {
      insert.bind(1, run).bind(2, name).bind_blob(3, bytes_of(spec.key)).bind(4, reasons.at(i)).run();
    }
  }
  transaction.commit();
}

std::int64_t Records::begin_attempt(std::int64_t run, const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement(*database_, "INSERT INTO attempt(key, run, state, host, started) VALUES (?, ?, 'running', ?, ?)")
      .bind_blob(1, bytes_of(key)).bind(2, run).bind(3, host_name()).bind(4, now_in_microseconds()).run();
  const std::int64_t id = database_->last_insert_id();
  transaction.commit();
  return id;
}

void Records::end_attempt(std::int64_t attempt, const AttemptRecord& record) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement(*database_, "UPDATE attempt SET state = ?, cause = ?, message = ?, exit = ?, ended = ?, seconds = ? WHERE id = ?")
      .bind(1, record.state).bind(2, record.cause).bind(3, record.message).bind(4, std::int64_t{record.exit})
      .bind(5, now_in_microseconds()).bind(6, record.seconds).bind(7, attempt).run();
  transaction.commit();
}

std::optional<AttemptRecord> Records::last_attempt(const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_,
                  "SELECT state, cause, message, exit, seconds, started FROM attempt "
                  "WHERE key = ? AND ended IS NOT NULL ORDER BY id DESC LIMIT 1");
  query.bind_blob(1, bytes_of(key));
  if (!query.step()) return std::nullopt;
  return AttemptRecord{query.text(0), query.text(1), query.text(2), static_cast<int>(query.integer(3)), query.real(4), query.integer(5)};
}

void Records::put_object(const Manifest& manifest) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  put_task_row(*database_, manifest.key, manifest.kind, manifest.version, manifest.preimage);
  for (const auto& [role, upstream] : manifest.inputs) put_input_row(*database_, manifest.key, role, upstream);
  for (const auto& [name, file] : manifest.files) {
    Statement(*database_, "INSERT OR REPLACE INTO artifact VALUES (?, ?, ?, ?, ?)")
        .bind_blob(1, bytes_of(manifest.key)).bind(2, name).bind_blob(3, bytes_of(file.sha256))
        .bind(4, static_cast<std::int64_t>(file.bytes)).bind(5, manifest.provenance.ended).run();
  }
  for (const artifacts::Result& result : manifest.results) put_result_row(*database_, manifest.key, result);
  transaction.commit();
}

void Records::forget_object(const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  Statement(*database_, "DELETE FROM artifact WHERE key = ?").bind_blob(1, bytes_of(key)).run();
  Statement(*database_, "DELETE FROM result WHERE key = ?").bind_blob(1, bytes_of(key)).run();
  transaction.commit();
}

std::optional<schema::Value> Records::row(const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_, "SELECT value FROM inline_result WHERE key = ?");
  query.bind_blob(1, bytes_of(key));
  if (!query.step()) return std::nullopt;
  return schema::parse_json(query.text(0));
}

void Records::put_row(const plan::TaskSpec& spec, const schema::Value& value) {
  const std::lock_guard guard(mutex_);
  Transaction transaction(*database_);
  put_task(spec);
  Statement(*database_, "INSERT OR REPLACE INTO inline_result VALUES (?, ?, ?)")
      .bind_blob(1, bytes_of(spec.key)).bind(2, schema::to_json(value)).bind(3, now_in_microseconds()).run();
  transaction.commit();
}

std::optional<EarlierTask> Records::latest_other(const std::string& program, const std::string& name, const plan::Key& key) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_,
                  "SELECT planned.key, task.preimage, run.started FROM planned JOIN run ON run.id = planned.run "
                  "JOIN task ON task.key = planned.key WHERE planned.name = ? AND run.program = ? AND planned.key != ? "
                  "ORDER BY planned.run DESC LIMIT 1");
  query.bind(1, name).bind(2, program).bind_blob(3, bytes_of(key));
  if (!query.step()) return std::nullopt;
  return EarlierTask{key_from(query.blob(0)), query.text(1), query.integer(2)};
}

std::optional<double> Records::typical_seconds(const std::string& kind) {
  const std::lock_guard guard(mutex_);
  Statement query(*database_,
                  "SELECT avg(seconds) FROM (SELECT seconds FROM attempt JOIN task ON task.key = attempt.key "
                  "WHERE task.kind = ? AND attempt.state = 'done' ORDER BY attempt.id DESC LIMIT 20)");
  query.bind(1, kind);
  if (!query.step() || query.is_none(0)) return std::nullopt;
  return query.real(0);
}

}  // namespace bgw::store
