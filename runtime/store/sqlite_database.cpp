// The doorway to SQLite.
#include "runtime/store/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cctype>

namespace bgw::store {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, sqlite3* handle, int code) {
  const char* words = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      throw UnusableDatabase(fmt::format("{} is not a readable database ({}); `bgw cache rebuild` moves it aside and makes it "
                                         "again from the results, only the history is lost",
                                         file.string(), words));
    case SQLITE_FULL: throw StoreError(fmt::format("disk full: cannot write {}", file.string()));
    case SQLITE_BUSY:
      throw StoreError(fmt::format("{} is kept busy by another process; try again when it is done", file.string()));
    case SQLITE_READONLY:
      throw StoreError(fmt::format("the cache cannot be written: {}; choose another place with --cache", file.string()));
    default: throw StoreError(fmt::format("cannot use the database {}: {}", file.string(), words));
  }
}

// Where the folder cannot be written there is no place for the files that WAL keeps beside a database. When no writer
// left such files there, the database is whole and nobody can change it: SQLite may read it as it is.
bool is_frozen(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const std::string log = file.string() + "-wal";
  return ::access(file.c_str(), R_OK) == 0 && ::access(folder.c_str(), W_OK) != 0 && ::access(log.c_str(), F_OK) != 0;
}

}  // namespace

std::string uri_of(const std::filesystem::path& file) {
  std::string uri = "file:";
  for (const unsigned char c : file.string()) {
    const bool plain = std::isalnum(c) != 0 || c == '/' || c == '.' || c == '-' || c == '_';
    uri += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02x}", c);
  }
  return uri;
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Database::Database(const std::filesystem::path& file) : file_(file) {
  sqlite3* handle = nullptr;
  const bool frozen = is_frozen(file);
  const int access = frozen ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const std::string name = frozen ? uri_of(file) + "?immutable=1" : file.string();
  const int code = sqlite3_open_v2(name.c_str(), &handle, access | SQLITE_OPEN_FULLMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) fail(file_, handle, code);
  sqlite3_busy_timeout(handle, 10000);
  execute("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
          "PRAGMA synchronous = NORMAL;");
}

Database::~Database() {
  for (const auto& [sql, statements] : idle_) {
    for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
  }
}

void Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(file_, handle_.get(), code);
}

std::int64_t Database::integer(const std::string& sql) {
  Statement query(*this, sql);
  if (!query.step()) throw StoreError(fmt::format("{}: no answer to \"{}\"", file_.string(), sql));
  return query.integer(0);
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

Statement::Statement(Database& database, std::string_view sql) : database_(database), sql_(sql) {
  if (const auto idle = database.idle_.find(sql); idle != database.idle_.end() && !idle->second.empty()) {
    handle_ = idle->second.back();
    idle->second.pop_back();
    return;
  }
  check(sqlite3_prepare_v2(database.handle_.get(), sql_.data(), static_cast<int>(sql_.size()), &handle_, nullptr));
}

Statement::~Statement() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  database_.idle_[sql_].push_back(handle_);
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) fail(database_.file_, database_.handle_.get(), code);
}

Statement& Statement::bind(int place, std::int64_t value) {
  check(sqlite3_bind_int64(handle_, place, value));
  return *this;
}

Statement& Statement::bind(int place, double value) {
  check(sqlite3_bind_double(handle_, place, value));
  return *this;
}

Statement& Statement::bind(int place, std::string_view text) {
  check(sqlite3_bind_text64(handle_, place, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int place, std::string_view bytes) {
  check(sqlite3_bind_blob64(handle_, place, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_none(int place) {
  check(sqlite3_bind_null(handle_, place));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3_reset(handle_);
  fail(database_.file_, database_.handle_.get(), code);
}

void Statement::run() {
  while (step()) {
  }
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

bool Statement::is_none(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_, column); }

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

std::string Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

Transaction::Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const StoreError&) {
    // SQLite has rolled back by itself, as it does on a full disk
  }
}

ReadTransaction::~ReadTransaction() {
  try {
    database_.execute("COMMIT");
  } catch (const StoreError&) {
    // nothing was to be kept
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace bgw::store
