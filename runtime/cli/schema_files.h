#pragma once

#include <string_view>
#include <vector>

namespace bgw::cli {

/// docs/schemas/cache-verify.schema.json: the form of what `bgw cache verify --json` prints.
struct SchemaFile {
  std::string_view name;  // "cache-verify"
  std::string_view text;  // JSON Schema, draft 2020-12
};

/// All schemas, in the order of their names; the build puts them into the program (cmake/EmbedPages.cmake).
const std::vector<SchemaFile>& schema_files();

}  // namespace bgw::cli
