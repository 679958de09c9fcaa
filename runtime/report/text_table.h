#pragma once

#include <string>
#include <vector>

namespace bgw::report {

/// Columns of text for a terminal.
struct TextTable {
  struct Column {
    std::string title;
    bool right = false;  // numbers; texts stand on the left
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Aligned lines with two spaces between columns, a line under the titles, no blanks at line ends. Widths count
/// characters, not bytes.
std::string render(const TextTable& table, const std::string& indentation = "");

/// Number of characters (code points) of an UTF-8 text; colours (ESC [ … m) take no place.
std::size_t width_of(const std::string& text);

}  // namespace bgw::report
