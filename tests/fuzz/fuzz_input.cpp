#include "tests/fuzz/fuzz_input.h"

#include <cstdio>
#include <cstdlib>

namespace bgw::fuzz {
namespace {

constexpr std::string_view kFile = "#%% ";
constexpr std::string_view kOverride = "#%p ";

std::string_view without_line_end(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Input split_input(std::string_view bytes) {
  Input input;
  std::string* text = &input.program;
  while (!bytes.empty()) {
    const std::string_view line = bytes.substr(0, bytes.find('\n') == std::string_view::npos ? bytes.size() : bytes.find('\n') + 1);
    bytes.remove_prefix(line.size());
    if (line.starts_with(kFile)) {
      text = &input.files[std::string(without_line_end(line.substr(kFile.size())))];
      continue;
    }
    if (line.starts_with(kOverride)) {
      const std::string_view written = without_line_end(line.substr(kOverride.size()));
      const std::size_t equals = written.find('=');
      // The command line lets no other through.
      if (equals != std::string_view::npos && equals > 0 && equals + 1 < written.size())
        input.overrides.emplace(written.substr(0, equals), written.substr(equals + 1));
    }
    *text += line;
  }
  return input;
}

void must(bool holds, const char* law, std::string_view detail) {
  if (holds) return;
  std::fprintf(stderr, "broken law: %s: %.*s\n", law, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

}  // namespace bgw::fuzz
