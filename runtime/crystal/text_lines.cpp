#include "runtime/crystal/text_lines.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

/// from_chars takes no plus sign.
bool read_number(const std::string& word, double& value) {
  const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size();
}

}  // namespace

void Line::fail(const std::string& problem) const {
  throw InputError(fmt::format("{}:{}: {}", *file, number, problem));
}

std::vector<Line> lines_of(std::string_view text, const std::string& name) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back({line, lines.size() + 1, &name});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool is_number(const std::string& word) {
  double value = 0;
  return read_number(word, value);
}

bool is_count(const std::string& word, std::size_t& count) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
  return error == std::errc() && end == word.data() + word.size() && count > 0;
}

double number_from(const std::string& word, const Line& line, const std::string& what) {
  double value = 0;
  if (!read_number(word, value) || !std::isfinite(value)) line.fail(fmt::format("{} is a number, it is '{}'", what, word));
  // Farther out a double does not hold the distance of two atoms any more.
  constexpr double kFarthest = 1e6;
  if (std::abs(value) > kFarthest) line.fail(fmt::format("{} is at most {:g}, it is '{}'", what, kFarthest, word));
  return value;
}

void settle_cell(Matrix3& cell, const Line& line) {
  const double volume = Cell{cell}.signed_volume();
  double edges = 1.0;
  for (const Vector3& v : cell) edges *= std::hypot(v[0], v[1], v[2]);
  if (!(std::abs(volume) > 1e-9 * edges)) line.fail("the cell has no volume: its vectors lie in one plane");
  if (volume > 0) return;
  for (Vector3& vector : cell) {
    for (double& x : vector) x = -x;
  }
}

}  // namespace bgw::crystal
