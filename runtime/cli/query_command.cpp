#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/upkeep_commands.h"
#include "runtime/report/text_table.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/layout.h"
#include "runtime/store/query.h"

namespace bgw::cli {
namespace {

using schema::Value;

std::string text_of(const Value& value) {
  if (value.is_none()) return "";
  return value.is_string() ? value.as_string() : schema::to_json(value);
}

// As spreadsheets read it: quotes around what holds a comma, a quote or a line end.
std::string csv_field(const Value& value) {
  const std::string text = text_of(value);
  if (text.find_first_of(",\"\r\n") == std::string::npos && !(value.is_string() && text.empty())) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void print_csv(const store::QueryAnswer& answer) {
  std::vector<std::string> fields;
  for (const std::string& column : answer.columns) fields.push_back(csv_field(column));
  fmt::print("{}\n", fmt::join(fields, ","));
  for (const std::vector<Value>& row : answer.rows) {
    fields.clear();
    for (const Value& value : row) fields.push_back(csv_field(value));
    fmt::print("{}\n", fmt::join(fields, ","));
  }
}

void print_json(const store::QueryAnswer& answer) {
  if (std::set<std::string>(answer.columns.begin(), answer.columns.end()).size() != answer.columns.size()) {
    throw CommandFailure(kWrongUse, "two columns have the same name: give them names of their own, `select a.key as input`");
  }
  schema::List list;
  for (const std::vector<Value>& row : answer.rows) {
    schema::Map map;
    for (std::size_t column = 0; column < row.size(); ++column) map[answer.columns[column]] = row[column];
    list.push_back(std::move(map));
  }
  put_document(list);
}

void print_table(const store::QueryAnswer& answer) {
  report::TextTable table;
  for (std::size_t column = 0; column < answer.columns.size(); ++column) {
    const bool numbers = std::all_of(answer.rows.begin(), answer.rows.end(),
                                     [column](const std::vector<Value>& row) { return row[column].is_number() || row[column].is_none(); });
    table.columns.push_back({answer.columns[column], numbers});
  }
  for (const std::vector<Value>& row : answer.rows) {
    std::vector<std::string> cells;
    for (const Value& value : row) cells.push_back(text_of(value));
    table.rows.push_back(std::move(cells));
  }
  fmt::print("{}", report::render(table));
}

// The last word is the query; before it may stand the program.
ProgramOptions program_of(const QueryOptions& options) {
  ProgramOptions one = options;
  const std::string& last = options.words.back();
  if (options.words.size() > 1) {
    one.program = options.words.front();
  } else if (last.ends_with(".bgw")) {
    throw CommandFailure(kWrongUse, fmt::format("the query is missing: `bgw query {} 'select * from results'`", last));
  }
  return one;
}

}  // namespace

int query(const QueryOptions& options) {
  const store::Layout layout{std::filesystem::absolute(cache_directory(program_of(options))).lexically_normal()};
  if (!store::is_there(layout.database())) {
    throw CommandFailure(kTaskFailed, fmt::format("there is nothing to query in {} yet; `bgw run` makes results", layout.root.string()));
  }
  try {
    const store::QueryAnswer answer = store::query(layout.database(), options.words.back());
    if (options.json) {
      print_json(answer);
    } else if (options.csv) {
      print_csv(answer);
    } else {
      print_table(answer);
    }
  } catch (const store::QueryError& error) {
    throw CommandFailure(kWrongUse, error.what());
  }
  return kDone;
}

}  // namespace bgw::cli
