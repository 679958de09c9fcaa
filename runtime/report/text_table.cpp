#include "runtime/report/text_table.h"

#include <algorithm>

namespace bgw::report {
namespace {

const std::string& cell(const std::vector<std::string>& row, std::size_t column) {
  static const std::string kNothing;
  return column < row.size() ? row[column] : kNothing;
}

std::string line(const TextTable& table, const std::vector<std::string>& row, const std::vector<std::size_t>& widths,
                 const std::string& indentation) {
  std::string text = indentation;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::string blanks(widths[i] - width_of(cell(row, i)), ' ');
    if (i > 0) text += "  ";
    text += table.columns[i].right ? blanks + cell(row, i) : cell(row, i) + blanks;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

}  // namespace

std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\033') {
      at = std::min(text.find('m', at), text.size());
    } else if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U) {
      ++width;
    }
  }
  return width;
}

std::string render(const TextTable& table, const std::string& indentation) {
  std::vector<std::string> titles;
  std::vector<std::string> rules;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = width_of(table.columns[i].title);
    for (const auto& row : table.rows) width = std::max(width, width_of(cell(row, i)));
    widths.push_back(width);
    titles.push_back(table.columns[i].title);
    rules.emplace_back(width, '-');
  }
  std::string text = line(table, titles, widths, indentation) + line(table, rules, widths, indentation);
  for (const auto& row : table.rows) text += line(table, row, widths, indentation);
  return text;
}

}  // namespace bgw::report
