#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/crystal/cell.h"

// Lines of a file, each with its place for messages.
namespace bgw::crystal {

struct Line {
  std::string_view text;
  std::size_t number = 0;
  const std::string* file = nullptr;
  /// @throws InputError "FILE:LINE: problem"
  [[noreturn]] void fail(const std::string& problem) const;
};

/// Without line ends of either kind. The text and the name must live as long.
std::vector<Line> lines_of(std::string_view text, const std::string& name);
std::vector<std::string> words_of(std::string_view text);

/// A finite number of at most 1e6.
/// @param what  it is, for messages: "each coordinate"
double number_from(const std::string& word, const Line& line, const std::string& what);
/// Whether the word is a whole number above zero.
bool is_count(const std::string& word, std::size_t& count);
/// Whether the word is a number of any size.
bool is_number(const std::string& word);

/// The cell right-handed and with a volume: a left-handed one has its vectors turned round, which is the same lattice.
void settle_cell(Matrix3& cell, const Line& line);

}  // namespace bgw::crystal
