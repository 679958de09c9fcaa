#include "compiler/source/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/source/read_source.h"

namespace bgw::source {
namespace {

const char* severity_name(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

/// Terminal colours, or nothing.
struct Palette {
  const char *error = "", *warning = "", *frame = "", *bold = "", *off = "";
  explicit Palette(bool colour) {
    if (!colour) return;
    error = "\033[1;31m";
    warning = "\033[1;33m";
    frame = "\033[1;34m";
    bold = "\033[1m";
    off = "\033[0m";
  }
  const char* of(Severity severity) const { return severity == Severity::error ? error : warning; }
};

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// What a terminal may be given: bytes that would move its cursor or colour it, and those that are no text, as U+FFFD.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 0x20 && byte != 0x7f) || c == '\t' || c == '\n') out += c;
    else out += "\xEF\xBF\xBD";
  }
  return out;
}

constexpr std::size_t kWidestExcerpt = 400;

/// Where the excerpt of a line begins: with the line, or in a long one a little before what is marked.
std::size_t excerpt_begin(const SourceFile& file, std::size_t marked) {
  const std::string_view line = file.line_at(marked);
  std::size_t begin = std::min(marked - file.line_begin(marked), line.size());
  if (begin <= kWidestExcerpt * 3 / 4) return file.line_begin(marked);
  begin -= kWidestExcerpt / 4;
  while (begin > 0 && (static_cast<unsigned char>(line[begin]) & 0xC0) == 0x80) --begin;  // whole characters
  return file.line_begin(marked) + begin;
}

/// A source line as shown: tabs become one space, so that carets stand where they should.
std::string shown(std::string_view line) {
  std::size_t end = std::min<std::size_t>(line.size(), kWidestExcerpt);
  while (end < line.size() && end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;  // whole characters
  std::string text(line.substr(0, end));
  std::replace(text.begin(), text.end(), '\t', ' ');
  return printable(text);
}

/// One line of source with its marks below, the primary ones as ^, the others as -.
struct Excerpt {
  const SourceFile* file;
  std::size_t line;
  std::size_t begin;  // where the text begins in the file
  std::string text;
  std::vector<std::pair<SourceRange, std::pair<char, std::string>>> marks;
};
using Excerpts = std::map<std::size_t, Excerpt>;  // by the offset of the line

void mark(Excerpts& excerpts, const SourceMap& sources, SourceRange range, char sign, const std::string& label) {
  const SourceFile& file = sources.file_at(range.begin);
  const std::size_t begin = excerpt_begin(file, range.begin), line = file.line_begin(range.begin);
  const Excerpt fresh{&file, file.position(range.begin).line, begin, shown(file.line_at(range.begin).substr(begin - line)), {}};
  auto& excerpt = excerpts.try_emplace(file.line_begin(range.begin), fresh).first->second;
  excerpt.marks.push_back({range, {sign, label}});
}

std::string mark_line(const Excerpt& excerpt, SourceRange range, char sign, const std::string& label) {
  const SourceFile& file = *excerpt.file;
  const std::size_t begin = excerpt.begin;
  const std::size_t line_end = std::min(file.line_begin(range.begin) + file.line_at(range.begin).size(), begin + kWidestExcerpt);
  const std::size_t first = std::min(std::max(range.begin, begin), line_end);
  const std::size_t last = std::max(std::min(range.end, line_end), first);
  const std::size_t indent = characters(file.text({begin, first}));
  const std::size_t width = std::max<std::size_t>(1, characters(file.text({first, last})));
  std::string text = std::string(indent, ' ') + std::string(std::min<std::size_t>(width, 200), sign);
  if (!label.empty()) text += " " + printable(label);
  return text;
}

std::string place_of(const SourceFile& file, std::size_t offset) {
  const Position place = file.position(offset);
  return fmt::format("{}:{}:{}", printable(file.path()), place.line, place.column);
}

std::string render_one(const Diagnostic& d, const SourceMap& sources, const Palette& p) {
  const SourceFile& file = sources.file_at(d.range.begin);
  Excerpts excerpts;
  mark(excerpts, sources, d.range, '^', d.label);
  for (const Label& other : d.others) mark(excerpts, sources, other.range, '-', other.text);
  std::size_t gutter = 0;
  for (const auto& [offset, excerpt] : excerpts) gutter = std::max(gutter, fmt::format("{}", excerpt.line).size());
  const std::string blank(gutter, ' ');

  std::string out = fmt::format("{}{}[{}]{}{}: {}{}\n", p.of(d.severity), severity_name(d.severity), d.id, p.off, p.bold,
                                printable(d.message), p.off);
  const auto show_file = [&](const SourceFile& shown_file, const char* arrow, std::size_t offset) {
    out += fmt::format("{}{}{}{} {}\n", blank, p.frame, arrow, p.off, place_of(shown_file, offset));
    out += fmt::format("{} {}|{}\n", blank, p.frame, p.off);
    for (const auto& [line_offset, excerpt] : excerpts) {
      if (excerpt.file != &shown_file) continue;
      out += fmt::format("{}{:>{}} |{} {}\n", p.frame, excerpt.line, gutter, p.off, excerpt.text);
      for (const auto& [range, what] : excerpt.marks) {
        const char* colour = what.first == '^' ? p.of(d.severity) : p.frame;
        out += fmt::format("{} {}|{} {}{}{}\n", blank, p.frame, p.off, colour,
                           mark_line(excerpt, range, what.first, what.second), p.off);
      }
    }
  };
  show_file(file, "-->", d.range.begin);
  const SourceFile* before = &file;
  for (const auto& [offset, excerpt] : excerpts) {
    if (excerpt.file == &file || excerpt.file == before) continue;
    show_file(*excerpt.file, ":::", excerpt.marks.front().first.begin);
    before = excerpt.file;
  }
  for (const std::string& note : d.notes) out += fmt::format("{} {}={} note: {}\n", blank, p.frame, p.off, printable(note));
  for (const std::string& help : d.helps) out += fmt::format("{} {}={} help: {}\n", blank, p.frame, p.off, printable(help));
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : valid_utf8(text)) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? "," : "") + json_string(text);
  return out + "]";
}

