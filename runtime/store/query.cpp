// A reader that leaves no trace. While somebody has the database open in WAL mode its -wal and -shm files are there, and
// a read-only connection uses them. When nobody has, opening it the usual way would make them; then the file is read as
// one that cannot change, and when it did change meanwhile the answer is thrown away and asked for again.
#include "runtime/store/query.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "compiler/source/diagnostic.h"
#include "runtime/artifacts/artifact.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/records.h"
#include "runtime/store/sqlite_database.h"
#include "runtime/store/utf8.h"
#include "runtime/store/views.h"

namespace bgw::store {
namespace {

namespace fs = std::filesystem;

struct Close {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};
using Connection = std::unique_ptr<sqlite3, Close>;
using Prepared = std::unique_ptr<sqlite3_stmt, Close>;

// What was refused first, for the message.
struct Refused {
  bool any = false;
  std::string table;  // for one that is no view
};

[[noreturn]] void fail_reading(const fs::path& file, sqlite3* handle) {
  throw StoreError(fmt::format("cannot read the database {}: {}", file.string(), sqlite3_errmsg(handle)));
}

bool is_view(const char* name) {
  for (const View& view : views()) {
    if (name != nullptr && view.name == name) return true;
  }
  return false;
}

// Tables that are part of SQLite and read nothing from the disk.
bool is_function_table(const char* name) { return std::strcmp(name, "json_each") == 0 || std::strcmp(name, "json_tree") == 0; }

int refuse(Refused& refused, const char* table = "") {
  if (!refused.any) refused = {true, table};
  return SQLITE_DENY;
}

int authorize(void* user, int action, const char* first, const char* second, const char*, const char* inside) {
  auto& refused = *static_cast<Refused*>(user);
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_READ:
      // The tables behind the views are read through them only; what a query itself makes has no name here. A query
      // that reads no column, like a count, does not say through which view it came.
      if (is_view(inside) || is_view(first) || is_function_table(first) || first[0] == '\0' || second[0] == '\0') return SQLITE_OK;
      return refuse(refused, first);
    case SQLITE_FUNCTION: return std::strcmp(second, "load_extension") == 0 ? refuse(refused) : SQLITE_OK;
    default: return refuse(refused);
  }
}

std::vector<std::string> view_names() {
  std::vector<std::string> names;
  for (const View& view : views()) {
    if (view.name != "result") names.push_back(view.name);
  }
  return names;
}

[[noreturn]] void fail_writing() { throw QueryError("a query is read-only: it is one SELECT over the views, nothing else"); }

[[noreturn]] void fail_asking(const Refused& refused, const std::string& words) {
  const std::string missing = "no such table: ";
  std::string table = refused.table;
  if (words.starts_with(missing)) table = words.substr(missing.size());
  if (!table.empty()) {
    const std::string meant = source::nearest(table, view_names());
    throw QueryError(fmt::format("there is no view `{}`{}; there are {}", table, meant.empty() ? "" : fmt::format(", did you mean `{}`?", meant),
                                 fmt::join(view_names(), ", ")));
  }
  if (refused.any || words.starts_with("cannot modify")) fail_writing();
  throw QueryError(fmt::format("the query is not understood: {}", words));
}

// What stat tells of a file; it changes when somebody writes to it.
struct Fingerprint {
  std::array<std::int64_t, 4> numbers{};
  bool operator==(const Fingerprint&) const = default;
};

Fingerprint fingerprint(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return {};
  return {{static_cast<std::int64_t>(status.st_ino), status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec}};
}

bool has_bytes(const fs::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 && status.st_size > 0;
}

bool in_use(const fs::path& file) {
  struct stat status{};
  return ::stat((file.string() + "-wal").c_str(), &status) == 0 || has_bytes(file.string() + "-journal");
}

Connection open_for_reading(const fs::path& file, bool frozen) {
  sqlite3* handle = nullptr;
  const std::string name = uri_of(file) + (frozen ? "?immutable=1" : "?mode=ro");
  const int code = sqlite3_open_v2(name.c_str(), &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
  Connection connection(handle);
  if (code != SQLITE_OK) fail_reading(file, handle);
  sqlite3_busy_timeout(handle, 10000);
  return connection;
}

std::int64_t number_from(const fs::path& file, sqlite3* connection, const char* sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(connection, sql, -1, &handle, nullptr);
  const Prepared prepared(handle);
  if (code != SQLITE_OK || sqlite3_step(handle) != SQLITE_ROW) fail_reading(file, connection);
  return sqlite3_column_int64(handle, 0);
}

void check_schema(const fs::path& file, sqlite3* connection) {
  const std::int64_t schema = number_from(file, connection, "PRAGMA user_version");
  if (schema > kDatabaseSchema) {
    throw StoreError(fmt::format("the cache was written by a newer bgw: its database has schema {}, this one reads {}: {}", schema,
                                 kDatabaseSchema, file.string()));
  }
  if (schema < kDatabaseSchema) {
    throw StoreError(fmt::format("the database has schema {}, this bgw reads {}; `bgw log PROGRAM` brings it up to date: {}", schema,
                                 kDatabaseSchema, file.string()));
  }
}

void make_views(const fs::path& file, sqlite3* connection) {
  for (const View& view : views()) {
    const std::string sql = fmt::format("CREATE TEMP VIEW \"{}\"({}) AS {}", view.name, fmt::join(view.columns, ", "), view.select);
    if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail_reading(file, connection);
  }
  // SQLite declares its own tables when they are first named, which nobody may do once the query is being watched.
  sqlite3_exec(connection, "SELECT 1 FROM json_each('[]'), json_tree('[]')", nullptr, nullptr, nullptr);
}

schema::Value value_of(sqlite3_stmt* row, int column) {
  switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER: return static_cast<std::int64_t>(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT: return artifacts::number_or_none(sqlite3_column_double(row, column));
    case SQLITE_TEXT: return valid_utf8(reinterpret_cast<const char*>(sqlite3_column_text(row, column)));
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(row, column));
      return fmt::format("{:02x}", fmt::join(bytes, bytes + sqlite3_column_bytes(row, column), ""));
    }
    default: return {};
  }
}

