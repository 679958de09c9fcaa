#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "compiler/syntax/format_program.h"
#include "compiler/syntax/lex.h"
#include "compiler/syntax/parse.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/terminal.h"
#include "runtime/store/durable_file.h"

namespace bgw::cli {
namespace {

/// False, and told, when the program has syntax errors. A program without statements has none.
bool is_sound(const source::SourceMap& sources) {
  source::DiagnosticSink sink;
  syntax::parse(sources.main(), sink);
  if (!sink.has_errors()) return true;
  put(stderr, source::render(sink.sorted(), sources, {.colour = colour_on(stderr), .errors = sink.error_count()}));
  return false;
}

/// Whether the layout is all that differs; a formatter that changes a program must not write it.
bool same_tokens(const source::SourceFile& before, const source::SourceFile& after) {
  const auto words = [](const source::SourceFile& file) {
    std::vector<std::string> result;
    for (const syntax::SourceToken& token : syntax::lex(file)) {
      if (token.kind == "NL" || token.kind == "SEMI") continue;
      std::string word(file.text(token.range));
      if (token.channel != syntax::Channel::program) word.erase(word.find_last_not_of(" \t") + 1);
      result.push_back(std::move(word));
    }
    return result;
  };
  return words(before) == words(after);
}

/// Replaces the file that a link may point to, keeping its mode.
void overwrite(const std::string& path, const std::string& text) {
  const std::filesystem::path file = std::filesystem::canonical(path);
  const auto mode = std::filesystem::status(file).permissions();
  store::replace_durably(file, text);
  std::filesystem::permissions(file, mode);
}

/// The exit code for one program.
int format_one(const std::string& path, const FormatOptions& options) {
  const source::SourceMap sources = read_program(path == "-" ? "/dev/stdin" : path);
  if (!is_sound(sources)) return kWrongProgram;
  const std::string text = syntax::format_program(sources.main());
  if (!same_tokens(sources.main(), source::SourceFile(path, text))) throw std::logic_error("the formatter changed a token of " + path);
  if (options.check) {
    if (path == "-" ? sources.main().text() == text : store::read_bytes(path) == text) return kDone;
    fmt::print("{}\n", path);
    return kThereIsWork;
  }
  if (options.to_stdout || path == "-") {
    fmt::print("{}", text);
  } else if (store::read_bytes(path) != text) {
    overwrite(path, text);
    fmt::print("{}\n", path);
  }
  return kDone;
}

}  // namespace

int format(const FormatOptions& options) {
  int worst = kDone;
  for (const std::string& path : options.programs) {
    const int code = format_one(path, options);
    if (code == kWrongProgram || worst == kDone) worst = code;
  }
  return worst;
}

}  // namespace bgw::cli
