#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace bgw::source {

/// Half-open range of bytes. A program and the files it imports share one line of offsets (SourceMap), so a range
/// also tells its file.
struct SourceRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Line and column as people count: both from 1, the column in characters (code points).
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// A file's text with its line table. The text is UTF-8, line ends may be LF or CRLF. Offsets given to it and made by
/// it begin at `base`.
class SourceFile {
 public:
  SourceFile(std::string path, std::string text, std::size_t base = 0);

  const std::string& path() const { return path_; }
  std::string_view text() const { return text_; }
  std::size_t base() const { return base_; }
  /// One past the last offset; the end of the text itself is a place, too.
  std::size_t end() const { return base_ + text_.size() + 1; }
  std::string_view text(SourceRange range) const;
  Position position(std::size_t offset) const;
  /// The line that holds the offset, without its line end.
  std::string_view line_at(std::size_t offset) const;
  /// Offset at which that line begins.
  std::size_t line_begin(std::size_t offset) const;

 private:
  /// Byte in the text.
  std::size_t local(std::size_t offset) const;

  std::string path_;
  std::string text_;
  std::size_t base_;
  std::vector<std::size_t> line_begins_;  // bytes in the text
};

/// The files of a program, the program itself first. Files stay where they are as others are added.
class SourceMap {
 public:
  SourceMap() = default;
  /// A program without imports.
  SourceMap(std::string path, std::string text) { add(std::move(path), std::move(text)); }

  const SourceFile& add(std::string path, std::string text);
  const SourceFile& main() const { return files_.front(); }
  const std::deque<SourceFile>& files() const { return files_; }
  /// The file that holds the offset.
  const SourceFile& file_at(std::size_t offset) const;
  std::string_view text(SourceRange range) const { return file_at(range.begin).text(range); }
  Position position(std::size_t offset) const { return file_at(offset).position(offset); }

 private:
  std::deque<SourceFile> files_;
};

}  // namespace bgw::source
