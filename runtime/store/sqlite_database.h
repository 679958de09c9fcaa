#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/foundation/errors.h"

struct sqlite3;
struct sqlite3_stmt;

namespace bgw::store {

/// A file that holds no database, a damaged one, or one of another program; `bgw cache rebuild` puts a new one in its
/// place.
struct UnusableDatabase : StoreError {
  using StoreError::StoreError;
};

/// A path in the form of a URI as SQLite takes it: every byte that could mean something there is written as %xx.
std::string uri_of(const std::filesystem::path& file);

/// An open SQLite file. Every failure is a StoreError with the file and SQLite's words.
class Database {
 public:
  /// Opens or makes the file, with the settings of every bgw database: foreign keys, ten seconds of patience. In a
  /// folder that cannot be written it can only be read.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(Database&&) noexcept = default;

  /// Runs statements that take nothing and give nothing.
  void execute(const std::string& sql);
  /// First column of the first row of a query that always has one, as an integer.
  std::int64_t integer(const std::string& sql);
  std::int64_t last_insert_id() const;
  const std::filesystem::path& file() const { return file_; }

 private:
  friend class Statement;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> handle_;
  // Statements that are not in use, by their text: to prepare one takes longer than to run it.
  std::map<std::string, std::vector<sqlite3_stmt*>, std::less<>> idle_;
};

/// One prepared statement, which the database keeps for the next that has the same text; parameters are bound from 1 on, columns counted from 0.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int place, std::int64_t value);
  Statement& bind(int place, double value);
  Statement& bind(int place, std::string_view text);
  Statement& bind_blob(int place, std::string_view bytes);
  Statement& bind_none(int place);

  /// Goes to the next row; false at the end.
  bool step();
  /// For statements without rows: runs once and makes ready for the next binding.
  void run();

  bool is_none(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::string blob(int column) const;

 private:
  void check(int code) const;
  Database& database_;
  std::string sql_;
  sqlite3_stmt* handle_ = nullptr;
};

/// One write transaction. It begins IMMEDIATE: a deferred one that reads first fails at once when another process
/// wrote in between, in spite of the busy timeout. Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

/// Many reads that see one state of the database, without a lock for each of them. Ends with its scope.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database) : database_(database) { database_.execute("BEGIN"); }
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
};

}  // namespace bgw::store
