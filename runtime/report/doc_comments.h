#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bgw::report {

/// Free text of a program: a run of `##` lines, and what it stands before.
struct DocComment {
  std::string text;     // lines joined by blanks
  std::string subject;  // "train bg" of the line behind it; empty for the text at the head of the program
};

/// All of them, in the order of the program.
std::vector<DocComment> doc_comments(std::string_view program);

}  // namespace bgw::report