bool is_blank(const char* text) { return text[std::strspn(text, " \t\r\n;")] == '\0'; }

QueryAnswer ask(const fs::path& file, sqlite3* connection, const std::string& sql) {
  Refused refused;
  sqlite3_set_authorizer(connection, authorize, &refused);
  sqlite3_stmt* handle = nullptr;
  const char* rest = "";
  const int code = sqlite3_prepare_v2(connection, sql.c_str(), -1, &handle, &rest);
  const Prepared prepared(handle);
  if (code != SQLITE_OK) fail_asking(refused, sqlite3_errmsg(connection));
  if (handle == nullptr) throw QueryError("the query is empty: write for instance 'select * from results'");
  if (sqlite3_stmt_readonly(handle) == 0) fail_writing();
  if (!is_blank(rest)) throw QueryError(fmt::format("one query at a time: behind it stands `{}`", rest));
  QueryAnswer answer;
  for (int column = 0; column < sqlite3_column_count(handle); ++column) answer.columns.emplace_back(sqlite3_column_name(handle, column));
  for (;;) {
    const int step = sqlite3_step(handle);
    if (step == SQLITE_DONE) return answer;
    if (step == SQLITE_ERROR) fail_asking(refused, sqlite3_errmsg(connection));
    if (step != SQLITE_ROW) fail_reading(file, connection);
    std::vector<schema::Value> row;
    for (int column = 0; column < sqlite3_column_count(handle); ++column) row.push_back(value_of(handle, column));
    answer.rows.push_back(std::move(row));
  }
}

QueryAnswer ask_once(const fs::path& file, const std::string& sql, bool frozen) {
  const Connection connection = open_for_reading(file, frozen);
  check_schema(file, connection.get());
  make_views(file, connection.get());
  return ask(file, connection.get(), sql);
}

// Nothing when somebody wrote meanwhile.
std::optional<QueryAnswer> ask_frozen(const fs::path& file, const std::string& sql) {
  const Fingerprint before = fingerprint(file);
  try {
    QueryAnswer answer = ask_once(file, sql, true);
    if (fingerprint(file) == before) return answer;
  } catch (const std::runtime_error&) {
    if (fingerprint(file) == before) throw;
  }
  return std::nullopt;
}

}  // namespace

QueryAnswer query(const fs::path& database, const std::string& sql) {
  for (int patience = 50; patience > 0 && !in_use(database); --patience) {
    if (std::optional<QueryAnswer> answer = ask_frozen(database, sql)) return *std::move(answer);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return ask_once(database, sql, false);
}

}  // namespace bgw::store
