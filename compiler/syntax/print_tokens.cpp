#include <fmt/format.h>

#include <iterator>

#include "compiler/syntax/lex.h"

namespace bgw::syntax {
namespace {

std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else out += c;
  }
  return out;
}

const char* channel_mark(Channel channel) {
  switch (channel) {
    case Channel::comment: return "(comment)";
    case Channel::doc: return "(doc)";
    default: return "";
  }
}

}  // namespace

std::string print_tokens(const source::SourceFile& file) {
  std::string out;
  for (const SourceToken& token : lex(file)) {
    const source::Position place = file.position(token.range.begin);
    fmt::format_to(std::back_inserter(out), "{}:{} {}{} {}\n", place.line, place.column, token.kind,
                   channel_mark(token.channel), on_one_line(file.text(token.range)));
  }
  return out;
}

}  // namespace bgw::syntax
