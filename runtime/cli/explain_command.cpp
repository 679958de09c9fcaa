#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "compiler/schema/value.h"
#include "compiler/source/diagnostic.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/diagnostic_pages.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/terminal.h"

namespace bgw::cli {
namespace {

struct Title {
  const char* id;
  const char* title;
};

const Title kTitles[] = {
#define BGW_DIAGNOSTIC(id, title) {#id, title},
#include "compiler/source/diagnostic_ids.def"
#undef BGW_DIAGNOSTIC
};

std::string in_capitals(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// Markdown as a terminal shows it: programs and messages indented instead of fenced, headings bold.
std::string for_terminal(std::string_view page) {
  std::string text;
  bool fenced = false;
  for (std::size_t begin = 0; begin < page.size();) {
    const std::size_t end = std::min(page.find('\n', begin), page.size());
    const std::string line(page.substr(begin, end - begin));
    begin = end + 1;
    if (line.starts_with("```")) {
      fenced = !fenced;
    } else if (fenced) {
      text += line.empty() ? "\n" : "    " + line + "\n";
    } else if (line.starts_with("#")) {
      text += painted(line.substr(line.find_first_not_of("# ")), Colour::bold, stdout) + "\n";
    } else {
      text += line + "\n";
    }
  }
  return text;
}

schema::Map as_json(const Title& title) {
  schema::Map map{{"id", title.id}, {"title", title.title}};
  for (const DiagnosticPage& page : diagnostic_pages()) {
    if (page.id == title.id) map.insert_or_assign("page", std::string(page.text));
  }
  return map;
}

int list_all(bool json) {
  schema::List list;
  for (const Title& title : kTitles) {
    if (json)
      list.push_back(as_json(title));
    else
      fmt::print("{}  {}\n", title.id, title.title);
  }
  if (json) put_document(list);
  return kDone;
}

const Title& find_title(const std::string& written) {
  const std::string id = in_capitals(written);
  std::vector<std::string> known;
  for (const Title& title : kTitles) {
    if (id == title.id) return title;
    known.emplace_back(title.id);
  }
  const std::string nearest = source::nearest(id, known);
  throw CommandFailure(
      kWrongUse, fmt::format("no diagnostic has the id `{}`; {}", written,
                             nearest.empty() ? "`bgw explain` lists all" : fmt::format("did you mean `{}`?", nearest)));
}

}  // namespace

int explain(const ExplainOptions& options) {
  if (options.id.empty()) return list_all(options.json);
  const Title& title = find_title(options.id);
  if (options.json) {
    put_document(as_json(title));
    return kDone;
  }
  for (const DiagnosticPage& page : diagnostic_pages()) {
    if (page.id == title.id) fmt::print("{}", for_terminal(page.text));
  }
  return kDone;
}

}  // namespace bgw::cli
