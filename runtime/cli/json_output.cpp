#include "runtime/cli/json_output.h"

#include <fmt/format.h>

#include "runtime/cli/terminal.h"
#include "runtime/store/utf8.h"

namespace bgw::cli {
namespace {

// The form of what `--json` prints, as docs/schemas has it. It goes up when a member goes or changes its meaning, not when
// one comes.
constexpr int kForm = 1;

}  // namespace

std::string document_line(const schema::Value& document) {
  if (!document.is_map()) return schema::to_json(document) + "\n";
  schema::Map numbered = document.as_map();
  numbered.insert_or_assign("schema", kForm);
  return schema::to_json(numbered) + "\n";
}

void put_document(const schema::Value& document) { fmt::print("{}", document_line(document)); }

void put_failure(int exit_code, const std::string& message, const schema::Value& diagnostics) {
  // What is told may hold bytes of a file or an argument that are no text.
  schema::Map map{{"ok", false}, {"exit_code", exit_code}, {"message", store::valid_utf8(message)}};
  if (!diagnostics.is_none()) map.insert_or_assign("diagnostics", diagnostics);
  put(stdout, document_line(map));  // which does not throw: it may be the stream that failed
}

}  // namespace bgw::cli
