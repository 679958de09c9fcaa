#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bgw::source {

/// Half-open range of bytes in a source file.
struct SourceRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Line and column as people count: both from 1, the column in characters (code points).
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// A program's text with its line table. The text is UTF-8, line ends may be LF or CRLF.
class SourceFile {
 public:
  SourceFile(std::string path, std::string text);

  const std::string& path() const { return path_; }
  std::string_view text() const { return text_; }
  std::string_view text(SourceRange range) const;
  Position position(std::size_t offset) const;
  /// The line that holds the offset, without its line end.
  std::string_view line_at(std::size_t offset) const;
  /// Byte offset at which that line begins.
  std::size_t line_begin(std::size_t offset) const;

 private:
  std::string path_;
  std::string text_;
  std::vector<std::size_t> line_begins_;
};

}  // namespace bgw::source
