#include "runtime/report/doc_comments.h"

#include <sstream>

namespace bgw::report {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "train bg" of "train bg[n in size] {".
std::string subject_of(const std::string& line) {
  std::istringstream stream(line.substr(0, line.find_first_of("[{=:")));
  std::string noun, name;
  stream >> noun >> name;
  return name.empty() ? noun : noun + " " + name;
}

}  // namespace

std::vector<DocComment> doc_comments(std::string_view program) {
  std::vector<DocComment> comments;
  std::istringstream stream{std::string(program)};
  std::string text;
  bool head = true;  // the first text speaks of the whole program
  for (std::string line; std::getline(stream, line);) {
    const std::string content = trimmed(line);
    if (content.starts_with("##")) {
      text += (text.empty() ? "" : " ") + trimmed(content.substr(2));
    } else if (!text.empty()) {
      comments.push_back({text, head ? "" : subject_of(content)});
      text.clear();
      head = false;
    }
  }
  if (!text.empty()) comments.push_back({text, ""});
  return comments;
}

}  // namespace bgw::report
