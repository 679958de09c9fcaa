#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/source/source_file.h"

namespace bgw::source {

enum class Severity { error, warning };

/// A second place that explains the first: "used as `atoms` in lattice `ice`".
struct Label {
  SourceRange range;
  std::string text;
};

/// One message to the author of a program: what was written, what was expected, what to write instead.
struct Diagnostic {
  std::string id;                  // "E0301", listed in diagnostic_ids.def
  Severity severity = Severity::error;
  SourceRange range;
  std::string message;             // one sentence, no period
  std::string label;               // under the caret, may be empty
  std::vector<Label> others;
  std::vector<std::string> notes;  // "= note: …"
  std::vector<std::string> helps;  // "= help: …"
};

/// Collects diagnostics; one mistake is told once (the same words at the same place are dropped). Of very many only the
/// first are kept, all are counted.
class DiagnosticSink {
 public:
  void add(Diagnostic diagnostic);
  bool has_errors() const { return errors_ > 0; }
  std::size_t error_count() const { return errors_; }
  std::size_t warning_count() const { return warnings_; }
  /// In the order of the source.
  std::vector<Diagnostic> sorted() const;

 private:
  static constexpr std::size_t kMostKept = 1000;
  std::vector<Diagnostic> diagnostics_;
  std::set<std::pair<std::size_t, std::string>> told_;
  std::size_t errors_ = 0, warnings_ = 0;
};

struct RenderOptions {
  bool colour = false;
  std::size_t limit = 20;   // further errors are counted, not shown
  std::size_t errors = 0;   // how many there are, when more than are given
};

/// The form of language.md 6.6: message, place, excerpt with carets, notes and helps.
std::string render(const std::vector<Diagnostic>& diagnostics, const SourceMap& sources, const RenderOptions& options);
/// The same as a JSON list; a place is a file with byte offsets, lines and columns from 1, and UTF-16 columns from 0.
std::string render_json(const std::vector<Diagnostic>& diagnostics, const SourceMap& sources);

/// The nearest of `candidates` to `name` within edit distance 3 (and less than the length of the name), or "".
std::string nearest(const std::string& name, const std::vector<std::string>& candidates);

/// "1 200 000": a large number as messages show it.
std::string grouped(std::size_t number);

}  // namespace bgw::source
