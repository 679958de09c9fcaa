#pragma once

#include <string>
#include <vector>

namespace bgw::store {

/// What people may query: docs/database.md says of every column what it means. Keys and checksums are 64 hexadecimal
/// digits, times stand both as microseconds since 1970 and as text, both UTC.
///
/// The views belong to the reader and not to the file: they are made anew for each query, so that a new column needs no
/// migration and an old cache has it, too.
struct View {
  std::string name;
  std::vector<std::string> columns;
  std::string select;  // its definition over the tables t_…
};
const std::vector<View>& views();

}  // namespace bgw::store
