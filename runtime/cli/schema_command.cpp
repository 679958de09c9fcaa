#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/source/diagnostic.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/schema_files.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

std::string title_of(const SchemaFile& file) { return schema::parse_json(file.text).at("title").as_string(); }

int list_all(bool json) {
  schema::List list;
  report::TextTable table{{{"schema"}, {"of"}}, {}};
  for (const SchemaFile& file : schema_files()) {
    const std::string name(file.name);
    if (json) {
      list.push_back(schema::Map{{"name", name}, {"title", title_of(file)}});
    } else {
      table.rows.push_back({name, title_of(file)});
    }
  }
  if (json) {
    put_document(list);
  } else {
    fmt::print("{}", report::render(table));
  }
  return kDone;
}

}  // namespace

std::vector<std::string> schema_names() {
  std::vector<std::string> names;
  for (const SchemaFile& file : schema_files()) names.emplace_back(file.name);
  return names;
}

int print_schema(const SchemaOptions& options) {
  if (options.command.empty()) return list_all(options.json);
  const std::string name = fmt::format("{}", fmt::join(options.command, "-"));  // cache verify -> cache-verify
  for (const SchemaFile& file : schema_files()) {
    if (file.name != name) continue;
    fmt::print("{}", file.text);
    return kDone;
  }
  const std::string nearest = source::nearest(name, schema_names());
  throw CommandFailure(kWrongUse, fmt::format("there is no schema `{}`; {}", name,
                                              nearest.empty() ? "`bgw schema` lists all" : fmt::format("did you mean `{}`?", nearest)));
}

}  // namespace bgw::cli
