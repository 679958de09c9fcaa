#include "compiler/source/source_file.h"

#include <algorithm>

namespace bgw::source {

SourceFile::SourceFile(std::string path, std::string text, std::size_t base)
    : path_(std::move(path)), text_(std::move(text)), base_(base) {
  line_begins_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_begins_.push_back(i + 1);
  }
}

std::size_t SourceFile::local(std::size_t offset) const {
  return offset < base_ ? 0 : std::min(offset - base_, text_.size());
}

std::string_view SourceFile::text(SourceRange range) const {
  const std::size_t begin = local(range.begin);
  const std::size_t end = std::max(local(range.end), begin);
  return std::string_view(text_).substr(begin, end - begin);
}

std::size_t SourceFile::line_begin(std::size_t offset) const {
  return base_ + *(std::upper_bound(line_begins_.begin(), line_begins_.end(), local(offset)) - 1);
}

std::string_view SourceFile::line_at(std::size_t offset) const {
  const std::size_t begin = line_begin(offset) - base_;
  std::size_t end = text_.find('\n', begin);
  if (end == std::string::npos) end = text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

Position SourceFile::position(std::size_t offset) const {
  const std::size_t at = local(offset);
  const auto line = std::upper_bound(line_begins_.begin(), line_begins_.end(), at) - 1;
  Position position{static_cast<std::size_t>(line - line_begins_.begin()) + 1, 1};
  for (std::size_t i = *line; i < at; ++i) {
    if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++position.column;  // count lead bytes only
  }
  return position;
}

const SourceFile& SourceMap::add(std::string path, std::string text) {
  const std::size_t base = files_.empty() ? 0 : files_.back().end();
  return files_.emplace_back(std::move(path), std::move(text), base);
}

const SourceFile& SourceMap::file_at(std::size_t offset) const {
  const auto after = std::upper_bound(files_.begin(), files_.end(), offset,
                                      [](std::size_t o, const SourceFile& file) { return o < file.base(); });
  return after == files_.begin() ? files_.front() : *(after - 1);
}

}  // namespace bgw::source