/// UTF-16 units before the offset in its line, as editors count.
std::size_t utf16_column(const SourceFile& file, std::size_t offset) {
  const std::string_view before = file.text({file.line_begin(offset), offset});
  std::size_t units = 0;
  for (const char c : before) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

/// Byte offsets in the file; lines and columns of characters count from 1, UTF-16 columns from 0 (as in LSP).
std::string json_place(SourceRange range, const SourceMap& sources) {
  const SourceFile& file = sources.file_at(range.begin);
  const std::size_t last = std::min(std::max(range.end, range.begin), file.end() - 1);
  const Position begin = file.position(range.begin), end = file.position(last);
  return fmt::format(
      R"("file":{},"begin":{},"end":{},"line":{},"column":{},"end_line":{},"end_column":{},"utf16":{},"end_utf16":{})",
      json_string(file.path()), range.begin - file.base(), last - file.base(), begin.line, begin.column, end.line, end.column,
      utf16_column(file, range.begin), utf16_column(file, last));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

void DiagnosticSink::add(Diagnostic diagnostic) {
  const bool is_error = diagnostic.severity == Severity::error;
  (is_error ? errors_ : warnings_) += 1;
  if (diagnostics_.size() >= kMostKept) return;
  if (!told_.emplace(diagnostic.range.begin, diagnostic.id + diagnostic.message).second) {
    (is_error ? errors_ : warnings_) -= 1;
    return;
  }
  diagnostics_.push_back(std::move(diagnostic));
}

std::vector<Diagnostic> DiagnosticSink::sorted() const {
  std::vector<Diagnostic> sorted = diagnostics_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.range.begin < b.range.begin; });
  return sorted;
}

std::string render(const std::vector<Diagnostic>& diagnostics, const SourceMap& sources, const RenderOptions& options) {
  const Palette palette(options.colour);
  std::string out;
  std::size_t errors = 0;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity == Severity::error && ++errors > options.limit) continue;
    if (!out.empty()) out += '\n';
    out += render_one(diagnostic, sources, palette);
  }
  const std::size_t all = std::max(errors, options.errors);
  if (all > options.limit) out += fmt::format("\n... and {} more errors\n", all - options.limit);
  return out;
}

std::string render_json(const std::vector<Diagnostic>& diagnostics, const SourceMap& sources) {
  std::string out = "[";
  for (const Diagnostic& d : diagnostics) {
    std::string labels = "[";
    for (const Label& label : d.others) {
      labels += fmt::format("{}{{\"text\":{},{}}}", labels.size() > 1 ? "," : "", json_string(label.text),
                            json_place(label.range, sources));
    }
    out += fmt::format(R"({}{{"id":{},"severity":"{}",{},"message":{},"label":{},"labels":{}],"notes":{},"helps":{}}})",
                       out.size() > 1 ? "," : "", json_string(d.id), severity_name(d.severity), json_place(d.range, sources),
                       json_string(d.message), json_string(d.label), labels, json_strings(d.notes), json_strings(d.helps));
  }
  return out + "]";
}

std::string grouped(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, " ");
  return digits;
}

std::string nearest(const std::string& name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::min<std::size_t>(4, std::max<std::size_t>(name.size(), 1));
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace bgw::source
