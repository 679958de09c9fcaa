#include "compiler/source/source_file.h"

#include <algorithm>

namespace bgw::source {

SourceFile::SourceFile(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)) {
  line_begins_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_begins_.push_back(i + 1);
  }
}

std::string_view SourceFile::text(SourceRange range) const {
  const std::size_t begin = std::min(range.begin, text_.size());
  const std::size_t end = std::clamp(range.end, begin, text_.size());
  return std::string_view(text_).substr(begin, end - begin);
}

std::size_t SourceFile::line_begin(std::size_t offset) const {
  return *(std::upper_bound(line_begins_.begin(), line_begins_.end(), std::min(offset, text_.size())) - 1);
}

std::string_view SourceFile::line_at(std::size_t offset) const {
  const std::size_t begin = line_begin(offset);
  std::size_t end = text_.find('\n', begin);
  if (end == std::string::npos) end = text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

Position SourceFile::position(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto line = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset) - 1;
  Position position{static_cast<std::size_t>(line - line_begins_.begin()) + 1, 1};
  for (std::size_t i = *line; i < offset; ++i) {
    if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++position.column;  // count lead bytes only
  }
  return position;
}

}  // namespace bgw::source
