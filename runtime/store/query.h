#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::store {

/// A query that cannot be answered: wrong SQL, an unknown view, or one that would change something.
struct QueryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Texts, numbers and none; bytes as hexadecimal digits.
struct QueryAnswer {
  std::vector<std::string> columns;
  std::vector<std::vector<schema::Value>> rows;
};

/// Answers one SELECT over the views of views.h. Everything that could change a file is refused, a writer is never kept
/// waiting, and beside the database no file is made.
/// @throws QueryError; StoreError when the database cannot be read or has another schema than kDatabaseSchema
QueryAnswer query(const std::filesystem::path& database, const std::string& sql);

}  // namespace bgw::store
