#include <chrono>
#include <cstdio>

#include "compiler/source/read_source.h"
#include "compiler/syntax/parse.h"

// parse_file PROGRAM: the milliseconds of one parse in a fresh process, the warming up of ANTLR included.
int main(int count, char** arguments) {
  using namespace bgw;
  source::ReadFailure failure;
  std::optional<std::string> text = count == 2 ? source::read_source(arguments[1], failure) : std::nullopt;
  if (!text) {
    std::fprintf(stderr, "parse_file: %s\n", count == 2 ? failure.message.c_str() : "usage: parse_file PROGRAM");
    return 2;
  }
  const source::SourceFile file(arguments[1], *std::move(text));
  source::DiagnosticSink sink;
  const auto begin = std::chrono::steady_clock::now();
  const auto parsed = syntax::parse(file, sink);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
  if (!parsed || sink.has_errors()) {
    std::fprintf(stderr, "parse_file: %s\n", source::render(sink.sorted(), source::SourceMap(arguments[1], std::string(file.text())), {}).c_str());
    return 3;
  }
  std::printf("%.1f\n", elapsed.count());
  return 0;
}
